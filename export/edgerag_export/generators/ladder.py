"""The ladder: a float GGUF file in fewer and fewer bits, each rung with the figures of what it lost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag_export.generators.converter import installed_version
from edgerag_export.generators.importance import WINDOW, collect_importance
from edgerag_export.generators.quantizer import FLOAT_RUNGS, RUNGS, quantize
from edgerag_export.measure.generator import GeneratorFigures, measure_generator
from edgerag_export.progress import Progress
from edgerag_export.step_cache import StepCache

DEFAULT_RUNGS = ("f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0")
FIGURES_FORMAT = 1
"""Raised when a figure's definition changes: figures of earlier builds are then measured again."""
_RECORD, _FIGURES, _IMPORTANCE = "rung.json", "figures.json", "importance.gguf"


@dataclass(frozen=True, slots=True)
class Trial:
    """With what a rung is measured."""

    text: str
    """For perplexity and agreement; nothing of it is in the calibration texts."""
    prompts: tuple[str, ...]
    """For free answers."""


@dataclass(frozen=True, slots=True)
class Rung:
    name: str
    """E.g. `q4_k_m`; with an importance matrix `q4_k_m-weighted`."""
    path: Path
    """In the cache."""
    sha256: str
    tensor_types: Mapping[str, int]
    """Number of tensors by type: what the file truly holds."""
    figures: GeneratorFigures


def build_ladder(
    source: Path,
    rungs: Sequence[str] = DEFAULT_RUNGS,
    *,
    cache: StepCache,
    trial: Trial,
    calibration: Sequence[str] = (),
    threads: int = 0,
    progress: Progress = lambda step, done, total: None,
) -> list[Rung]:
    """Quantise and measure, in the order given. What the cache holds already is not done again.

    Args:
        source: A float GGUF file, the original that all rungs are compared with.
        rungs: Names of `quantizer.RUNGS`.
        calibration: Texts for an importance matrix; none: the quantiser weighs all channels alike. Float rungs and q8_0
            take no notice of it.
        threads: 0: one for each usable core.

    Raises:
        ModelError: As `quantize`, `collect_importance` and `measure_generator`.
    """
    if unknown := [name for name in rungs if name not in RUNGS]:
        raise ModelError(f"There is no quantisation {unknown[0]}.", hint=f"Known: {', '.join(RUNGS)}.")
    base: dict[str, Any] = {"source": hash_file(source), "llama_cpp_python": installed_version()}
    importance: Path | None = None
    if calibration and any(takes_importance(name) for name in rungs):
        key = {**base, "texts": _hash_texts(calibration), "window": WINDOW}

        def collect(place: Path) -> None:
            collect_importance(source, calibration, place / _IMPORTANCE, threads=threads, progress=progress)

        importance = cache.step("importance", key, collect) / _IMPORTANCE
    return [
        _rung(source, name, importance if takes_importance(name) else None, base, cache, trial, threads, progress)
        for name in rungs
    ]


def takes_importance(rung: str) -> bool:
    """Whether an importance matrix changes this rung: eight bits are rounded to the nearest in any case."""
    return rung not in FLOAT_RUNGS and rung != "q8_0"


def _rung(
    source: Path,
    name: str,
    importance: Path | None,
    base: Mapping[str, Any],
    cache: StepCache,
    trial: Trial,
    threads: int,
    progress: Progress,
) -> Rung:
    shown = f"{name}-weighted" if importance is not None else name
    key = {**base, "rung": name, "importance": hash_file(importance) if importance is not None else ""}

    def make(place: Path) -> None:
        done = quantize(source, place / f"{name}.gguf", name, importance=importance, threads=threads, progress=progress)
        record = {"sha256": hash_file(done.path), "tensor_types": done.tensor_types}
        (place / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    folder = cache.step(f"gguf-{name}", key, make)
    record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    path = folder / f"{name}.gguf"

    def measure(place: Path) -> None:
        figures = measure_generator(
            path, source, trial.text, trial.prompts, name=shown, threads=threads, progress=progress
        )
        (place / _FIGURES).write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")

    key = {
        **base,
        "rung": record["sha256"],
        "name": shown,
        "trial": _hash_texts([trial.text, *trial.prompts]),
        "format": FIGURES_FORMAT,
    }
    measured = cache.step(f"figures-{name}", key, measure)
    figures = GeneratorFigures(**json.loads((measured / _FIGURES).read_text(encoding="utf-8")))
    return Rung(shown, path, record["sha256"], record["tensor_types"], figures)


def _hash_texts(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()
