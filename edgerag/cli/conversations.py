"""`conversations`: what was asked and answered, kept in the library."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from edgerag import paths
from edgerag.cli.context import CliContext
from edgerag.cli.numbers import RowId
from edgerag.cli.render import print_citations
from edgerag.cli.safe_text import safe_line
from edgerag.cli.shapes import conversation_json, turn_json
from edgerag.engine import Engine
from edgerag.errors import EdgeragError, LibraryError
from edgerag.storage.conversations import Conversations
from edgerag.storage.turns import Conversation, Turn

COMPLETED = 50
"""Conversations that the shell offers."""


@click.group()
def conversations() -> None:
    """List, show, search, rename, export and delete saved conversations.

    `edgerag ask` saves each question with its answer in the library; `ask -c` continues the last conversation.
    """


def complete_conversations(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The ids that the shell offers, newest first, with their titles."""
    from edgerag.storage.library import Library

    given = next((c.params["library"] for c in _lineage(ctx) if c.params.get("library")), None)
    try:
        folder = paths.chosen_dir(given or paths.default_library_dir())
        with Library.open(folder.absolute(), create=False) as library:
            known = Conversations(library).all(COMPLETED)
    except EdgeragError:
        return []
    return [
        CompletionItem(str(conversation.id), help=safe_line(conversation.title))
        for conversation in known
        if str(conversation.id).startswith(incomplete)
    ]


def _lineage(ctx: click.Context | None) -> list[click.Context]:
    found: list[click.Context] = []
    while ctx is not None:
        found.append(ctx)
        ctx = ctx.parent
    return found


def _open(context: CliContext) -> Engine:
    return Engine.open(context.library, settings=context.settings(), create=False)


@conversations.command("list")
@click.option("-k", "--top-k", type=click.IntRange(1, 1_000_000), help="Only so many, the one continued last first.")
@click.pass_obj
def list_conversations(context: CliContext, top_k: int | None) -> int:
    """List the conversations, the one that was continued last first."""
    with _open(context) as engine:
        known = engine.conversations.all(top_k)
    if context.as_json:
        context.print_json({"conversations": [conversation_json(conversation) for conversation in known]})
    elif known:
        for conversation in known:
            _print_line(conversation)
    else:
        context.note("No conversation is saved here.")
    return 0 if known else 1


@conversations.command()
@click.argument("conversation", type=RowId(), required=False, shell_complete=complete_conversations)
@click.pass_obj
def show(context: CliContext, conversation: int | None) -> None:
    """Print CONVERSATION, or the last one: questions, answers, and the quotes they rest on."""
    with _open(context) as engine:
        chosen = _chosen(engine, conversation)
        turns = engine.conversations.turns(chosen.id)
    if context.as_json:
        context.print_json({**conversation_json(chosen), "turn_list": [turn_json(turn) for turn in turns]})
        return
    click.echo(_styled(context, safe_line(chosen.title), bold=True))
    for turn in turns:
        click.echo("")
        _print_turn(context, turn)


@conversations.command()
@click.argument("query")
@click.option("-k", "--top-k", type=click.IntRange(1, 1000), default=20, show_default=True, help="Conversations shown.")
@click.pass_obj
def search(context: CliContext, query: str, top_k: int) -> int:
    """Find conversations by their title and the words of their questions and answers."""
    if not query.strip():
        raise click.BadParameter("must not be blank.", param_hint="QUERY")
    with _open(context) as engine:
        hits = engine.conversations.search(query, top_k)
    if context.as_json:
        context.print_json(
            {
                "query": query,
                "hits": [
                    {
                        "conversation": conversation_json(hit.conversation),
                        "turn": hit.turn.ordinal if hit.turn is not None else None,
                        "question": hit.turn.question if hit.turn is not None else None,
                        "snippet": hit.snippet,
                    }
                    for hit in hits
                ],
            }
        )
    elif hits:
        for hit in hits:
            _print_line(hit.conversation)
            if hit.snippet:
                click.echo(f"        {safe_line(hit.snippet)}")
    else:
        context.note("Nothing found.")
    return 0 if hits else 1


