"""How an answer ends: interrupted, out of time, out of tokens, or repeating itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.answers import Answer, AnswerDelta, AnswerReplaced, AskEvent, SentenceChecked
from edgerag.ask.pipeline import ask
from edgerag.config import Settings
from edgerag.datatypes import Sampling, SearchResult
from edgerag.inference.generator import GenerationRun
from edgerag.inference.threads import Workers
from edgerag.protocols import RerankCandidate
from tests.ask.asking import HARBOUR, MARKET, QUESTION, answer_of, events_of, kinds
from tests.ask.builders import found
from tests.fakes import FakeEmbedder, FakeGenerator, FakeReranker


def test_an_interrupted_answer_keeps_what_was_checked_and_drops_the_rest() -> None:
    class StopAfterSentence:
        """Is set once a sentence has been checked."""

        done = False

        def is_set(self) -> bool:
            return self.done

    stop = StopAfterSentence()
    generator = FakeGenerator("Ada Holm led the dredging. Ships came back in 1913 and so on.")
    events: list[AskEvent] = []
    for event in ask(
        QUESTION, retrieve=lambda _: found(QUESTION, HARBOUR, MARKET), embedder=FakeEmbedder(), reranker=None,
        generator=generator, settings=Settings(min_evidence=0.0), extractive=False, sampling=Sampling(), stop=stop,
    ):  # fmt: skip
        events.append(event)
        stop.done = stop.done or isinstance(event, SentenceChecked)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Ada Holm led the dredging. [1]"
    assert answer.degraded == ("generate: interrupted",)


def test_a_stop_before_the_answer_gives_an_answer_without_sentences() -> None:
    stop = threading.Event()
    stop.set()
    events = events_of(generator=FakeGenerator(), stop=stop)
    assert kinds(events) == ["PassagesFound", "Answer"]
    assert events[-1].degraded == ("retrieve: interrupted",)  # type: ignore[union-attr]


def test_a_stop_while_passages_are_judged_ends_the_retrieval() -> None:
    stop = threading.Event()
    judged: list[str] = []

    def judge(text: str) -> float:
        judged.append(text)
        stop.set()
        return 0.0

    def retrieve(query: str) -> SearchResult:
        Workers(1).map(judge, [HARBOUR, MARKET])
        raise AssertionError("the second passage is not judged any more")

    events = list(
        ask(
            QUESTION, retrieve=retrieve, embedder=FakeEmbedder(), reranker=None, generator=FakeGenerator(),
            settings=Settings(min_evidence=0.0), extractive=False, sampling=Sampling(), stop=stop,
        )
    )  # fmt: skip
    assert kinds(events) == ["Answer"]
    assert events[-1].degraded == ("retrieve: interrupted",)  # type: ignore[union-attr]
    assert judged == [HARBOUR]


def test_a_stop_while_sentences_are_weighed_ends_before_the_generator_is_asked() -> None:
    stop = threading.Event()

    class SlowReranker(FakeReranker):
        def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
            stop.set()
            return np.array(Workers(1).map(lambda _: 1.0, candidates), dtype=np.float32)

    generator = FakeGenerator()
    events = events_of(generator=generator, reranker=SlowReranker(), stop=stop)
    assert kinds(events) == ["PassagesFound", "Answer"]
    assert events[-1].degraded == ("evidence: interrupted",)  # type: ignore[union-attr]
    assert generator.prompts == []


def test_a_generator_that_takes_too_long_is_cut_off() -> None:
    answer = answer_of(generator=FakeGenerator("Ada Holm led the dredging. More."), timeout_s=0.0)
    assert answer.degraded[0].startswith("generate: timed out after 0 s")
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."


def test_a_sentence_cut_off_by_max_tokens_is_dropped() -> None:
    generator = FakeGenerator("Ada Holm led the dredging. Ships came back in 1913", piece_chars=5)
    answer = answer_of(generator=generator, sampling=Sampling(max_tokens=9))
    assert answer.text == "Ada Holm led the dredging. [1]"


class StoppedGenerator(FakeGenerator):
    """Tells which of its stop strings ended the answer, as the real one does."""

    def __init__(self, text: str, stopped_by: str) -> None:
        super().__init__(text)
        self.last_run = GenerationRun(9, 0, 9, 1.0, 1.0, 1.0, "stop", stopped_by)


def test_a_sentence_cut_off_by_a_stop_string_of_the_users_is_dropped() -> None:
    generator = StoppedGenerator("Ada Holm led the dredging. Ships came back in 1913 and stayed.", " in")
    assert answer_of(generator=generator, sampling=Sampling(stop=(" in",))).text == "Ada Holm led the dredging. [1]"


def test_a_fragment_that_a_stop_string_leaves_is_never_supported() -> None:
    generator = StoppedGenerator("Ada Holm led the dredging of the harbour.", "dredging")
    events = events_of(generator=generator, sampling=Sampling(stop=("dredging",)))
    checked = [event.sentence for event in events if isinstance(event, SentenceChecked)]
    assert (checked[0].text, checked[0].reason) == ("Ada Holm led the", "it breaks off")


@pytest.mark.parametrize("stop", ["\n", ".", " \nNote", "。"])
def test_a_stop_string_where_a_sentence_ends_cuts_nothing(stop: str) -> None:
    generator = StoppedGenerator(f"Ada Holm led the dredging{stop} More of this", stop)
    assert answer_of(generator=generator, sampling=Sampling(stop=(stop,))).text == "Ada Holm led the dredging [1]"


def test_a_stop_string_of_the_prompts_own_cuts_nothing() -> None:
    generator = StoppedGenerator("Ada Holm led the dredging<|im_end|>", "<|im_end|>")
    assert answer_of(generator=generator).text == "Ada Holm led the dredging [1]"


def test_an_answer_that_breaks_off_in_its_first_sentence_is_flagged_then_replaced() -> None:
    generator = FakeGenerator("Ada Holm led the dredging of the harbour", piece_chars=4)
    events = events_of(generator=generator, sampling=Sampling(max_tokens=4))
    checked = [event.sentence for event in events if isinstance(event, SentenceChecked)]
    assert (checked[0].text, checked[0].reason) == ("Ada Holm led the", "it breaks off")
    assert any(isinstance(event, AnswerReplaced) for event in events)


def test_a_generator_that_repeats_itself_is_ended() -> None:
    events = events_of(generator=FakeGenerator("Ada Holm led the dredging. " * 50))
    shown = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert shown.count("Ada Holm") == 2
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Ada Holm led the dredging. [1]"


def test_a_last_sentence_without_a_full_stop_counts_when_the_model_ended_it() -> None:
    answer = answer_of(generator=FakeGenerator("Ada Holm"))
    assert answer.text == "Ada Holm [1]"
