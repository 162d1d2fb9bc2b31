"""From a question to a checked answer, with scripted models."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from edgerag.answers import Answer, AnswerDelta, AnswerReplaced, PassagesFound, SentenceChecked
from edgerag.ask.pipeline import NO_GENERATOR, ask
from edgerag.config import Settings
from edgerag.datatypes import Sampling, SearchResult
from edgerag.errors import LibraryError, ModelError
from tests.ask.asking import HARBOUR, MARKET, QUESTION, SPACES, answer_of, events_of, kinds
from tests.ask.builders import found
from tests.fakes import FakeEmbedder, FakeGenerator, FakeReranker


def test_an_extractive_answer_quotes_the_best_sentences() -> None:
    events = events_of(extractive=True)
    assert kinds(events) == ["PassagesFound", "SentenceChecked", "SentenceChecked", "Answer"]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."
    assert answer.sentences[0].markers == (1,)
    assert answer.model is None
    assert not answer.abstained
    assert answer.degraded == ()
    for citation in answer.citations:
        assert (SPACES + HARBOUR)[citation.start_chars : citation.end_chars] == citation.quote


def test_a_generated_sentence_gets_the_citation_that_supports_it() -> None:
    events = events_of(generator=FakeGenerator("Ada Holm led the dredging. Ships came back in 1913."))
    assert kinds(events) == [
        "PassagesFound", "AnswerDelta", "SentenceChecked", "AnswerDelta", "SentenceChecked", "Answer",
    ]  # fmt: skip
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "Ada Holm led the dredging. [1] Ships came back in 1913. [2]"
    assert [citation.quote for citation in answer.citations] == [
        "Ada Holm led the dredging of the harbour.",
        "Ships came back in 1913.",
    ]
    assert answer.model == "fake-generator"
    assert answer.degraded == ()


def test_sentences_are_told_while_the_generator_still_speaks() -> None:
    events = events_of(generator=FakeGenerator("Ada Holm led the dredging. Ships came back in 1913."))
    names = [type(event).__name__ for event in events]
    assert "AnswerDelta" in names[names.index("SentenceChecked") :]


@pytest.mark.parametrize(
    "text",
    [
        "Breakfast is not provided in the hut.",
        "The exact age of the painting cannot be determined.",
        "No information is stored on the server.",
        "小屋没有提供早餐。",
    ],
)
def test_what_the_documents_deny_is_no_refusal_of_the_generators(text: str) -> None:
    question = "What about breakfast, the painting and the server? 小屋呢？"
    events = events_of(
        question=question,
        result=found(question, text, MARKET),
        generator=FakeGenerator(text),
        document_text=lambda number: SPACES + {1: text, 2: MARKET}[number],
    )
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == f"{text} [1]"
    assert answer.model == "fake-generator"


def test_an_invented_sentence_is_flagged_with_its_reason() -> None:
    answer = answer_of(generator=FakeGenerator("Ada Holm led the dredging. It cost 40 crowns."))
    assert [sentence.is_supported for sentence in answer.sentences] == [True, False]
    assert answer.sentences[1].reason == "number 40 does not occur in the passage"
    assert answer.text.endswith("It cost 40 crowns. [unsupported]")


def test_an_answer_without_any_support_is_replaced_and_says_so() -> None:
    events = events_of(generator=FakeGenerator("Bob Miller led it. It cost 40 crowns."))
    assert [name for name in kinds(events) if name != "AnswerDelta"] == [
        "PassagesFound", "SentenceChecked", "SentenceChecked", "AnswerReplaced", "SentenceChecked", "SentenceChecked",
        "Answer",
    ]  # fmt: skip
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."
    assert all(sentence.is_supported for sentence in answer.sentences)
    assert answer.model is None
    assert answer.degraded == (
        "generate: no generated sentence is supported by the documents; the best sentences of the documents are "
        "shown instead",
    )


@pytest.mark.parametrize(
    "text", ["The fish market opens at dawn.", "It is closed on Sundays. The fish market opens at dawn."]
)
def test_an_answer_to_another_question_is_replaced_though_the_documents_hold_it(text: str) -> None:
    events = events_of(generator=FakeGenerator(text))
    checked = [event for event in events if isinstance(event, SentenceChecked)]
    assert checked[0].sentence.is_supported
    assert not checked[0].is_settled
    assert checked[-1].is_settled
    reason = "what was generated is in the documents but answers something else"
    assert [event.reason for event in events if isinstance(event, AnswerReplaced)] == [reason]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."
    assert answer.degraded == (f"generate: {reason}; the best sentences of the documents are shown instead",)
    assert answer.model is None
    # The withdrawn citations give their markers back, and whoever dropped them hears of each one again.
    assert [citation.marker for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    told = [event.citations for event in checked if event.is_settled]
    assert sum(told, ()) == answer.citations
    assert answer.citations[0].quote == "Ada Holm led the dredging of the harbour."


def test_one_sentence_that_bears_on_the_question_keeps_an_answer() -> None:
    events = events_of(generator=FakeGenerator("The fish market opens at dawn. Ada Holm led the dredging. Bob."))
    assert [event.is_settled for event in events if isinstance(event, SentenceChecked)] == [False, True, True]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.model == "fake-generator"
    assert len(answer.sentences) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "the generator said nothing", id="silence"),
        pytest.param(" \n", "the generator said nothing", id="blank"),
        pytest.param("I don't know.", "the generator says that it does not know", id="refusal"),
        pytest.param("[1][2]", "the generator said nothing", id="markers alone"),
    ],
)
def test_a_generator_that_says_nothing_is_replaced(text: str, reason: str) -> None:
    events = events_of(generator=FakeGenerator(text))
    replaced = [event for event in events if isinstance(event, AnswerReplaced)]
    assert [event.reason for event in replaced] == [reason]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.degraded[0].startswith(f"generate: {reason}")
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."


def test_a_failing_generator_degrades_the_answer() -> None:
    generator = FakeGenerator("Bob led it. More and more.")
    generator.error_after = 0
    answer = answer_of(generator=generator)
    assert answer.degraded == ("generate: The fake generator was told to fail.",)
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."
    assert answer.model is None


def test_what_was_checked_before_a_failure_stays() -> None:
    generator = FakeGenerator("Ada Holm led the dredging. Ships came back in 1913.")
    generator.error_after = 9
    answer = answer_of(generator=generator)
    assert answer.text == "Ada Holm led the dredging. [1]"
    assert answer.degraded == ("generate: The fake generator was told to fail.",)


def test_a_missing_generator_is_named() -> None:
    answer = answer_of(generator=None)
    assert answer.degraded == (NO_GENERATOR,)
    assert answer.sentences[0].is_supported


def test_markers_of_the_models_own_are_not_believed() -> None:
    answer = answer_of(generator=FakeGenerator("Ada Holm led the dredging [7]. It cost 40 crowns [1]."))
    assert answer.text == "Ada Holm led the dredging. [1] It cost 40 crowns. [unsupported]"


def test_escapes_from_the_model_reach_no_event() -> None:
    events = events_of(generator=FakeGenerator("Ada \x1b[31mHolm\u202e led the dredging."))
    shown = "".join(event.text for event in events if isinstance(event, AnswerDelta))
    assert shown == "Ada [31mHolm led the dredging."


def test_weak_evidence_makes_it_abstain_and_show_the_nearest_passages() -> None:
    generator = FakeGenerator("Anything.")
    events = events_of(question="What is the boiling point of tungsten?", settings=Settings(), generator=generator)
    assert kinds(events) == ["PassagesFound", "Answer"]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.abstained
    assert answer.sentences == ()
    assert answer.degraded == ()
    assert len(answer.passages) == 2
    assert generator.prompts == []


def test_an_empty_library_abstains() -> None:
    answer = answer_of(result=SearchResult(QUESTION, (), (), {}), extractive=True)
    assert answer.abstained
    assert answer.notes["evidence_score"] == 0.0


def test_a_blank_question_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="blank"):
        events_of(question=" \n")


def test_a_failing_reranker_is_left_out_and_named() -> None:
    reranker = FakeReranker()
    reranker.error = ModelError("The reranker broke.")
    answer = answer_of(extractive=True, reranker=reranker)
    assert answer.degraded == ("rerank: The reranker broke.",)
    assert answer.sentences[0].text == "Ada Holm led the dredging of the harbour."


def test_what_retrieval_skipped_is_passed_on() -> None:
    result = found(QUESTION, HARBOUR, MARKET)
    result = SearchResult(QUESTION, result.passages, ("vector: no embedder",), {"lexical": 3.0})
    answer = answer_of(result=result, extractive=True)
    assert answer.degraded == ("vector: no embedder",)
    assert answer.timings_ms["lexical"] == 3.0
    assert {"retrieve", "evidence", "total"} <= set(answer.timings_ms)


def wrong_text(_: int) -> str:
    return "Something else altogether."


def unreadable(_: int) -> str:
    raise LibraryError("The stored text is damaged.")


@pytest.mark.parametrize("read", [wrong_text, unreadable], ids=["moved", "damaged"])
@pytest.mark.parametrize("extractive", [True, False], ids=["extractive", "generated"])
def test_a_quote_that_does_not_stand_in_the_document_is_not_shown(read: Callable[[int], str], extractive: bool) -> None:
    events = ask(
        QUESTION, retrieve=lambda _: found(QUESTION, HARBOUR), embedder=FakeEmbedder(), reranker=None,
        generator=None if extractive else FakeGenerator("Ada Holm led the dredging."),
        settings=Settings(min_evidence=0.0), extractive=extractive, sampling=Sampling(), stop=threading.Event(),
        document_text=read,
    )  # fmt: skip
    *_, answer = events
    assert isinstance(answer, Answer)
    assert answer.citations == ()
    assert not any(sentence.is_supported for sentence in answer.sentences)
    assert any(note.startswith("cite: ") for note in answer.degraded)
    assert answer.abstained


def test_the_prompt_holds_evidence_and_question_within_the_settings() -> None:
    generator = FakeGenerator("Ada Holm led the dredging.")
    answer_of(generator=generator, settings=Settings(min_evidence=0.0, evidence_tokens=32))
    text = "".join(part.text for part in generator.prompts[0])
    assert "Ada Holm led the dredging of the harbour." in text
    assert "The fish market" not in text
    assert "<|im_end|>" in generator.samplings[0].stop


def test_no_sentence_is_ever_shown_without_a_citation_and_without_a_flag() -> None:
    for text in ("Ada Holm led it. 40 men. Bob!", "Yes", "no. no. no.", "x" * 300, "1. 2. 3.", "潮水。"):
        for event in events_of(generator=FakeGenerator(text)):
            if isinstance(event, SentenceChecked):
                assert bool(event.sentence.markers) != bool(event.sentence.reason)


def test_passages_are_told_first() -> None:
    first = events_of(extractive=True)[0]
    assert isinstance(first, PassagesFound)
    assert [passage.rank for passage in first.passages] == [1, 2]


@dataclass
class Chinese:
    text: str = "瓦恩灯塔建于1847年，由工程师李明设计。渔市在黎明开门。"


def test_a_chinese_answer_is_checked_and_cited() -> None:
    question = "灯塔是由谁设计的？"
    events = ask(
        question, retrieve=lambda _: found(question, Chinese.text), embedder=FakeEmbedder(), reranker=None,
        generator=FakeGenerator("灯塔由工程师李明设计。灯塔建于1848年。"), settings=Settings(min_evidence=0.0),
        extractive=False, sampling=Sampling(), stop=threading.Event(), document_text=lambda _: SPACES + Chinese.text,
    )  # fmt: skip
    *_, answer = events
    assert isinstance(answer, Answer)
    assert answer.text == "灯塔由工程师李明设计。 [1] 灯塔建于1848年。 [unsupported]"
    assert answer.citations[0].quote == "瓦恩灯塔建于1847年，由工程师李明设计。"
