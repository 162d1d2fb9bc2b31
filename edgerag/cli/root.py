"""The root command: global options, the table of commands, and the exit code of each outcome."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from edgerag import __version__
from edgerag.cli.context import CliContext
from edgerag.cli.failures import show_error, show_interrupted, show_misuse, show_unforeseen, wants_json
from edgerag.cli.global_options import global_options, set_up_logging, wants_color, with_global_options
from edgerag.cli.streams import ReaderGoneError
from edgerag.errors import EdgeragError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

EXIT_FOUND, EXIT_NOTHING, EXIT_ERROR, EXIT_DEGRADED, EXIT_INTERRUPTED = 0, 1, 2, 4, 130

COMMANDS: dict[str, tuple[str, str]] = {
    "add": ("edgerag.cli.ingest", "Remember a file or folder as a source and read it."),
    "sync": ("edgerag.cli.ingest", "Bring all sources up to date."),
    "remove": ("edgerag.cli.ingest", "Forget a source and everything derived from it."),
    "search": ("edgerag.cli.search", "Ranked passages for a query."),
    "ask": ("edgerag.cli.ask", "A cited answer to a question."),
    "conversations": ("edgerag.cli.conversations", "List, search, export and delete saved conversations."),
    "why-not": ("edgerag.cli.why_not", "Why a document is not in an answer."),
    "get": ("edgerag.cli.documents", "The parsed text of a document."),
    "status": ("edgerag.cli.documents", "What the library holds."),
    "verify": ("edgerag.cli.upkeep", "Check every row and every index."),
    "rebuild": ("edgerag.cli.upkeep", "Make everything that is derived anew."),
    "compact": ("edgerag.cli.upkeep", "Give unused space back."),
    "backup": ("edgerag.cli.upkeep", "Copy the library while it is in use."),
    "doctor": ("edgerag.cli.doctor", "Check this installation; show the settings."),
    "models": ("edgerag.cli.models", "List, pull, import, verify and remove models."),
    "bench": ("edgerag.cli.bench", "Measure this machine with your library."),
    "completion": ("edgerag.cli.completion", "Print a shell completion script."),
}
"""Where each command lives, and its help line: a command's module is imported only when it is used."""
PLUGIN_GROUP = "edgerag.commands"
"""Entry points through which the export side and the terminal application add their commands."""


class LazyGroup(click.Group):
    """Imports a command when it is called, not when the program starts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugins())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name][0])
            return with_global_options(getattr(module, cmd_name.replace("-", "_")))
        plugin = _plugins().get(cmd_name)
        return with_global_options(plugin.load()) if plugin is not None else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, about) for name, (_, about) in COMMANDS.items()]
        for name in sorted(_plugins()):
            command = self.get_command(ctx, name)
            rows.append((name, command.get_short_help_str() if command is not None else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _plugins() -> dict[str, EntryPoint]:
    import importlib.metadata  # 50 ms: only for plug-ins and the help page

    return {
        point.name: point for point in importlib.metadata.entry_points(group=PLUGIN_GROUP) if point.name not in COMMANDS
    }


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    params=list(global_options()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="edgerag")
@click.pass_context
def root(ctx: click.Context) -> None:
    """Cited answers from your own documents, on your own machine, with no network.

    Start with `edgerag add FOLDER`, then `edgerag ask "your question"`. Without a command, in a terminal, the
    terminal application opens.
    """
    context = ctx.ensure_object(CliContext)
    context.color = context.color and wants_color()
    set_up_logging(context)
    if ctx.invoked_subcommand is None:
        application = _application(ctx, context)
        if application is None:
            raise click.exceptions.NoArgsIsHelpError(ctx)
        ctx.exit(ctx.invoke(application) or EXIT_FOUND)


def _application(ctx: click.Context, context: CliContext) -> click.Command | None:
    """The terminal application, where somebody sits at a terminal and what it needs is installed."""
    import importlib.util

    # textual draws on stderr
    if context.as_json or not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return None
    return root.get_command(ctx, "tui") if importlib.util.find_spec("textual") else None


def run(arguments: Sequence[str]) -> int:
    """Run the root command; returns the exit code."""
    context = CliContext()
    as_json = wants_json(arguments)
    try:
        result = root.main(list(arguments), prog_name="edgerag", standalone_mode=False, obj=context)
        return result if isinstance(result, int) else EXIT_FOUND
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        show_misuse(error, as_json=as_json)
        return EXIT_ERROR
    except (click.Abort, KeyboardInterrupt):
        show_interrupted(as_json=as_json)
        return EXIT_INTERRUPTED
    except EdgeragError as error:
        show_error(error, as_json=as_json)
        return EXIT_ERROR
    except ReaderGoneError:  # `edgerag get ... | head`: the reader has enough
        return EXIT_FOUND
    except Exception as error:  # noqa: BLE001 - a traceback would end the program with 1, which means "nothing found"
        show_unforeseen(error, as_json=as_json, verbose=context.verbose > 0)
        return EXIT_ERROR
