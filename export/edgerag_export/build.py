"""From a recipe to a model folder: fetch, export, fuse, calibrate, quantise, measure, gate, write."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError, SettingsError
from edgerag_export import bundle, gate
from edgerag_export.measure.embedding import Figures, Trial, measure, read_beir, text_trial
from edgerag_export.recipe import Recipe, read_texts
from edgerag_export.sources import Weights, fetch

logger = logging.getLogger(__name__)

PRECISION = "int8-static"
STEPS = ("fetch", "export", "fuse", "calibrate", "quantise", "measure", "gate", "write")

Progress = Callable[[str, int, int], None]
"""Called with a step, what is done and what there is in all (0: not known)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build would do: `--dry-run` prints it."""

    recipe: Recipe
    output: Path
    trial: Trial
    calibration: tuple[str, ...]
    source: Path | None
    cache: Path | None


def plan(
    recipe: Recipe,
    *,
    output: Path | None = None,
    source: Path | None = None,
    cache: Path | None = None,
    beir: Path | None = None,
    texts: Path | None = None,
    max_documents: int = 0,
) -> Plan:
    """Read everything that a build reads before it computes, so that mistakes show at once.

    Args:
        recipe: What to build.
        output: Model folder to write; default: the recipe's name below the current folder.
        source: Weights to take instead of downloading.
        cache: Where downloads stay.
        beir: Judged collection to measure on.
        texts: Texts to measure on, one to a line, when there is no judged collection; default: the recipe's `check`.
        max_documents: Of the judged collection; 0: all.

    Raises:
        SettingsError: Texts are missing, or the measured ones were used for the calibration.
    """
    calibration = read_texts(recipe.beside(recipe.quantization.calibration))
    if beir is not None:
        trial = read_beir(beir, max_documents=max_documents)
    else:
        path = texts if texts is not None else recipe.beside(recipe.check)
        trial = text_trial(path.name, read_texts(path))
    if shared := set(calibration) & set(trial.documents):
        raise SettingsError(
            f"{len(shared)} texts are both calibrated on and measured on.",
            hint="A variant must be measured on texts it was not made from.",
        )
    return Plan(recipe, output or Path(recipe.name), trial, tuple(calibration), source, cache)


def build(plan: Plan, *, progress: Progress = lambda step, done, total: None) -> Figures:
    """Build a model folder and return what was measured.

    Raises:
        ModelError: A step failed, or the variant is outside the tolerance; nothing is written then.
    """
    recipe = plan.recipe
    with tempfile.TemporaryDirectory(prefix="edgerag-export-") as scratch:
        work = Path(scratch)
        progress("fetch", 0, 1)
        weights = fetch(recipe, work, source=plan.source, cache=plan.cache)
        exact, staged = work / "float32", work / recipe.name
        graph, exact_bytes = make_graph(plan, weights, work, progress)
        bundle.write_folder(exact, exact_bytes, recipe, weights, precision="float32")
        bundle.write_folder(staged, graph, recipe, weights, precision=PRECISION)
        progress("measure", 0, 0)
        figures = measure(staged, exact, plan.trial, progress=lambda _, done, total: progress("measure", done, total))
        progress("gate", 0, 1)
        gate.check(figures, recipe.tolerance, name=recipe.name)
        progress("write", 0, 1)
        bundle.write_report(staged, _report(plan, weights, figures))
        bundle.put_in_place(staged, plan.output)
    return figures


def make_graph(plan: Plan, weights: Weights, work: Path, progress: Progress) -> tuple[bytes, bytes]:
    """Return the int8 graph and the float32 graph it was made from."""
    # deferred: numpy and the extra's packages, which `--help` and a wrong recipe need not wait for
    from edgerag_export.encoders.calibrate import collect, sites, with_long_texts
    from edgerag_export.encoders.fuse_graph import fuse, read_encoder
    from edgerag_export.encoders.int8_graph import write_graph
    from edgerag_export.encoders.quantize import quantize
    from edgerag_export.encoders.shrink_embeddings import shrink
    from edgerag_export.encoders.torch_to_onnx import export_float32

    recipe = plan.recipe
    progress("export", 0, 1)
    exported = export_float32(weights.folder, work / "onnx", architecture=recipe.architecture)
    progress("fuse", 0, 1)
    heads, hidden = _shape(weights.folder, recipe)
    fused = fuse(exported, num_heads=heads, hidden=hidden)
    encoder = read_encoder(fused)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress("calibrate", done, len(texts))

    texts = [recipe.document_prefix + text for text in with_long_texts(plan.calibration, max_tokens=recipe.max_tokens)]
    statistics = collect(
        fused, sites(encoder), texts, weights.folder / "tokenizer.json", max_tokens=recipe.max_tokens, advance=advance
    )
    progress("quantise", 0, 1)
    layers = quantize(encoder, statistics, recipe.quantization)
    return write_graph(encoder, layers, shrink(encoder.words)), exported.read_bytes()


def _shape(folder: Path, recipe: Recipe) -> tuple[int, int]:
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{folder / 'config.json'} lacks {error}.") from error
    if hidden != recipe.dim:
        raise ModelError(f"The model gives {hidden} dimensions, the recipe says {recipe.dim}.")
    return heads, hidden


def _report(plan: Plan, weights: Weights, figures: Figures) -> dict[str, Any]:
    digest = hashlib.sha256("\n".join(plan.calibration).encode()).hexdigest()
    return {
        "schema_version": 1,
        "name": plan.recipe.name,
        "precision": PRECISION,
        "source": weights.origin,
        "quantization": asdict(plan.recipe.quantization),
        "calibration": {"num_texts": len(plan.calibration), "sha256": digest},
        "tolerance": asdict(plan.recipe.tolerance),
        "measured": figures.as_json(),
        "made_with": _versions(),
    }


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "optimum-onnx", "onnx", "onnxruntime", "numpy")}
