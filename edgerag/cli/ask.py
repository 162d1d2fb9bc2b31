"""`ask`: a cited answer, streamed sentence by sentence as each is checked."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Generator, Iterator
from typing import cast

import click

from edgerag.answers import (
    Answer,
    AnswerDelta,
    AnswerReplaced,
    AnswerSentence,
    AskEvent,
    PassagesFound,
    QuestionRewritten,
    SentenceChecked,
)
from edgerag.cli.context import CliContext
from edgerag.cli.conversations import complete_conversations
from edgerag.cli.interrupt import stop_on_interrupt
from edgerag.cli.numbers import FiniteRange, RowId
from edgerag.cli.render import print_citations, print_passages
from edgerag.cli.require import exit_code, parse_stages
from edgerag.cli.safe_text import safe_line
from edgerag.cli.shapes import answer_json, citation_json, hit_json
from edgerag.cli.within import within_option
from edgerag.datatypes import DocumentFilter
from edgerag.engine import Engine

STATUS_INTERVAL_S = 0.15
NEAREST_SHOWN = 3


@click.command()
@click.argument("question")
@click.option("--extractive", is_flag=True, help="Answer with the best sentences themselves; no generator runs.")
@click.option("--model", metavar="NAME", help="Installed generator to use; `edgerag models list` names them.")
@within_option
@click.option("--max-tokens", type=click.IntRange(1, 100_000), help="Longest generated answer, in tokens.")
@click.option("--temperature", type=FiniteRange(0, 2), help="0: always the same answer.")
@click.option("--top-p", type=FiniteRange(0, 1), help="Nucleus sampling; only with a temperature above 0.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Of the sampling; only with a temperature above 0.")
@click.option("--stop", multiple=True, metavar="TEXT", help="Further text at which generation ends; may be repeated.")
@click.option("-c", "--continue", "continued", is_flag=True, help="Continue the last conversation: a follow-up.")
@click.option(
    "--conversation",
    type=RowId(),
    metavar="ID",
    shell_complete=complete_conversations,
    help="Continue this conversation; `edgerag conversations list` shows them.",
)
@click.option("--no-save", is_flag=True, help="Do not keep this question and its answer.")
@click.option("--stream", is_flag=True, help="With --json: one JSON line per event, the answer last.")
@click.option(
    "--require",
    callback=parse_stages,
    metavar="STAGES",
    help="Fail (exit 4) if one of these stages was skipped or fell back: vector, rerank, generate, freshness, "
    "storage, all.",
)
@click.pass_obj
def ask(
    context: CliContext,
    question: str,
    extractive: bool,
    model: str | None,
    within: DocumentFilter | None,
    max_tokens: int | None,
    temperature: float | None,
    top_p: float | None,
    seed: int | None,
    stop: tuple[str, ...],
    continued: bool,
    conversation: int | None,
    no_save: bool,
    stream: bool,
    require: tuple[str, ...],
) -> int:
    """Answer QUESTION from your documents.

    Each sentence is shown once it has been checked: with the number of the quote that supports it, or flagged as
    [unsupported]. Without an installed generator the answer consists of the best sentences themselves.

    Question and answer are kept in the library as a new conversation. With -c the question follows up the last one:
    "and in winter?" is understood as the stand-alone question that it stands for, which is shown.
    """
    if not question.strip():
        raise click.BadParameter("must not be blank.", param_hint="QUESTION")
    chosen = {"max_tokens": max_tokens, "temperature": temperature, "top_p": top_p, "seed": seed}
    settings = context.settings()
    sampling = dataclasses.replace(
        settings.sampling(),
        **{name: value for name, value in chosen.items() if value is not None},  # type: ignore[arg-type]
        stop=(*settings.stop, *stop),
    )
    if continued and conversation is not None:
        raise click.UsageError("Give -c or --conversation, not both.")
    with stop_on_interrupt() as flag, Engine.open(context.library, settings=settings, create=False) as engine:
        engine.models.preload()
        if continued:
            last = engine.conversations.last()
            conversation = last.id if last is not None else None
            if last is None:
                context.note("There is no conversation to continue; this begins one.")
        events = engine.stream_ask(
            question,
            extractive=extractive,
            model=model,
            sampling=sampling,
            stop=flag,
            conversation=conversation,
            save=settings.save_conversations and not no_save,
            within=within,
        )
        # An answer that cannot be shown to its end (`| head -1`) is left before the engine closes: a generator in the
        # middle of one would refuse to, and that error would hide the first.
        with contextlib.closing(cast("Generator[AskEvent]", events)):
            if context.as_json:
                answer = _stream_json(events) if stream else _only_answer(events)
                if not stream:
                    context.print_json(answer_json(answer))
            else:
                answer = _Printer(context, question).run(events)
    if flag.is_set():
        return 130
    return exit_code(context, answer.degraded, require, 1 if answer.abstained else 0)


def _only_answer(events: Iterator[AskEvent]) -> Answer:
    *_, last = events
    assert isinstance(last, Answer)
    return last


def _stream_json(events: Iterator[AskEvent]) -> Answer:
    context = CliContext(as_json=True)
    for event in events:
        match event:
            case QuestionRewritten(asked, rewritten, reason):
                context.print_json({"event": "rewritten", "question": asked, "rewritten": rewritten, "reason": reason})
            case PassagesFound(passages):
                context.print_json({"event": "passages", "hits": [hit_json(passage) for passage in passages]})
            case SentenceChecked(sentence, citations):
                context.print_json(
                    {
                        "event": "sentence",
                        "text": sentence.text,
                        "supported": sentence.is_supported,
                        "markers": list(sentence.markers),
                        "reason": sentence.reason,
                        "citations": [citation_json(citation) for citation in citations],
                    }
                )
            case AnswerReplaced(reason):
                context.print_json({"event": "replaced", "reason": reason})
            case AnswerDelta(text):
                context.print_json({"event": "delta", "text": text})
            case Answer():
                context.print_json({"event": "answer", **answer_json(event)})
                return event
        sys.stdout.flush()
    raise AssertionError(json.dumps("a stream of events ends with its answer"))


class _Printer:
    """Prints events for a person."""

    def __init__(self, context: CliContext, question: str) -> None:
        self._context = context
        self._question = question
        self._status_shown = False
        self._last_status = 0.0
        self._num_deltas = 0
        self._held: list[AnswerSentence] = []
        """Sentences at the beginning, shown only once one follows that is supported and bears on the question: without
        one the whole answer is withdrawn, and nobody should have read it."""

    def run(self, events: Iterator[AskEvent]) -> Answer:
        self._status("searching …")
        for event in events:
            match event:
                case QuestionRewritten(_, rewritten, _):
                    self._clear_status()
                    self._context.note(f"understood as: {safe_line(rewritten)}")
                case PassagesFound(passages):
                    self._status(f"reading {len(passages)} passages …", always=True)
                case AnswerDelta():
                    self._num_deltas += 1
                    self._status(f"writing and checking … {self._num_deltas} tokens")
                case SentenceChecked(sentence, _, is_settled):
                    self._clear_status()
                    self._held.append(sentence)
                    if is_settled:
                        self._show_held()
                case AnswerReplaced(reason):
                    self._clear_status()
                    self._held.clear()
                    click.echo(self._styled(f"({safe_line(reason)}; the documents themselves say:)", "yellow"))
                case Answer():
                    self._clear_status()
                    self._end(event)
                    return event
        raise AssertionError("a stream of events ends with its answer")

    def _show_held(self) -> None:
        for sentence in self._held:
            text = safe_line(sentence.text)
            if sentence.is_supported:
                marks = "".join(f"[{marker}]" for marker in sentence.markers)
                click.echo(f"{text} {self._styled(marks, 'green')}")
            else:
                reason = f": {safe_line(sentence.reason)}" if sentence.reason else ""
                click.echo(f"{text} {self._styled(f'[unsupported{reason}]', 'yellow')}")
        self._held.clear()
        sys.stdout.flush()

    def _end(self, answer: Answer) -> None:
        self._show_held()
        if answer.abstained:
            click.echo("Your documents do not seem to answer this.")
            if answer.passages:
                click.echo("The nearest passages:\n")
                print_passages(answer.passages[:NEAREST_SHOWN], self._question, color=self._context.color)
            return
        if answer.citations:
            click.echo("")
            print_citations(answer.citations, color=self._context.color)
        if self._context.verbose:
            times = ", ".join(f"{stage} {elapsed:.0f} ms" for stage, elapsed in answer.timings_ms.items())
            self._context.note(f"model: {answer.model or 'none (extractive)'}; {times}")
            self._context.note(f"notes: {answer.notes}")

    def _styled(self, text: str, color: str) -> str:
        return click.style(text, fg=color) if self._context.color else text

    def _status(self, text: str, *, always: bool = False) -> None:
        """A line on stderr that the next output replaces; only in a terminal."""
        now = time.monotonic()
        if not self._context.shows_progress or (not always and now - self._last_status < STATUS_INTERVAL_S):
            return
        self._last_status = now
        self._status_shown = True
        click.echo(f"\r\x1b[2K{text}", err=True, nl=False)

    def _clear_status(self) -> None:
        if self._status_shown:
            self._status_shown = False
            click.echo("\r\x1b[2K", err=True, nl=False)
