"""From a recipe to a model folder: fetch, make the variant, measure it, let it through the gate, write it."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import EdgeragError, SettingsError
from edgerag_export import bundle, gate
from edgerag_export.maker import Figures, Maker
from edgerag_export.packages import require
from edgerag_export.progress import Progress
from edgerag_export.recipe import Recipe
from edgerag_export.sources import Weights, default_cache, fetch
from edgerag_export.texts import is_library, library_pairs, library_texts, read_pairs, read_texts
from edgerag_export.trials import Trials, read_trials

logger = logging.getLogger(__name__)

ENCODER_STEPS = ("fetch", "export", "fuse", "calibrate", "quantise", "measure", "gate", "write")
GENERATOR_STEPS = ("fetch", "converter", "convert", "quantise", "measure", "gate", "write")
NEEDED = {"encoder": ("torch", "optimum", "transformers", "onnx"), "generator": ("llama_cpp", "gguf")}
"""Modules that no build of the kind can do without; the steps name what else they need."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build would do: `--dry-run` prints it."""

    recipe: Recipe
    variant: str
    output: Path
    trials: Trials
    calibration: tuple[Any, ...]
    """Texts; pairs of question and passage for a cross-encoder; the texts of the importance matrix for a generator."""
    calibrated_on: str
    source: Path | None
    cache: Path
    converter: Path | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        return GENERATOR_STEPS if self.recipe.task == "generator" else ENCODER_STEPS


def plan(
    recipe: Recipe,
    *,
    variant: str = "",
    output: Path | None = None,
    source: Path | None = None,
    cache: Path | None = None,
    converter: Path | None = None,
    calibration: Path | None = None,
    beir: Path | None = None,
    texts: Path | None = None,
    max_documents: int = 0,
) -> Plan:
    """Read everything that a build reads before it computes, so that mistakes show at once.

    Args:
        recipe: What to build.
        variant: In place of the recipe's: see `edgerag_export.variant`, or a rung of `recipe.RUNGS` for a generator.
        output: Model folder to write; default: the recipe's name below the current folder.
        source: Weights to take instead of downloading.
        cache: Where downloads and finished steps stay; default `sources.default_cache()`.
        converter: Source distribution of llama-cpp-python to take the GGUF converter from, instead of downloading it.
        calibration: File of texts, or the folder of a library, to calibrate on instead of the recipe's texts.
        beir: Judged collection to measure on.
        texts: Texts to measure on, in the form of the recipe's `check`, when there is no judged collection.
        max_documents: Of the judged collection; 0: all.

    Raises:
        SettingsError: Texts are missing, the measured ones were used for the calibration, or no such variant.
    """
    if recipe.task == "generator":
        default = recipe.ladder.rung
        known: tuple[str, ...] = ("f32", *recipe.ladder.compare, default)
        if variant and variant not in known:
            raise SettingsError(f"There is no variant `{variant}`.", hint=f"This recipe has {', '.join(known)}.")
    else:
        from edgerag_export.variant import parse_variant

        default = recipe.quantization.variant
        parse_variant(variant or default)
    calibrated, where = _calibration(recipe, calibration)
    trials = read_trials(recipe, beir=beir, texts=texts, max_documents=max_documents)
    if shared := set(calibrated) & trials.measured():
        raise SettingsError(
            f"{len(shared)} texts are both calibrated on and measured on.",
            hint="A variant must be measured on texts it was not made from.",
        )
    return Plan(
        recipe, variant or default, output or Path(recipe.name), trials, calibrated, where, source,
        cache or default_cache(), converter,
    )  # fmt: skip


def build(plan: Plan, *, progress: Progress = lambda step, done, total: None) -> Figures:
    """Build a model folder and return what was measured.

    Raises:
        ModelError: A package is missing, a step failed, or the variant is outside the tolerance; nothing is written
            then, and the error names what passes instead.
    """
    with making(plan, progress) as (maker, weights):
        staged = maker.folder(plan.variant)
        figures = maker.measure(plan.variant)
        progress("gate", 0, 1)
        if found := gate.failures(figures, plan.recipe.tolerance, task=plan.recipe.task):
            passing = _passing(plan, maker)
            raise gate.refusal(plan.recipe.name, plan.variant, plan.trials.name, found, passing)
        progress("write", 0, 1)
        bundle.write_report(staged, _report(plan, maker, weights, figures))
        bundle.put_in_place(staged, plan.output)
        progress("write", 1, 1)
    return figures


@contextmanager
def making(plan: Plan, progress: Progress) -> Iterator[tuple[Maker, Weights]]:
    """Fetch the weights and make ready for their variants; scratch folders are gone afterwards."""
    # Before anything is fetched for it.
    require(*NEEDED["generator" if plan.recipe.task == "generator" else "encoder"])
    with tempfile.TemporaryDirectory(prefix="edgerag-export-") as scratch:
        progress("fetch", 0, 1)
        weights = fetch(plan.recipe, plan.cache, source=plan.source, progress=progress)
        progress("fetch", 1, 1)
        maker: Maker
        if plan.recipe.task == "generator":
            from edgerag_export.generator_maker import GeneratorMaker  # deferred: llama.cpp

            maker = GeneratorMaker(plan, weights, Path(scratch), progress)
        else:
            from edgerag_export.encoder_maker import EncoderMaker  # deferred: torch and onnxruntime

            maker = EncoderMaker(plan, weights, Path(scratch), progress)
        yield maker, weights


def _passing(plan: Plan, maker: Maker) -> list[str]:
    """The recipe's other variants that are within its tolerance, smallest first."""
    passing: list[tuple[float, str]] = []
    compare = plan.recipe.ladder.compare if plan.recipe.task == "generator" else plan.recipe.compare
    for name in compare:
        if name in (plan.variant, "float32", "f32"):
            continue
        try:
            figures = maker.measure(name)
        except EdgeragError as error:  # advice must not hide what went wrong
            logger.warning("%s could not be tried: %s", name, error)
            continue
        if not gate.failures(figures, plan.recipe.tolerance, task=plan.recipe.task):
            passing.append((float(getattr(figures, "size_mb", 0.0)), name))
    return [name for _, name in sorted(passing)]


def _calibration(recipe: Recipe, path: Path | None) -> tuple[tuple[Any, ...], str]:
    named = recipe.ladder.importance if recipe.task == "generator" else recipe.quantization.calibration
    if path is None and not named:
        return (), "nothing"
    chosen = path if path is not None else recipe.beside(named)
    wants_pairs = recipe.task == "cross-encoder"
    if is_library(chosen):
        return tuple(library_pairs(chosen) if wants_pairs else library_texts(chosen)), f"library {chosen}"
    return tuple(read_pairs(chosen) if wants_pairs else read_texts(chosen)), chosen.name


def _report(plan: Plan, maker: Maker, weights: Weights, figures: Figures) -> dict[str, Any]:
    digest = hashlib.sha256(repr(plan.calibration).encode()).hexdigest()
    return {
        "schema_version": 1,
        "name": plan.recipe.name,
        "task": plan.recipe.task,
        "variant": plan.variant,
        "source": weights.origin,
        "calibration": {"num_texts": len(plan.calibration), "sha256": digest},
        "tolerance": asdict(plan.recipe.tolerance),
        "measured": figures.as_json(),
        **maker.facts(),
    }
