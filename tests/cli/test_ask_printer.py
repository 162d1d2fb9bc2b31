"""What a person reads while an answer comes, and what nobody reads because it is withdrawn."""

from __future__ import annotations

import threading

import pytest

from edgerag.ask.pipeline import ask
from edgerag.cli.ask import _Printer
from edgerag.cli.context import CliContext
from edgerag.config import Settings
from edgerag.datatypes import Sampling
from tests.ask.asking import HARBOUR, MARKET, QUESTION
from tests.ask.builders import found
from tests.fakes import FakeEmbedder, FakeGenerator, FakeReranker


def printed(said: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    events = ask(
        QUESTION, retrieve=lambda _: found(QUESTION, HARBOUR, MARKET), embedder=FakeEmbedder(),
        reranker=FakeReranker(), generator=FakeGenerator(said), settings=Settings(min_evidence=0.0), extractive=False,
        sampling=Sampling(), stop=threading.Event(),
    )  # fmt: skip
    _Printer(CliContext(), QUESTION).run(events)
    return capsys.readouterr().out.splitlines()


def test_an_answer_to_another_question_is_not_printed_before_it_is_withdrawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed("The fish market opens at dawn.", capsys)
    assert lines[:2] == [
        "(what was generated is in the documents but answers something else; the documents themselves say:)",
        "Ada Holm led the dredging of the harbour. [1]",
    ]
    assert not any("fish market" in line for line in lines)


def test_what_came_before_the_answer_is_printed_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed("The fish market opens at dawn. Ada Holm led the dredging.", capsys)
    assert lines[:2] == ["The fish market opens at dawn. [1]", "Ada Holm led the dredging. [2]"]
