"""`add`, `sync` and `remove`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edgerag.cli.context import CliContext
from edgerag.cli.interrupt import stop_on_interrupt
from edgerag.cli.safe_text import safe_line
from edgerag.datatypes import FileFailed, IngestEvent, IngestProgress, IngestSummary
from edgerag.engine import Engine

EXIT_INTERRUPTED = 130
SHOWN_FAILURES = 20


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(), metavar="PATH...")
@click.pass_obj
def add(context: CliContext, paths: tuple[str, ...]) -> int:
    """Remember each PATH (a file or a folder) as a source and read it.

    Folders are read with everything below them, except hidden files and what .gitignore and .edgeragignore name. Run
    `edgerag sync` later to take in what has changed.
    """
    with stop_on_interrupt() as stop, Engine.open(context.library, settings=context.settings()) as engine:
        summary = _show(context, engine.stream_add(paths, stop=stop))
    return _finish(context, summary)


@click.command()
@click.option("--watch", is_flag=True, help="Stay, and sync again whenever a file of a source changes.")
@click.option("--retry", is_flag=True, help="Also try files again that failed before, though they have not changed.")
@click.pass_obj
def sync(context: CliContext, watch: bool, retry: bool) -> int:
    """Bring all sources up to date: new, changed, moved and deleted files."""
    with (
        stop_on_interrupt() as stop,
        Engine.open(context.library, settings=context.settings(), create=False) as engine,
    ):
        events = engine.stream_retry(stop=stop) if retry else engine.stream_sync(stop=stop)
        status = _finish(context, _show(context, events))
        if watch and not stop.is_set():
            status = _watch(context, engine, stop)
    return status


@click.command()
@click.argument("path", type=click.Path())
@click.pass_obj
def remove(context: CliContext, path: str) -> None:
    """Forget the source PATH and everything derived from it. The files themselves are not touched."""
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        num_documents = engine.remove(path)
    if context.as_json:
        context.print_json({"removed": num_documents})
    else:
        click.echo(f"Forgot {num_documents} documents; the files themselves are untouched.")


def _watch(context: CliContext, engine: Engine, stop: threading.Event) -> int:
    import watchfiles  # only here

    context.note("Watching for changes; Ctrl-C ends.")
    while not stop.is_set():
        folders = {Path(source.path) for source in engine.library.sources()}
        present = [folder for folder in folders if folder.exists()]
        if not present:
            context.note("None of the sources exists; nothing to watch.")
            return 1
        # The generator is left after each change, so that sources added meanwhile are watched too.
        for _changes in watchfiles.watch(*present, stop_event=stop, raise_interrupt=False, debounce=1000):
            break
        if not stop.is_set():
            summary = _show(context, engine.stream_sync(stop=stop))
            if summary.added or summary.updated or summary.moved or summary.removed or summary.failed:
                _finish(context, summary)
    return EXIT_INTERRUPTED


def _show(context: CliContext, events: Iterator[IngestEvent]) -> IngestSummary:
    """Render events as they come; returns the last one."""
    if context.shows_progress:
        from edgerag.cli.progress_bar import IngestBar  # rich, 60 ms: only where someone looks

        with IngestBar() as bar:
            return _consume(context, events, bar.update)
    return _consume(context, events, lambda event: None)


def _consume(context: CliContext, events: Iterator[IngestEvent], update: Any) -> IngestSummary:
    summary: IngestSummary | None = None
    num_shown = 0
    for event in events:
        if isinstance(event, IngestProgress):
            update(event)
        elif isinstance(event, FileFailed):
            num_shown += 1
            if num_shown <= SHOWN_FAILURES:
                context.note(f"  left out {safe_line(event.path)}: {safe_line(event.reason)}")
        else:
            summary = event
    assert summary is not None
    if num_shown > SHOWN_FAILURES:
        context.note(f"  and {num_shown - SHOWN_FAILURES} more; `edgerag status --failed` lists all.")
    return summary


def _finish(context: CliContext, summary: IngestSummary) -> int:
    if context.as_json:
        context.print_json(
            {
                "added": summary.added,
                "updated": summary.updated,
                "unchanged": summary.unchanged,
                "moved": summary.moved,
                "removed": summary.removed,
                "failed": [{"path": failure.path, "reason": failure.reason} for failure in summary.failed],
                "chunks": summary.chunks,
                "embedded_chunks": summary.embedded_chunks,
                "seconds": round(summary.seconds, 3),
                "interrupted": summary.interrupted,
                "timings_s": {stage: round(seconds, 3) for stage, seconds in summary.timings_s.items()},
            }
        )
    else:
        counts = (
            (summary.added, "added"),
            (summary.updated, "updated"),
            (summary.moved, "moved"),
            (summary.removed, "removed"),
            (summary.unchanged, "unchanged"),
            (len(summary.failed), "failed"),
        )
        told = ", ".join(f"{number} {word}" for number, word in counts if number) or "nothing to read"
        click.echo(
            f"{told}; {summary.chunks} chunks in the library, {summary.embedded_chunks} embedded now, "
            f"in {summary.seconds:.1f} s."
        )
    if summary.interrupted:
        context.note("Interrupted; what was read is safe, and `edgerag sync` goes on from here.")
        return EXIT_INTERRUPTED
    return 0
