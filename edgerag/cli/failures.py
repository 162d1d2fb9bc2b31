"""What an error looks like: a message and what to do next on stderr, and under `--json` an object on stdout."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from edgerag.cli.context import CliContext
from edgerag.cli.streams import OutputError, ReaderGoneError
from edgerag.errors import EdgeragError, os_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT_HINT = "This is a mistake in edgerag. Please report it, with what `-v` adds here and what `edgerag doctor` says."


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether `--json` was given, also to a command line that could not be parsed."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    return "--json" in arguments[:end]


def show_error(error: EdgeragError, *, as_json: bool) -> None:
    """What happened, and what to do next; under `--json` also as an object, so that scripts need not parse stderr."""
    _show(type(error).__name__, str(error), error.hint, as_json=as_json)


def show_misuse(error: click.ClickException, *, as_json: bool) -> None:
    """A command line that means nothing, in click's form on stderr."""
    if as_json:
        message, hint, kind = error.format_message(), "", type(error).__name__
        if isinstance(error, click.UsageError):
            kind = click.UsageError.__name__  # its kinds are click's own business, and change with its version
            hint = f"`{error.ctx.command_path} --help` tells how it is used." if error.ctx is not None else ""
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            message = "A command is missing."  # instead of the whole help page
        if isinstance(error.__cause__, EdgeragError):  # the export side shows its errors as click does
            kind, message, hint = type(error.__cause__).__name__, str(error.__cause__), error.__cause__.hint
        _print_object(kind, message, hint)
    error.show()


def show_interrupted(*, as_json: bool) -> None:
    """Ended by Ctrl-C before there was a result. A command that ends by itself after it prints what it has."""
    if as_json:
        _print_object("Interrupted", "Interrupted.", "")
    click.echo("Interrupted.", err=True)


def show_unwritten(error: OSError, *, as_json: bool) -> None:
    """Standard output could not be written."""
    _show("OutputError", f"The output could not be written: {_reason(error)}.", "", as_json=as_json)


def show_unforeseen(error: Exception, *, as_json: bool, verbose: bool) -> None:
    """An error that no code foresaw, with its traceback for whoever asked for more."""
    if verbose:
        import traceback  # 5 ms, for a rare case

        from edgerag.cli.safe_text import safe_text

        click.echo(safe_text("".join(traceback.format_exception(error))), err=True, nl=False)
    match error:
        case OutputError(__cause__=OSError() as cause):
            show_unwritten(cause, as_json=as_json)
        case OSError():
            subject = f"{error.filename}: " if error.filename is not None else ""
            _show("OSError", f"{subject}{_reason(error)}.", "", as_json=as_json)
        case MemoryError():
            _show("MemoryError", "There is not enough memory.", "Close other programs first.", as_json=as_json)
        case _:
            _show("InternalError", f"{type(error).__name__}: {error}", REPORT_HINT, as_json=as_json)


def _reason(error: OSError) -> str:
    return str(os_reason(error)).removesuffix(".")


def _show(kind: str, message: str, hint: str, *, as_json: bool) -> None:
    from edgerag.cli.safe_text import safe_text

    if as_json:
        _print_object(kind, message, hint)
    click.echo(safe_text(f"edgerag: {message}"), err=True)
    if hint:
        click.echo(safe_text(f"  {hint}"), err=True)


def _print_object(kind: str, message: str, hint: str) -> None:
    # Where even this cannot be written, stderr and the exit code still tell.
    with contextlib.suppress(OSError, ReaderGoneError, OutputError):
        CliContext().print_json({"error": {"kind": kind, "message": message, "hint": hint}})
