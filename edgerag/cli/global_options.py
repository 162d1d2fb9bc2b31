"""The global options, accepted before and after the command's name: `edgerag --json status`, `status --json`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import click

from edgerag.cli.context import CliContext

NOISY_LOGGERS = ("httpx", "httpcore", "urllib3", "filelock", "huggingface_hub")


def global_options() -> list[click.Option]:
    """A fresh set of the options; each notes its value in the `CliContext`."""
    return [
        click.Option(
            ["--library"],
            type=click.Path(path_type=Path),
            metavar="DIR",
            expose_value=False,
            callback=_note,
            help="Folder of the library. Default: EDGERAG_LIBRARY, or the data folder of this system.",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            expose_value=False,
            callback=_note,
            help="Print one JSON object on stdout (JSON lines for streams), for an error too.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_note,
            help="No progress, no notes on stderr.",
        ),
        click.Option(
            ["-v", "--verbose"],
            count=True,
            expose_value=False,
            callback=_note,
            help="More on stderr; twice for debugging.",
        ),
        click.Option(
            ["--no-color"],
            is_flag=True,
            expose_value=False,
            callback=_note,
            help="Plain text. NO_COLOR in the environment does the same.",
        ),
    ]


def with_global_options(command: click.Command) -> click.Command:
    """Add the global options to a command and to those below it, once."""
    taken = {name for parameter in command.params for name in parameter.opts}
    command.params.extend(option for option in global_options() if not taken & set(option.opts))
    if isinstance(command, click.Group):
        for child in command.commands.values():
            with_global_options(child)
    return command


def _note(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    context = ctx.ensure_object(CliContext)
    if not value:
        return
    match parameter.name:
        case "library":
            context.library = value
        case "as_json":
            context.as_json = True
        case "quiet":
            context.quiet = True
        case "verbose":
            context.verbose = max(context.verbose, value)
        case "no_color":
            context.color = False
    if parameter.name in ("quiet", "verbose"):
        set_up_logging(context)


def set_up_logging(context: CliContext) -> None:
    """Logging on stderr, as loud as `-q` and `-v` say."""
    level = logging.ERROR if context.quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(context.verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr, force=True)
    for name in NOISY_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def wants_color() -> bool:
    """Whether stdout is a terminal that should get colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
