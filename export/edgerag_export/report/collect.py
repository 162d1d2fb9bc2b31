"""Measure all variants of a model and put the figures into one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.inference.manifest import read_manifest
from edgerag_export.measure.embedding import compare, embed_reference
from edgerag_export.measure.generator import GeneratorFigures
from edgerag_export.measure.lengths import LengthFigures, measure_lengths
from edgerag_export.measure.rerank import compare_rerank, score_reference
from edgerag_export.measure.rerank_trial import RerankTrial
from edgerag_export.measure.speed import SpeedFigures, measure_speed
from edgerag_export.measure.trial import Trial
from edgerag_export.progress import Progress
from edgerag_export.report.machine import this_machine
from edgerag_export.report.recommend import recommend
from edgerag_export.report.report import Report, VariantReport

Gate = Callable[[Any], Sequence[object]]
"""Given figures, says what is outside the tolerance, e.g. `lambda figures: gate.failures(figures, tolerance)`."""
FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Subject:
    """A variant to be measured."""

    name: str
    folder: Path
    """A complete model folder."""


def collect_encoder_report(
    subjects: Sequence[Subject],
    reference: Path,
    trial: Trial,
    *,
    texts: tuple[str, Sequence[str]] | None = None,
    gate: Gate | None = None,
    tolerance: Mapping[str, float] | None = None,
    budget_s: float = 120.0,
    made_at: str = "",
    progress: Progress | None = None,
) -> Report:
    """Measure an embedder's variants and its float original.

    Args:
        subjects: The variants; the original is added by itself.
        reference: Folder of the original in float32.
        trial: The texts on which quality is measured.
        texts: Name and texts whose lengths are counted; default: the trial's documents.
        gate: Says what is outside the tolerance; None: everything passes.
        tolerance: The bounds behind `gate`, to be shown.
        budget_s: For the speed of all variants together; 0: speed is not measured.
        made_at: When, if it is to be told.
        progress: Called with what is being measured, how much is done, and how much there is.

    Raises:
        ModelError: A folder holds no embedder that runs.
    """
    everyone = _with_reference(subjects, reference)
    base = embed_reference(reference, trial, progress=progress)
    figures = {subject.name: compare(subject.folder, base, progress=progress) for subject in everyone}
    name, counted = texts or (trial.name, trial.documents)
    return _encoder_report(
        "embedding", everyone, figures, trial.name, measure_lengths(reference, name, counted), gate, tolerance,
        budget_s, made_at, progress,
    )  # fmt: skip


def collect_rerank_report(
    subjects: Sequence[Subject],
    reference: Path,
    trial: RerankTrial,
    *,
    texts: tuple[str, Sequence[str]] | None = None,
    gate: Gate | None = None,
    tolerance: Mapping[str, float] | None = None,
    budget_s: float = 120.0,
    made_at: str = "",
    progress: Progress | None = None,
) -> Report:
    """Measure a cross-encoder's variants and its float original; see `collect_encoder_report`.

    Lengths are those of the passages alone, without their questions.
    """
    everyone = _with_reference(subjects, reference)
    base = score_reference(reference, trial, progress=progress)
    figures = {subject.name: compare_rerank(subject.folder, base, progress=progress) for subject in everyone}
    name, counted = texts or (trial.name, [text for row in trial.candidates for text in row])
    return _encoder_report(
        "cross-encoder", everyone, figures, trial.name, measure_lengths(reference, name, counted), gate, tolerance,
        budget_s, made_at, progress,
    )  # fmt: skip


def collect_generator_report(
    model: str,
    figures: Sequence[GeneratorFigures],
    *,
    trial: str,
    reference: str,
    gate: Gate | None = None,
    tolerance: Mapping[str, float] | None = None,
    made_at: str = "",
) -> Report:
    """Put the figures of a generator's ladder into a report.

    Args:
        model: Its name.
        figures: Of each rung, the original among them; named by rung.
        trial: Name of the text on which perplexity was measured.
        reference: Name of the rung that is the float original.
        gate, tolerance, made_at: As in `collect_encoder_report`.
    """
    variants = [
        VariantReport(
            name=rung.name,
            precision=rung.name,
            size_mb=rung.size_mb,
            is_reference=rung.name == reference,
            failures=() if gate is None or rung.name == reference else tuple(map(str, gate(rung))),
            generator=rung,
        )
        for rung in figures
    ]
    return Report(
        task="generator",
        model=model,
        trial=trial,
        machine=this_machine(),
        variants=tuple(variants),
        recommendation=recommend("generator", variants),
        tolerance=dict(tolerance or {}),
        made_at=made_at,
    )


def _encoder_report(
    task: str,
    subjects: Sequence[Subject],
    figures: Mapping[str, Any],
    trial: str,
    lengths: LengthFigures,
    gate: Gate | None,
    tolerance: Mapping[str, float] | None,
    budget_s: float,
    made_at: str,
    progress: Progress | None,
) -> Report:
    speeds: dict[str, SpeedFigures] = {}
    peak = None
    if budget_s > 0:
        folders = {subject.name: subject.folder for subject in subjects}
        speeds, peak = measure_speed(folders, budget_s=budget_s, progress=progress)
    variants = []
    for subject in subjects:
        own = figures[subject.name]
        is_reference = subject.name == FLOAT32
        variants.append(
            VariantReport(
                name=subject.name,
                precision=read_manifest(subject.folder).precision,
                size_mb=own.size_mb,
                is_reference=is_reference,
                # The original is what tolerances are measured from; its size is no reason to refuse it.
                failures=() if gate is None or is_reference else tuple(map(str, gate(own))),
                embedding=own if task == "embedding" else None,
                rerank=own if task == "cross-encoder" else None,
                speed=speeds.get(subject.name),
            )
        )
    return Report(
        task=task,
        model=read_manifest(subjects[0].folder).name,
        trial=trial,
        machine=this_machine(),
        variants=tuple(variants),
        recommendation=recommend(task, variants),
        lengths=lengths,
        peak=peak,
        tolerance=dict(tolerance or {}),
        notes=_notes(variants, budget_s),
        made_at=made_at,
    )


def _notes(variants: Sequence[VariantReport], budget_s: float) -> tuple[str, ...]:
    if not budget_s > 0:
        return ("Speed was not measured.",)
    # The time is that of all variants, so what did not fit did not fit for any.
    left_out = dict.fromkeys(point for variant in variants if variant.speed for point in variant.speed.left_out)
    if not left_out:
        return ()
    return (f"Within {budget_s:g} s there was no time for: {'; '.join(left_out)}.",)


def _with_reference(subjects: Sequence[Subject], reference: Path) -> list[Subject]:
    others = [subject for subject in subjects if subject.name != FLOAT32]
    return [Subject(FLOAT32, reference), *others]