@conversations.command()
@click.argument("conversation", type=RowId(), shell_complete=complete_conversations)
@click.argument("title")
@click.pass_obj
def rename(context: CliContext, conversation: int, title: str) -> None:
    """Give CONVERSATION another TITLE."""
    if not title.strip():
        raise click.BadParameter("must not be blank.", param_hint="TITLE")
    with _open(context) as engine:
        engine.conversations.rename(conversation, title)
        renamed = engine.conversations.get(conversation)
    if context.as_json:
        context.print_json(conversation_json(renamed))
    else:
        _print_line(renamed)


@conversations.command()
@click.argument("conversation", type=RowId(), required=False, shell_complete=complete_conversations)
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write to this file, which must be new.")
@click.pass_obj
def export(context: CliContext, conversation: int | None, file: Path | None) -> None:
    """Print CONVERSATION, or the last one, as Markdown, every quote with its file, page and heading."""
    with _open(context) as engine:
        chosen = _chosen(engine, conversation)
        markdown = engine.export_conversation(chosen.id)
    if file is not None:
        _write_new(file, markdown)
    if context.as_json:
        context.print_json({"id": chosen.id, "file": str(file) if file is not None else None, "markdown": markdown})
    elif file is not None:
        click.echo(f"Wrote {safe_line(str(file))}.")
    else:
        click.echo(markdown, nl=False)


@conversations.command()
@click.argument("ids", nargs=-1, type=RowId(), metavar="CONVERSATION...", shell_complete=complete_conversations)
@click.option("--all", "everything", is_flag=True, help="Delete every conversation of the library.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before --all.")
@click.pass_obj
def delete(context: CliContext, ids: tuple[int, ...], everything: bool, yes: bool) -> None:
    """Delete conversations for good. `edgerag compact` then removes the last traces from the library's files."""
    if bool(ids) == everything:
        raise click.UsageError("Name conversations, or give --all.")
    with _open(context) as engine:
        chosen = [conversation.id for conversation in engine.conversations.all()] if everything else list(ids)
        if everything and not yes:
            click.confirm(f"Delete {len(chosen)} conversations?", abort=True, err=True)
        for conversation_id in dict.fromkeys(chosen):
            engine.conversations.delete(conversation_id)
    if context.as_json:
        context.print_json({"deleted": list(dict.fromkeys(chosen))})
    else:
        click.echo(f"Deleted {len(dict.fromkeys(chosen))}.")


def _chosen(engine: Engine, conversation_id: int | None) -> Conversation:
    if conversation_id is not None:
        return engine.conversations.get(conversation_id)
    last = engine.conversations.last()
    if last is None:
        raise LibraryError("No conversation is saved here.", hint="`edgerag ask QUESTION` begins one.")
    return last


def _print_line(conversation: Conversation) -> None:
    moment = f"{conversation.changed_at[:10]} {conversation.changed_at[11:16]}"
    number = "1 question" if conversation.num_turns == 1 else f"{conversation.num_turns} questions"
    click.echo(f"{conversation.id:>6}  {moment}  {safe_line(conversation.title)}  ({number})")


def _print_turn(context: CliContext, turn: Turn) -> None:
    click.echo(_styled(context, f"{turn.ordinal}. {safe_line(turn.question)}", bold=True))
    if turn.rewritten:
        click.echo(f"understood as: {safe_line(turn.rewritten)}")
    if turn.sentences:
        click.echo(safe_line(turn.text))
    elif turn.abstained:
        click.echo("Your documents did not seem to answer this.")
    if turn.citations:
        print_citations(turn.citations, color=context.color)
    for note in turn.degraded:
        click.echo(f"degraded: {safe_line(note)}")


def _styled(context: CliContext, text: str, *, bold: bool) -> str:
    return click.style(text, bold=bold) if context.color else text


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise LibraryError(f"{file} exists already.", hint="Choose another name; nothing is overwritten.") from error
    except OSError as error:
        raise LibraryError(f"{file} cannot be written: {error.strerror}.", hint="Choose another place.") from error
