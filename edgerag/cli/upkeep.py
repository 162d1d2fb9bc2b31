"""`verify`, `rebuild`, `compact` and `backup`."""

from __future__ import annotations

from pathlib import Path

import click

from edgerag.cli.context import CliContext
from edgerag.cli.interrupt import stop_on_interrupt
from edgerag.cli.render import format_size
from edgerag.cli.safe_text import safe_line
from edgerag.engine import Engine
from edgerag.errors import LibraryError

_NOTHING_LEFT = "Nothing in it can be read. Restore a backup, or move the folder away and add the sources again."


@click.command()
@click.pass_obj
def verify(context: CliContext) -> int:
    """Check every row against its checksum and every index against the rows. Exit 1 if something is damaged."""
    from edgerag.storage.verify import Damage, checked_counts, is_damage
    from edgerag.storage.verify import verify as check_library

    damages: list[Damage] = []
    with stop_on_interrupt() as stop:
        try:
            with Engine.open(context.library, settings=context.settings(), create=False) as engine:
                for event in check_library(engine.library, stop):
                    if isinstance(event, Damage):
                        damages.append(event)
                        if not context.as_json:
                            where = f" ({safe_line(event.path)})" if event.path else ""
                            click.echo(f"{event.table} {event.row}: {safe_line(event.what)}{where}")
                    elif context.shows_progress:
                        click.echo(f"\r\x1b[2K{event.table}: {event.done}/{event.total}", err=True, nl=False)
                if context.shows_progress:
                    click.echo("\r\x1b[2K", err=True, nl=False)
                counts = checked_counts(engine.library)
        except LibraryError as error:
            if is_damage(error):  # too much even to open it: elsewhere the hint would be this command
                raise LibraryError(error.message, hint=_NOTHING_LEFT) from error
            raise
    if context.as_json:
        context.print_json(
            {
                "damaged": [
                    {"table": damage.table, "row": damage.row, "what": damage.what, "path": damage.path}
                    for damage in damages
                ],
                "checked": counts,
                "interrupted": stop.is_set(),
            }
        )
    elif stop.is_set():
        context.note("Interrupted before everything was checked.")
    elif damages:
        context.note(
            f"{len(damages)} problems. Restore a backup, or repair: `edgerag rebuild` for indexes; for a document, "
            "`edgerag remove` its source and `edgerag add` it again."
        )
    else:
        click.echo(
            f"Sound: {counts['documents']} documents, {counts['chunks']} chunks, {counts['embeddings']} embeddings."
        )
    if stop.is_set():
        return 130
    return 1 if damages else 0


@click.command()
@click.pass_obj
def rebuild(context: CliContext) -> int:
    """Make everything that is derived anew: the lexical index and the vector index. Documents are not read again."""
    with (
        stop_on_interrupt() as stop,
        Engine.open(context.library, settings=context.settings(), create=False) as engine,
    ):
        engine.rebuild(stop=stop)
        counts = engine.library.counts()
    if context.as_json:
        context.print_json({"chunks": counts["chunks"], "interrupted": stop.is_set()})
    elif not stop.is_set():
        click.echo(f"Indexes of {counts['chunks']} chunks made anew.")
    return 130 if stop.is_set() else 0


@click.command()
@click.pass_obj
def compact(context: CliContext) -> None:
    """Give unused space back. Needs as much free space as the library takes, while it runs."""
    from edgerag.storage.maintenance import compact as compact_library

    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        before, after = compact_library(engine.library)
    if context.as_json:
        context.print_json({"bytes_before": before, "bytes_after": after})
    else:
        click.echo(f"{format_size(before)} before, {format_size(after)} after.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(context: CliContext, file: Path) -> None:
    """Copy the library's database to FILE while it is in use. To restore: put it into a folder as library.db."""
    from edgerag.storage.maintenance import backup as backup_library

    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        size_bytes = backup_library(engine.library, file)
    if context.as_json:
        context.print_json({"file": str(file), "size_bytes": size_bytes})
    else:
        click.echo(f"Wrote {file} ({format_size(size_bytes)}) and checked it.")
