"""An ONNX graph opened from verified bytes, one thread per run, safe to share between threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.inference.external_data import has_external_data
from edgerag.inference.manifest import REINSTALL_HINT, Manifest, verified_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
"""What a graph over text may ask for."""
_LOG_FATAL_ONLY = 4
_INTEGER_TYPES = {"tensor(int64)": "int64", "tensor(int32)": "int32"}


class OnnxModel:
    """A graph over token ids. `run` may be called from many threads at once; each run uses one core."""

    def __init__(self, content: bytes, *, name: str) -> None:
        """Open a session over the bytes of a single-file graph.

        Raises:
            ModelError: Not ONNX, an operator this onnxruntime lacks, weights in a second file, inputs
                that are not token ids, or not enough memory.
        """
        if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
            # From 1.29 on, the mere import opens sockets without it; `edgerag/__init__.py` sets it.
            raise RuntimeError("ORT_DISABLE_TELEMETRY must be 1 before onnxruntime is imported")
        import onnxruntime  # deferred: 120 ms that lexical search does without

        self.name = name
        if has_external_data(content):
            # For a graph opened from bytes, onnxruntime looks for that file in the current folder and reads it,
            # though nobody has checked its hash.
            raise ModelError(
                coded("model.two_files", "Model {name} cannot be opened: its weights are in a second file.", name=name),
                hint=coded("hint.single_file", "Export it again as a single file."),
            )
        options = onnxruntime.SessionOptions()
        # One thread per run and many runs at once: faster than many threads per run, and a spinning
        # thread makes a long text take 38 ms instead of 25 ms beside one busy neighbour.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        # The arena hands a buffer that one core has just written to the other: two texts of 256 tokens at a time took
        # 36 ms of a core each instead of 28, 54 runs/s instead of 70 (onnxruntime 1.31.1, two threads, one session).
        # The C library's own allocator keeps buffers by thread. `python -m tests.benchmarks.embedding` shows it.
        options.enable_cpu_mem_arena = False
        # Patterns are kept for each length of text, and need the arena.
        options.enable_mem_pattern = False
        options.log_severity_level = _LOG_FATAL_ONLY  # every error is raised, and told once
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's fifteen errors share no nearer base
            raise _translated(error, coded("model.not_opened", "Model {name} cannot be opened", name=name)) from error
        self._input_types = {node.name: node.type for node in self._session.get_inputs()}
        for node_name, node_type in self._input_types.items():
            if node_name not in TOKEN_INPUTS or node_type not in _INTEGER_TYPES:
                raise ModelError(
                    f"Model {name} asks for the input `{node_name}` ({node_type}), which is not known here.",
                    hint="Export it for feature extraction or text classification.",
                )
        if "input_ids" not in self._input_types:
            raise ModelError(f"Model {name} takes no token ids.", hint="It is not a text encoder.")
        self._output_name = self._session.get_outputs()[0].name

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> OnnxModel:
        """Open the graph of a model folder from the very bytes whose hash was checked.

        Raises:
            ModelError: As the constructor, or the file is missing, truncated or of another hash.
        """
        return cls(verified_bytes(folder, manifest, "model"), name=manifest.name)

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Return the graph's first output.

        Args:
            inputs: Rows of equal shape (batch, length) by input name; those that the graph does not ask
                for are left out.

        Raises:
            ModelError: The graph asks for more, refused the input, or ran out of memory.
        """
        if missing := [name for name in self._input_types if name not in inputs]:
            raise ModelError(f"Model {self.name} also asks for {', '.join(missing)}.", hint=REINSTALL_HINT)
        feeds = {
            name: inputs[name].astype(_INTEGER_TYPES[node_type], copy=False)
            for name, node_type in self._input_types.items()
        }
        try:
            output: Any = self._session.run([self._output_name], feeds)[0]
        except Exception as error:  # as above
            raise _translated(
                error,
                coded(
                    "model.failed_on",
                    "Model {name} failed on {number} tokens",
                    name=self.name,
                    number=int(feeds["input_ids"].shape[-1]),
                ),
            ) from error
        result: NDArray[np.float32] = output.astype("float32", copy=False)
        return result


def _translated(error: Exception, what: str) -> ModelError:
    """Say in one line what onnxruntime says in many, and what to do about it."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "bad_alloc" in text or "Failed to allocate memory" in text:
        return ModelError(
            coded("model.no_memory", "{what}: not enough memory.", what=what),
            hint=coded("hint.less_memory", "Close other programs or choose a smaller model."),
        )
    if type(error).__name__ in ("InvalidProtobuf", "NoModel"):
        return ModelError(coded("model.no_onnx", "{what}: it is not an ONNX file.", what=what), hint=REINSTALL_HINT)
    # onnxruntime older than 1.22 says "Only 4b quantization is supported" of weights in eight bits.
    if type(error).__name__ in ("NotImplemented", "InvalidGraph", "NotFound") or "Only 4b" in text:
        return ModelError(
            coded("model.graph", "{what}: its graph is not supported ({problem}).", what=what, problem=text[:200]),
            hint=coded("hint.opset", "Update onnxruntime, or export the model again with an older opset."),
        )
    return ModelError(coded("model.failed", "{what}: {problem}", what=what, problem=text[:300]), hint=REINSTALL_HINT)
