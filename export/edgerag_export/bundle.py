"""Put a graph, its tokenizer and its licence into a model folder that the runtime opens."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.inference.manifest import MANIFEST_NAME, Manifest, describe_file, write_manifest
from edgerag_export.recipe import Recipe
from edgerag_export.sources import Weights

REPORT_NAME, RECIPE_NAME, LICENSE_NAME = "report.json", "recipe.toml", "LICENSE"


def write_folder(folder: Path, graph: bytes, recipe: Recipe, weights: Weights, *, precision: str) -> None:
    """Write a complete model folder; the same input always gives the same bytes.

    Raises:
        ModelError: The tokenizer or the licence text cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph)
    _write_tokenizer(weights.folder / "tokenizer.json", folder / "tokenizer.json")
    _write_license(folder / LICENSE_NAME, recipe, weights)
    shutil.copyfile(recipe.path, folder / RECIPE_NAME)
    manifest = Manifest(
        name=recipe.name,
        task="embedding",
        files={
            "model": describe_file(folder, "model.onnx"),
            "tokenizer": describe_file(folder, "tokenizer.json"),
            "license": describe_file(folder, LICENSE_NAME),
            "recipe": describe_file(folder, RECIPE_NAME),
        },
        license=recipe.license,
        dim=recipe.dim,
        pooling="cls" if recipe.pooling == "cls" else "mean",
        query_prefix=recipe.query_prefix,
        document_prefix=recipe.document_prefix,
        max_tokens=recipe.max_tokens,
        languages=recipe.languages,
        precision=precision,
        source=dict(weights.origin),
    )
    write_manifest(folder, manifest)


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write `report.json` beside the model."""
    text = json.dumps(report, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / REPORT_NAME).write_text(text, encoding="utf-8", newline="\n")


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
