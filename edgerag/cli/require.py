"""`--require`: turns a degraded stage into a failure."""

from __future__ import annotations

from collections.abc import Sequence

import click

from edgerag.cli.context import CliContext
from edgerag.cli.safe_text import safe_line

STAGES = ("vector", "rerank", "generate", "freshness", "storage", "all")
EXIT_DEGRADED = 4


def parse_stages(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Callback of the option: a comma-separated list of stage names."""
    stages = tuple(stage.strip() for stage in (value or "").split(",") if stage.strip())
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise click.BadParameter(f"unknown stage {unknown[0]!r}; choose from {', '.join(STAGES)}.")
    return stages


def exit_code(context: CliContext, degraded: Sequence[str], required: Sequence[str], otherwise: int) -> int:
    """Name what was degraded on stderr; 4 if one of the required stages is among it."""
    for entry in degraded:
        context.note(f"degraded: {safe_line(entry)}")
    stages = {entry.split(":", 1)[0] for entry in degraded}
    if degraded and ("all" in required or stages & set(required)):
        return EXIT_DEGRADED
    return otherwise
