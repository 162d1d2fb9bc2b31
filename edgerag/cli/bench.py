"""`bench`: what this machine does with your library, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import click

from edgerag.cli.context import CliContext
from edgerag.cores import usable_cores
from edgerag.engine import Engine
from edgerag.errors import LibraryError

SAMPLE_CHUNKS = 64
QUERY_WORDS = 8
GENERATED_QUESTIONS = 3


@click.command()
@click.option("--queries", type=click.IntRange(5, 500), default=40, show_default=True, help="Searches measured.")
@click.option("--generate/--no-generate", default=True, help="Measure the generator too, if one is installed.")
@click.pass_obj
def bench(context: CliContext, queries: int, generate: bool) -> None:
    """Measure embedding, searching and generating on this machine, with your own documents.

    Nothing is written. Close other programs first: the figures are those of this moment.
    """
    with Engine.open(context.library, settings=context.settings(), create=False) as engine:
        texts = _sample(engine)
        figures: dict[str, Any] = {"cores": usable_cores(), "chunks": engine.library.counts()["chunks"]}
        context.note("embedding …")
        figures["embedding"] = _embedding(engine, texts)
        context.note("searching …")
        figures["search"] = _search(engine, _questions(texts, queries))
        if generate and (generator := engine.models.generator()) is not None:
            context.note(f"generating with {generator.name} …")
            figures["generation"] = _generation(engine, _questions(texts, GENERATED_QUESTIONS))
    if context.as_json:
        context.print_json(figures)
        return
    for part, values in figures.items():
        if isinstance(values, dict):
            click.echo(f"{part}:")
            for name, value in values.items():
                click.echo(f"  {name}: {value}")
        else:
            click.echo(f"{part}: {values}")


def _sample(engine: Engine) -> list[str]:
    """Chunks spread over the whole library."""
    rows = engine.library.rows(
        "SELECT text FROM chunks WHERE id % max(1, (SELECT count(*) FROM chunks) / ?) = 0 LIMIT ?",
        (SAMPLE_CHUNKS, SAMPLE_CHUNKS),
    )
    if not rows:
        raise LibraryError("The library is empty.", hint="`edgerag add PATH` fills it.")
    return [row[0] for row in rows]


def _questions(texts: list[str], number: int) -> list[str]:
    """Runs of words out of the documents: no question set is needed, and each has an answer."""
    questions = []
    for turn in range(number):
        words = texts[turn % len(texts)].split()
        start = (turn * QUERY_WORDS) % max(1, len(words) - QUERY_WORDS)
        questions.append(" ".join(words[start : start + QUERY_WORDS])[:200] or texts[0][:40])
    return questions


def _embedding(engine: Engine, texts: list[str]) -> dict[str, Any]:
    engine.models.embedder.encode_documents(texts[:2])
    elapsed = _elapsed_s(lambda: engine.models.embedder.encode_documents(texts))
    return {"chunks_per_s": round(len(texts) / elapsed, 1), "mean_chars": sum(map(len, texts)) // len(texts)}


def _search(engine: Engine, questions: list[str]) -> dict[str, Any]:
    engine.search(questions[0])
    stages: dict[str, list[float]] = {}
    for question in questions:
        for stage, elapsed_ms in engine.search(question).timings_ms.items():
            stages.setdefault(stage, []).append(elapsed_ms)
    return {f"{stage}_ms (median)": round(median(values), 2) for stage, values in stages.items()}


def _generation(engine: Engine, questions: list[str]) -> dict[str, Any]:
    answers = [engine.ask(question) for question in questions]
    told = [answer.notes for answer in answers if not answer.abstained]
    figures: dict[str, Any] = {
        "answers": len(answers),
        "abstained": sum(answer.abstained for answer in answers),
    }
    for name in ("ttft_ms", "prefill_tokens_per_s", "decode_tokens_per_s"):
        values = [float(str(notes[name])) for notes in told if name in notes]
        if values:
            figures[f"{name} (median)"] = round(median(values), 1)
    return figures


def _elapsed_s(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
