"""Put a model, its tokenizer, licence, recipe and report into a folder that the runtime opens."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from edgerag.errors import ModelError
from edgerag.inference.manifest import (
    MANIFEST_NAME,
    Manifest,
    ModelFile,
    Pooling,
    describe_file,
    read_manifest,
    write_manifest,
)
from edgerag_export.recipe import Recipe
from edgerag_export.sources import Weights

REPORT_NAME, RECIPE_NAME, LICENSE_NAME = "report.json", "recipe.toml", "LICENSE"


def write_encoder(folder: Path, graph: bytes, recipe: Recipe, weights: Weights, *, precision: str) -> None:
    """Write a complete model folder around an ONNX graph; the same input always gives the same bytes.

    Raises:
        ModelError: The tokenizer or the licence text cannot be read, or the disk is full.
    """
    is_embedder = recipe.task == "embedding"
    with _writing(folder):
        (folder / "model.onnx").write_bytes(graph)
        _write_tokenizer(weights.folder / "tokenizer.json", folder / "tokenizer.json")
        _write_texts(folder, recipe, weights)
    manifest = Manifest(
        name=recipe.name,
        task="embedding" if is_embedder else "cross-encoder",
        files=_files(folder, {"model": "model.onnx", "tokenizer": "tokenizer.json"}),
        license=recipe.license,
        dim=recipe.dim if is_embedder else 0,
        pooling=cast(Pooling, recipe.pooling if is_embedder else "none"),
        query_prefix=recipe.query_prefix,
        document_prefix=recipe.document_prefix,
        max_tokens=recipe.max_tokens,
        languages=recipe.languages,
        precision=precision,
        source=dict(weights.origin),
    )
    write_manifest(folder, manifest)


def write_generator(folder: Path, gguf: Path, recipe: Recipe, weights: Weights) -> None:
    """Write a complete model folder around a GGUF file; the file itself is linked where the disk allows it.

    Raises:
        ModelError: Not a complete GGUF model, the licence text cannot be read, or the disk is full.
    """
    from edgerag.models.describe import describe_gguf  # deferred: it opens catalogues and stores

    with _writing(folder):
        model = folder / "model.gguf"
        try:
            os.link(gguf, model)
        except OSError:  # another disk, or one without links
            shutil.copyfile(gguf, model)
        _write_texts(folder, recipe, weights)
    described = describe_gguf(
        model, name=recipe.name, license_name=recipe.license, source=dict(weights.origin), languages=recipe.languages
    )
    longest = min(recipe.max_tokens or described.max_tokens, described.max_tokens or recipe.max_tokens)
    write_manifest(folder, replace(described, files=_files(folder, {"model": "model.gguf"}), max_tokens=longest))


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.json` beside the model and name it in the manifest, so that it stays with the model.

    Raises:
        ModelError: The disk is full.
    """
    text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with _writing(folder):
        (folder / REPORT_NAME).write_text(text, encoding="utf-8", newline="\n")
    manifest = read_manifest(folder)
    write_manifest(
        folder, replace(manifest, files=manifest.files | _files(folder, {"report": REPORT_NAME}, others=False))
    )


def put_in_place(staged: Path, output: Path) -> None:
    """Replace a model folder by a finished one, or create it.

    Raises:
        ModelError: `output` holds something that is not a model folder, or cannot be written.
    """
    if output.exists() and not (output.is_dir() and (not any(output.iterdir()) or (output / MANIFEST_NAME).is_file())):
        raise ModelError(f"{output} exists and is not a model folder.", hint="Choose another --output.")
    arriving, leaving = output.with_name(f".{output.name}.new"), output.with_name(f".{output.name}.old")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        for stale in (arriving, leaving):
            shutil.rmtree(stale, ignore_errors=True)
        shutil.copytree(staged, arriving)  # the scratch folder may be on another disk
        if output.exists():
            output.rename(leaving)
        arriving.rename(output)
        shutil.rmtree(leaving, ignore_errors=True)
    except OSError as error:
        raise ModelError(f"{output} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ModelError(f"{folder} cannot be written: {error.strerror or error}.", hint="Is the disk full?") from error


def _files(folder: Path, files: Mapping[str, str], *, others: bool = True) -> dict[str, ModelFile]:
    texts = {"license": LICENSE_NAME, "recipe": RECIPE_NAME} if others else {}
    return {role: describe_file(folder, name) for role, name in {**files, **texts}.items()}


def _write_texts(folder: Path, recipe: Recipe, weights: Weights) -> None:
    _write_license(folder / LICENSE_NAME, recipe, weights)
    shutil.copyfile(recipe.path, folder / RECIPE_NAME)


def _write_tokenizer(source: Path, target: Path) -> None:
    # Published tokenizers often pad to a fixed length; the runtime pads nothing and cuts by itself.
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        content["padding"] = content["truncation"] = None
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{source} is not a tokenizer: {error}.") from error
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    target.write_text(text, encoding="utf-8", newline="\n")


def _write_license(target: Path, recipe: Recipe, weights: Weights) -> None:
    source = recipe.beside(recipe.license_file) if recipe.license_file else weights.folder / LICENSE_NAME
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(
            f"The licence text {source} cannot be read.", hint="Name one as `license_file` in the recipe."
        ) from error
    target.write_text(text, encoding="utf-8", newline="\n")
