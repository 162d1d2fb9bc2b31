"""Turn a folder of torch weights into a float32 ONNX graph with optimum's exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

from edgerag.errors import ModelError
from edgerag_export.encoders.architecture import check_family

TORCH_HINT = "Install the CPU build of torch and `edgerag[export]`; export/README.md shows how."


_TASKS = {"embedding": "feature-extraction", "cross-encoder": "text-classification"}
"""What optimum calls them: last hidden state, or logits, as the first output."""


def export_float32(weights: Path, target: Path, *, architecture: str, task: str = "embedding") -> Path:
    """Write `target/model.onnx` and return its path.

    Args:
        weights: Hugging Face folder with `config.json`.
        target: Created when absent.
        architecture: What the recipe says the model is; the folder's own `model_type` must agree.
        task: `embedding` (token vectors out) or `cross-encoder` (logits out).

    Raises:
        ModelError: torch or optimum is absent, unknown or another architecture, weights in a second file, or the
            exporter failed.
    """
    check_family(weights, architecture)
    try:
        import torch  # noqa: F401  deferred and first: its absence is the commonest mistake, and it takes seconds
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise ModelError(
            f"The exporter needs {error.name or 'torch'}, which is not installed.", hint=TORCH_HINT
        ) from error
    noise = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(noise), _quiet("optimum", "transformers"):
            warnings.simplefilter("ignore")  # the tracer warns about every Python branch it passes
            main_export(
                str(weights),
                output=str(target),
                task=_TASKS[task],
                library_name="transformers",
                device="cpu",
                do_validation=False,  # the whole chain is compared with the float32 graph later, on real texts
                local_files_only=True,
            )
    except Exception as error:  # torch, transformers and optimum share no error base
        raise ModelError(f"{weights} could not be exported: {error}", hint="See the exporter's message.") from error
    return single_file(target / "model.onnx")


def single_file(path: Path) -> Path:
    """Return the path if the graph carries its own weights.

    Raises:
        ModelError: Missing, or with weights in a second file.
    """
    import onnx  # deferred: part of the extra `export`

    if not path.is_file():
        raise ModelError(f"The exporter wrote no {path.name}.")
    graph = onnx.load(path, load_external_data=False).graph
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise ModelError(
            f"{path} keeps its weights in a second file.",
            hint="Models above 2 GB cannot be one ONNX file; use a GGUF for them.",
        )
    return path


@contextlib.contextmanager
def _quiet(*names: str) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
