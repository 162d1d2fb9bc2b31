"""Look into model files and write the manifest that they deserve, refusing those that could not be used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag.inference.external_data import has_external_data
from edgerag.inference.manifest import Manifest, ModelFile, Pooling, Task
from edgerag.models.gguf import read_gguf_header

COMPLETE_HINT = coded("hint.complete", "A complete GGUF model is needed.")
# What `general.type` and the architecture say of files that are no language model of their own.
_NO_GENERATORS = {
    "adapter": coded("gguf.adapter", "an adapter for another model"),
    "mmproj": coded("gguf.image", "the image part of another model"),
    "imatrix": coded("gguf.table", "a table for quantising"),
    "vocab": coded("gguf.vocabulary", "a vocabulary without weights"),
}


@dataclass(frozen=True, slots=True)
class OnnxTraits:
    """What an ONNX file cannot say about itself."""

    task: Task
    pooling: Pooling = "none"
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 0
    languages: tuple[str, ...] = ("*",)
    precision: str = "float32"


def describe_gguf(
    file: Path, *, name: str, license_name: str, source: dict[str, Any], languages: tuple[str, ...] = ("*",)
) -> Manifest:
    """Manifest of a GGUF file.

    Args:
        license_name: Empty: what the file says.
        languages: ISO 639-1 codes of those it writes well, or `*`.

    Raises:
        ModelError: Damaged, or no language model.
    """
    header = read_gguf_header(file)
    kind = str(header.metadata.get("general.type") or "")
    if header.architecture == "clip":
        kind = "mmproj"
    if kind in _NO_GENERATORS:
        raise ModelError(
            coded("gguf.kind", "{name} is {kind}.", name=file.name, kind=_NO_GENERATORS[kind]), hint=COMPLETE_HINT
        )
    if not header.tokenizer_model or not header.vocab_size:
        raise ModelError(coded("gguf.no_tokenizer", "{name} holds no tokenizer.", name=file.name), hint=COMPLETE_HINT)
    return Manifest(
        name=name,
        task="generator",
        files={"model": _describe(file)},
        license=license_name or header.license or "unknown",
        max_tokens=header.context_tokens,
        precision=header.file_type or "unknown",
        languages=languages,
        source={**source, "architecture": header.architecture, "parameters": header.parameter_count},
    )


def describe_onnx(
    files: dict[str, Path], traits: OnnxTraits, *, name: str, license_name: str, source: dict[str, Any]
) -> Manifest:
    """Manifest of an ONNX encoder, after a trial run of its graph.

    Args:
        files: By role; `model` and `tokenizer` are needed.

    Raises:
        ModelError: Damaged, weights in a second file, or not a graph of this task.
    """
    manifest = Manifest(
        name=name,
        task=traits.task,
        files={role: _describe(file) for role, file in files.items()},
        license=license_name or "unknown",
        pooling=traits.pooling,
        query_prefix=traits.query_prefix,
        document_prefix=traits.document_prefix,
        max_tokens=traits.max_tokens,
        languages=traits.languages,
        precision=traits.precision,
        source=source,
    )
    shape = trial_shape(files["model"], files["tokenizer"], name=name)
    if traits.task == "cross-encoder":
        if len(shape) != 2 or shape[1] != 1:
            raise ModelError(
                f"{name} gives a result of shape {shape} for a pair; a cross-encoder gives one score.",
                hint="Is it an embedding model? Then say `--task embedding`.",
            )
        return manifest
    if len(shape) != 3:
        raise ModelError(
            f"{name} gives a result of shape {shape} for a text; one vector a token is needed.",
            hint="Export it for feature extraction, without pooling in the graph.",
        )
    return replace(manifest, dim=shape[2])


def trial_shape(model: Path, tokenizer: Path, *, name: str) -> tuple[int, ...]:
    """Shape of the graph's first output for a short pair of texts."""
    # deferred: onnxruntime and tokenizers are needed for ONNX models alone
    from edgerag.inference.onnx_model import OnnxModel
    from edgerag.inference.tokenizer import ModelTokenizer

    try:
        content = model.read_bytes()
        if has_external_data(content):
            raise ModelError(f"The weights of {name} are in a second file.", hint="Export it again as a single file.")
        tokens = ModelTokenizer(tokenizer.read_bytes(), name=name)
        graph = OnnxModel(content, name=name)
    except OSError as error:
        raise ModelError(f"The files of {name} cannot be read: {error.strerror}.", hint="Check the path.") from error
    row = tokens.encode_pair("a question", "and an answer", max_tokens=32)
    return tuple(int(length) for length in graph.run(row.inputs()).shape)


def _describe(file: Path) -> ModelFile:
    try:
        return ModelFile(file.name, hash_file(file), file.stat().st_size)
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}.", hint="Check the path.") from error
