"""What the Inspect screen is made of: the subject, bars of scores and times."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.cells import cell_len

from edgerag_tui import strings
from edgerag_tui.screens.inspect_bars import hit_line, time_bars, waterfall
from edgerag_tui.screens.inspect_subject import subject_of
from edgerag_tui.turns import Phase, TurnState


def test_what_was_searched_is_taken_as_it_was() -> None:
    turn = TurnState("And on Sundays?", Phase.DONE, rewritten="Is the market open on Sundays?", model="small")
    subject = subject_of(turn, extractive=True)
    assert (subject.question, subject.searched, subject.extractive) == (
        "And on Sundays?",
        "Is the market open on Sundays?",
        False,
    )
    assert subject.is_rewritten and subject.citations == ()
    assert subject_of(dataclasses.replace(turn, phase=Phase.WRITING), extractive=True).citations is None


def test_bars_of_times_are_as_long_as_their_share() -> None:
    strings.use("en")
    lines = str(time_bars({"lexical": 25.0, "vector": 75.0, "total": 100.0}, 98)).splitlines()
    assert [line.count("█") for line in lines] == [12, 38, 0]
    assert [line.count("━") for line in lines] == [0, 0, 50]
    assert lines[0].split()[-3:] == ["25.0", "ms", "25%"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 74, 120])
def test_every_line_of_bars_fits_the_width_in_both_languages(language: str, width: int, tmp_path: Path) -> None:
    strings.use(language)
    hit, explanation = explained()
    lines = [hit_line(hit, width), *waterfall(hit, explanation, width).split("\n")]
    assert {cell_len(str(line)) for line in lines} == {width}
    times = time_bars({"lexical": 2.0, "first_token": 4.0, "generate": 1234.0, "total": 1300.0}, width)
    assert len({cell_len(str(line)) for line in times.split("\n")}) == 1
    strings.use("en")


def explained() -> tuple[Any, Any]:
    from edgerag.ask.explain import HitExplanation, TermScore
    from edgerag.datatypes import Chunk, Document, Passage, Scores

    document = Document(1, "/notes/雨量计 manual.md", "t", "text", "0" * 64, 10, 1)
    passage = Passage(1, document, Chunk(1, 1, 0, "text", 0, 4, 3, None), Scores(2.0, 0.5, 0.6, 0.9, 0.7))
    terms = (TermScore("雨量", 1.5), TermScore("gauge", 0.5))
    hit = HitExplanation(passage, terms, 1, 2, 1, 1, 0.2, 0.2, 0.3)
    return hit, SimpleNamespace(rerank_weight=0.5, vector_weight=0.5)
