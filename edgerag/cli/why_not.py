"""`why-not`: the stage at which a document fell out."""

from __future__ import annotations

import click

from edgerag.ask.absence import StageOutcome
from edgerag.ask.why_not import WhyNot
from edgerag.cli.context import CliContext
from edgerag.cli.render import shown_path, snippet
from edgerag.cli.safe_text import safe_line
from edgerag.cli.shapes import document_json
from edgerag.engine import Engine


@click.command("why-not")
@click.argument("question")
@click.argument("document")
@click.option("-k", "--top-k", type=click.IntRange(1, 1000), default=10, show_default=True, help="Passages taken.")
@click.option("--extractive", is_flag=True, help="As for an answer without a generator.")
@click.pass_obj
def why_not(context: CliContext, question: str, document: str, top_k: int, extractive: bool) -> int:
    """Tell why DOCUMENT is not in the answer to QUESTION: the stage at which it fell out, with ranks and scores.

    DOCUMENT is a path, the end of one, or the id that --json shows. Exit 1 if it fell out, 0 if it came through.
    """
    if not question.strip():
        raise click.BadParameter("must not be blank.", param_hint="QUESTION")
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        outcome = engine.why_not(question, document, top_k=top_k, extractive=extractive)
    if context.as_json:
        context.print_json(_json(outcome))
    else:
        _print(context, outcome)
    return 0 if outcome.fell_out_at is None else 1


def _print(context: CliContext, outcome: WhyNot) -> None:
    click.echo(shown_path(outcome.path))
    for stage in outcome.stages:
        mark = "ok " if stage.passed else "–  "
        score = f"  ({stage.score:.3f})" if stage.score is not None else ""
        click.echo(f"  {mark} {stage.stage:<10} {safe_line(stage.text)}{score}")
    if outcome.chunk is not None:
        click.echo(f"  its best chunk: {snippet(outcome.chunk.text, outcome.question, length=160)}")
    if outcome.fell_out_at is not None:
        click.echo(f"Fell out at {outcome.fell_out_at}: {safe_line(outcome.reason)}")
    if outcome.hint:
        context.note(safe_line(outcome.hint))


def _json(outcome: WhyNot) -> dict[str, object]:
    chunk = outcome.chunk
    return {
        "question": outcome.question,
        "path": outcome.path,
        "document": document_json(outcome.document) if outcome.document is not None else None,
        "fell_out_at": outcome.fell_out_at,
        "reason": outcome.reason,
        "hint": outcome.hint,
        "chunk": {"id": chunk.id, "start": chunk.start_chars, "end": chunk.end_chars} if chunk is not None else None,
        "stages": [_stage_json(stage) for stage in outcome.stages],
    }


def _stage_json(stage: StageOutcome) -> dict[str, object]:
    return {
        "stage": stage.stage,
        "passed": stage.passed,
        "text": stage.text,
        "rank": stage.rank,
        "score": stage.score,
        "limit": stage.limit,
    }
