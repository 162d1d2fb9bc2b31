"""`search`: ranked passages."""

from __future__ import annotations

from typing import cast

import click

from edgerag.cli.context import CliContext
from edgerag.cli.render import place, print_passages
from edgerag.cli.require import exit_code, parse_stages
from edgerag.cli.shapes import search_json
from edgerag.cli.within import within_option
from edgerag.datatypes import DocumentFilter, SearchResult
from edgerag.engine import Engine, Mode


@click.command()
@click.argument("query")
@click.option("-k", "--top-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Passages shown.")
@click.option(
    "--mode",
    type=click.Choice(["hybrid", "lexical", "vector"]),
    default="hybrid",
    show_default=True,
    help="Words, meaning, or both.",
)
@within_option
@click.option("--no-rerank", is_flag=True, help="Leave out the reranker.")
@click.option("--explain", is_flag=True, help="Show each part of the score and the time of each stage.")
@click.option("--full", is_flag=True, help="Show whole passages instead of the part that fits best.")
@click.option(
    "--require",
    callback=parse_stages,
    metavar="STAGES",
    help="Fail (exit 4) if one of these stages was skipped or fell back: vector, rerank, freshness, storage, all.",
)
@click.pass_obj
def search(
    context: CliContext,
    query: str,
    top_k: int,
    mode: str,
    within: DocumentFilter | None,
    no_rerank: bool,
    explain: bool,
    full: bool,
    require: tuple[str, ...],
) -> int:
    """Show the passages of your documents that fit QUERY best."""
    if not query.strip():
        raise click.BadParameter("must not be blank.", param_hint="QUERY")
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        if mode != "lexical" or not no_rerank:
            engine.models.preload()
        result = engine.search(query, top_k=top_k, mode=cast(Mode, mode), rerank=not no_rerank, within=within)
    if context.as_json:
        context.print_json(search_json(result, explain=explain))
    elif result.passages:
        print_passages(result.passages, query, color=context.color, whole=full)
        if explain:
            _print_explanation(result)
    else:
        context.note("Nothing found.")
    return exit_code(context, result.degraded, require, 0 if result.passages else 1)


def _print_explanation(result: SearchResult) -> None:
    click.echo("\nrank  lexical   vector    fused   rerank    final  passage")
    for passage in result.passages:
        scores = passage.scores
        parts = (scores.lexical, scores.vector, scores.fused, scores.rerank, scores.final)
        cells = "".join(f"{part:9.3f}" if part is not None else "        –" for part in parts)
        where = place(passage.document, passage.chunk.page, None)
        click.echo(f"{passage.rank:>4}{cells}  {where} [{passage.chunk.start_chars}:{passage.chunk.end_chars}]")
    notes = result.notes
    click.echo(f"\nterms searched: {_listed(notes.get('terms'))}")
    if notes.get("dropped_terms"):
        click.echo(f"too common here: {_listed(notes['dropped_terms'])}")
    click.echo(
        f"vector weight {notes.get('vector_weight')}, found by {notes.get('vector_method', '–')}; "
        f"reranker {notes.get('reranker', '–')}, weight {notes.get('rerank_weight', '–')}; {notes.get('chunks')} chunks"
        + (f"; documents searched: {notes['documents']}" if "documents" in notes else "")
    )
    click.echo("time: " + ", ".join(f"{stage} {elapsed:.1f} ms" for stage, elapsed in result.timings_ms.items()))


def _listed(value: object) -> str:
    from edgerag.cli.safe_text import safe_line

    return ", ".join(safe_line(str(item)) for item in value) if isinstance(value, list) and value else "none"
