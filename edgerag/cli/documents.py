"""`get` and `status`: what the library holds."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgerag.cli.context import CliContext
from edgerag.cli.render import format_size, shown_path
from edgerag.cli.safe_text import safe_line, safe_text
from edgerag.cli.shapes import document_json
from edgerag.engine import Engine
from edgerag.errors import DocumentError
from edgerag.storage.library import StoredText


@click.command()
@click.argument("document")
@click.option("--page", type=click.IntRange(1), help="Only this page.")
@click.pass_obj
def get(context: CliContext, document: str, page: int | None) -> None:
    """Print the parsed text of DOCUMENT: the text that the offsets of hits and citations refer to.

    DOCUMENT is a path, the end of one, or the id that --json shows. Written to a file or a pipe the text is exact; on a
    terminal, control characters are replaced.
    """
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        stored = engine.text(engine.document(document))
    text = stored.text if page is None else _page_text(stored, page)
    if context.as_json:
        context.print_json(
            {
                "document": document_json(stored.document),
                "page": page,
                "text": text,
                "pages": [{"number": p.number, "start": p.start_chars, "end": p.end_chars} for p in stored.pages],
                "headings": [{"level": h.level, "text": h.text, "start": h.start_chars} for h in stored.headings],
                "warnings": list(stored.warnings),
            }
        )
    elif sys.stdout.isatty():
        click.echo(safe_text(text))
    else:
        # Bytes: a text stream would turn \n into \r\n on Windows, and offsets would no longer fit.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
        sys.stdout.buffer.flush()


def _page_text(stored: StoredText, page: int) -> str:
    for span in stored.pages:
        if span.number == page:
            return stored.text[span.start_chars : span.end_chars]
    if not stored.pages:
        raise DocumentError(f"{stored.document.path} has no pages.", hint="Leave out --page.")
    raise DocumentError(
        f"{stored.document.path} has no page {page}.",
        hint=f"It has pages {stored.pages[0].number} to {stored.pages[-1].number}.",
    )


@click.command()
@click.option("--documents", is_flag=True, help="List every document.")
@click.option("--failed", is_flag=True, help="List every file that could not be read, with the reason.")
@click.pass_obj
def status(context: CliContext, documents: bool, failed: bool) -> None:
    """Show what the library holds."""
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        library = engine.library
        counts, sources, failures = library.counts(), library.sources(), library.failures()
        states = library.document_states()
        per_source = {source.id: 0 for source in sources}
        for state in states.values():
            per_source[state.source_id] += 1
        size_bytes = sum(file.stat().st_size for file in library.folder.rglob("*") if file.is_file())
        models = [row[0] for row in library.rows("SELECT model FROM fingerprints ORDER BY id")]
    if context.as_json:
        context.print_json(
            {
                "library": str(library.folder),
                "size_bytes": size_bytes,
                **counts,
                "embedders": models,
                "source_list": [
                    {
                        "path": source.path,
                        "documents": per_source[source.id],
                        "exists": Path(source.path).exists(),
                    }
                    for source in sources
                ],
                "failed": [{"path": failure.path, "reason": failure.reason} for failure in failures.values()],
            }
            | ({"document_list": [{"id": s.id, "path": s.path} for s in states.values()]} if documents else {})
        )
        return
    click.echo(f"{library.folder}  ({format_size(size_bytes)})")
    click.echo(f"{counts['documents']} documents, {counts['chunks']} chunks, embedded by {', '.join(models) or '–'}")
    for source in sources:
        missing = "" if Path(source.path).exists() else "  (not found)"
        click.echo(f"  {shown_path(source.path)}: {per_source[source.id]} documents{missing}")
    if documents:
        for state in sorted(states.values(), key=lambda state: state.path):
            click.echo(f"{state.id:>6}  {shown_path(state.path)}  ({format_size(state.size_bytes)})")
    if failures and not failed:
        click.echo(f"{len(failures)} files could not be read; --failed lists them.")
    if failed:
        for failure in failures.values():
            click.echo(f"  {shown_path(failure.path)}: {safe_line(failure.reason)}")
