"""`edgerag export report`: make every variant of a recipe, measure them side by side, write the report and show it."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerag.errors import SettingsError
from edgerag_export import gate
from edgerag_export.build import Plan, making, plan
from edgerag_export.cli_options import global_options, planned, show
from edgerag_export.cli_progress import StepProgress
from edgerag_export.measure.rerank_trial import RerankTrial
from edgerag_export.measure.trial import Trial
from edgerag_export.progress import Progress
from edgerag_export.recipe import Recipe, load_recipe
from edgerag_export.trials import TextTrial
from edgerag_export.variant import parse_variant

if TYPE_CHECKING:
    from edgerag_export.report.report import Report

_PIPE_COLUMNS = 100


def run_report(
    ctx: click.Context,
    source: Path,
    *,
    output: Path | None,
    variants: tuple[str, ...],
    budget_s: float,
    dry_run: bool,
    inputs: dict[str, Any],
) -> None:
    """Measure the variants of a recipe, or show a stored report.

    Args:
        source: A recipe (`.toml`) or a report (`.json`).
        output: Folder for `report.html` and `report.json`; default: the recipe's name and `-report`, here.
        variants: Only these; empty: those that the recipe compares.
        budget_s: For the speed of all variants together, in s; 0: speed is not measured.
        dry_run: Say what would be done.
        inputs: Further arguments of `build.plan`.

    Raises:
        EdgeragError: A wrong recipe or report, an unknown variant, or a step that failed.
    """
    # deferred: charts and tables, which `--dry-run` and a wrong recipe do without
    from edgerag_export.report.report_json import read_report, to_json
    from edgerag_export.report.write import write_report

    if source.suffix == ".json":
        found = read_report(source)
        if output is not None:
            write_report(found, output)
    else:
        recipe = load_recipe(source)
        chosen = plan(recipe, **inputs)
        names = _names(recipe, variants)
        target = output or Path(f"{recipe.name}-report")
        if dry_run:
            show(ctx, planned(chosen) | {"variant": names, "output": str(target)})
            return
        progress = StepProgress(quiet=global_options(ctx).quiet)
        try:
            found = collect(chosen, names, budget_s=budget_s, progress=progress)
        finally:
            progress.close()
        write_report(found, target)
        click.echo(f"{target / 'report.html'} and report.json are written.", err=True)
    if global_options(ctx).as_json:
        click.echo(to_json(found), nl=False)
    else:
        _print(found, color=global_options(ctx).color)


def collect(plan: Plan, names: tuple[str, ...], *, budget_s: float, progress: Progress) -> Report:
    """Make and measure variants.

    Args:
        plan: Recipe, texts, cache.
        names: Of variants, without the float original, which is always measured.
        budget_s: For the speed of all variants together, in s.

    Raises:
        ModelError: A step failed, or a variant does not run.
    """
    # deferred: onnxruntime and llama.cpp
    from edgerag_export.generator_maker import GeneratorMaker
    from edgerag_export.report.collect import (
        Subject,
        collect_encoder_report,
        collect_generator_report,
        collect_rerank_report,
    )

    recipe = plan.recipe
    shared: dict[str, Any] = {
        "gate": lambda figures: gate.failures(figures, recipe.tolerance, task=recipe.task),
        "tolerance": {name: asdict(recipe.tolerance)[name] for name in gate.BOUNDED[recipe.task]},
        "made_at": time.strftime("%Y-%m-%d"),
    }
    with making(plan, progress) as (maker, _):
        material = plan.trials.material
        if isinstance(material, TextTrial):
            assert isinstance(maker, GeneratorMaker)
            figures = [maker.timed(name) for name in dict.fromkeys((maker.reference, *names))]
            return collect_generator_report(
                recipe.name, figures, trial=material.name, reference=maker.reference, **shared
            )
        subjects = [Subject(name, maker.folder(name)) for name in names if name != "float32"]
        kind: Any = collect_rerank_report if isinstance(material, RerankTrial) else collect_encoder_report
        assert isinstance(material, (Trial, RerankTrial))
        return kind(  # type: ignore[no-any-return]
            subjects, maker.folder("float32"), material, budget_s=budget_s, progress=progress, **shared
        )


def _names(recipe: Recipe, variants: tuple[str, ...]) -> tuple[str, ...]:
    known = recipe.ladder.compare if recipe.task == "generator" else recipe.compare
    for name in variants:
        if recipe.task == "generator" and name not in known:
            raise SettingsError(f"There is no variant `{name}`.", hint=f"This recipe has {', '.join(known)}.")
        if recipe.task != "generator":
            parse_variant(name)
    return variants or known


def _print(report: Report, *, color: bool) -> None:
    # deferred: 60 ms that `--json` does without
    import sys

    from rich.console import Console

    from edgerag_export.report.terminal import render_terminal

    # A pipe has no width of its own, and 80 columns break the tables of many variants.
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    render_terminal(report, Console(no_color=not color, highlight=False, width=width))
