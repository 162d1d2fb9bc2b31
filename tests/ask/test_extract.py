"""Which sentence answers a question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgerag.ask.answer_type import answer_type_fits
from edgerag.ask.extract import MAX_SENTENCES, best_sentences, rank_sentences
from edgerag.ask.terms import content_terms, coverage, rarity, stem, terms
from tests.ask.builders import passage
from tests.fakes import FakeEmbedder, FakeReranker

HARBOUR = passage(
    "The harbour of Varn is old. It was dredged in 1912 by the engineer Ada Holm. When was the harbour dredged? "
    "Ships of the navy use the harbour. The fish market opens at dawn.",
)


def ranked_texts(question: str, *passages: object, **parts: object) -> list[str]:
    options = {"embedder": FakeEmbedder(), "reranker": None} | parts
    return [sentence.text for sentence in rank_sentences(question, passages, **options)]  # type: ignore[arg-type]


def test_the_sentence_with_the_answer_comes_first_and_the_question_itself_does_not() -> None:
    texts = ranked_texts("When was the harbour dredged?", HARBOUR)
    assert texts[0] == "It was dredged in 1912 by the engineer Ada Holm."
    assert texts.index("When was the harbour dredged?") > 0


def test_sentences_are_exact_parts_of_their_chunk() -> None:
    chunk = passage("  Größe:\n\n  Der Turm ist 32 m hoch.  潮水每天涨落两次。它很高！ ", start=7)
    sentences = rank_sentences("Wie hoch ist der Turm?", [chunk], embedder=FakeEmbedder(), reranker=None)
    assert sentences[0].text == "Der Turm ist 32 m hoch."
    for sentence in sentences:
        assert chunk.chunk.text[sentence.start_chars : sentence.end_chars] == sentence.text


def test_all_sentences_are_encoded_in_one_call() -> None:
    embedder = FakeEmbedder()
    rank_sentences("When was the harbour dredged?", [HARBOUR], embedder=embedder, reranker=FakeReranker())
    assert len(embedder.document_calls) == 1


def test_only_the_best_passages_are_looked_at() -> None:
    passages = [passage(f"Number {n} is here alone.", rank=n, document_id=n) for n in range(1, 6)]
    assert len(ranked_texts("Which number?", *passages)) == 3


def test_a_very_long_list_is_cut() -> None:
    many = passage(" ".join(f"Item {n} costs {n} crowns." for n in range(100)))
    assert len(ranked_texts("What does item 3 cost?", many)) == MAX_SENTENCES


def test_the_same_sentence_in_two_documents_is_named_once() -> None:
    copies = [passage("The tide turns twice a day.", rank=n, document_id=n) for n in (1, 2)]
    sentences = rank_sentences("How often does the tide turn?", copies, embedder=FakeEmbedder(), reranker=None)
    assert [sentence.passage.rank for sentence in sentences] == [1]


def test_a_sentence_that_asks_the_same_does_not_answer() -> None:
    chunk = passage("Why is the harbour of Varn so deep? The harbour was dredged by Ada Holm.")
    assert ranked_texts("Why is the harbour of Varn so deep?", chunk)[0] == "The harbour was dredged by Ada Holm."


def test_headings_do_not_answer() -> None:
    chunk = passage("Opening hours\n\nThe museum opens at nine and closes at five.")
    assert ranked_texts("What are the opening hours?", chunk)[0].startswith("The museum opens")


HANDBOOK = passage(
    "# Handbook\n\n## Opening hours\n\nThe office is open from 9 to 17.\n\n## Parking\n\nVisitors park behind the "
    "building.\n\n## Vacation\n\nEach employee has 25 vacation days.\n\n## Travel\n\nTickets come back in two weeks."
)


def answered(question: str, *passages: object) -> list[str]:
    ranked = rank_sentences(question, passages, embedder=FakeEmbedder(), reranker=FakeReranker())  # type: ignore[arg-type]
    return [sentence.text for sentence in best_sentences(ranked)]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How many vacation days does each employee have?", "Each employee has 25 vacation days."),
        ("When is the office open?", "The office is open from 9 to 17."),
        ("Where do visitors park?", "Visitors park behind the building."),
    ],
)
def test_a_heading_and_a_sentence_of_another_section_are_not_part_of_an_answer(question: str, answer: str) -> None:
    assert answered(question, HANDBOOK) == [answer]


def test_a_heading_says_what_all_sentences_below_it_are_about_and_none_below_the_next() -> None:
    chunk = passage(
        "# Office\n\n## Opening hours\n\nIn summer from 8 to 16. In winter from 9 to 17. In autumn never.\n\n"
        "## Lunch\n\nIn the canteen from 8 to 16.",
    )
    texts = ranked_texts("What are the opening hours of the office in winter?", chunk)
    assert texts[0] == "In winter from 9 to 17."
    assert texts.index("In autumn never.") < texts.index("In the canteen from 8 to 16.")


@pytest.mark.parametrize(
    ("text", "heading", "format_name", "headings"),
    [
        pytest.param("## 3.2. Scope of it\nIt holds.", None, "markdown", ["## 3.2.", "Scope of it"], id="numbered"),
        pytest.param("Scope\n=====\n\nIt holds.", None, "markdown", ["Scope"], id="underlined"),
        pytest.param("Scope\n\nIt holds.", "Rules > Scope", "docx", ["Scope"], id="heading of the chunk"),
        pytest.param("House  rules\n\nIt holds.", None, "html", ["House  rules"], id="title of the document"),
        pytest.param("Scope\n\nIt holds.", None, "docx", [], id="a short line"),
        pytest.param("# At most 3 tries.\ntries = 3", None, "code", [], id="a comment in code"),
        pytest.param("Run:\n\n```\n# At most 3 tries\ntry\n```", None, "markdown", [], id="a comment in a fence"),
        pytest.param("# 9:00 Registration\n# 10:00 Talk by Ada Holm", None, "markdown", [], id="an agenda"),
        pytest.param("The shop closes.\n\nIt holds.", "The shop closes.", "html", [], id="a title that is a sentence"),
    ],
)
def test_what_is_a_heading(text: str, heading: str | None, format_name: str, headings: list[str]) -> None:
    chunk = passage(text, heading=heading, title="House rules")
    chunk = replace(chunk, document=replace(chunk.document, format=format_name))
    ranked = rank_sentences("What?", [chunk], embedder=FakeEmbedder(), reranker=None)
    found = sorted((sentence for sentence in ranked if sentence.is_heading), key=lambda one: one.start_chars)
    assert [sentence.text for sentence in found] == headings


def test_where_there_are_only_headings_they_answer() -> None:
    agenda = passage("## 9:00 Registration\n\n## 10:00 Keynote by Ada Holm")
    assert answered("When is the keynote?", agenda)[0] == "## 10:00 Keynote by Ada Holm"


def test_what_holds_less_than_the_best_is_not_lifted_by_the_passage_that_it_shares() -> None:
    chunk = passage("Nikola Tesla was born on 10 July 1856 in Smiljan. He died on 7 January 1943 in New York.")
    assert answered("When was Tesla born?", chunk) == ["Nikola Tesla was born on 10 July 1856 in Smiljan."]


def test_a_second_sentence_stays_where_the_best_one_leaves_a_part_of_the_question_open() -> None:
    chunk = passage("Nikola Tesla was born in Smiljan. He died on 7 January 1943 in New York.")
    assert len(answered("When did Nikola Tesla die?", chunk)) == 2


def test_passages_without_words_give_no_sentence() -> None:
    assert ranked_texts("What?", passage("--- *** ---")) == []
    assert ranked_texts("What?") == []
    assert best_sentences([]) == []


def test_chinese_is_ranked_by_its_terms() -> None:
    chunk = passage("瓦恩灯塔建于1847年。灯塔由工程师李明设计。渔市在黎明开门。")
    assert ranked_texts("谁设计了灯塔？", chunk)[0] == "灯塔由工程师李明设计。"
    assert ranked_texts("渔市什么时候开门？", chunk)[0] == "渔市在黎明开门。"


def test_an_embedder_that_does_not_know_the_script_has_little_say() -> None:
    class Misleading(FakeReranker):
        def score(self, question: str, candidates: object) -> object:
            scores = super().score(question, candidates)  # type: ignore[arg-type]
            return -scores

    class English(FakeEmbedder):
        languages = ("en",)  # type: ignore[assignment]

    chunk = passage("瓦恩灯塔建于1847年。灯塔由工程师李明设计。渔市在黎明开门。")
    texts = ranked_texts("谁设计了灯塔？", chunk, embedder=English(), reranker=Misleading())
    assert texts[0] == "灯塔由工程师李明设计。"


def test_a_second_sentence_that_fits_far_worse_is_left_out() -> None:
    near = passage("It was dredged in 1912 by Ada Holm.")
    far = passage("Cats sleep.", rank=9, document_id=2)
    sentences = rank_sentences("When was it dredged by Ada Holm?", [near, far], embedder=FakeEmbedder(), reranker=None)
    assert [sentence.text for sentence in best_sentences(sentences)] == ["It was dredged in 1912 by Ada Holm."]


@pytest.mark.parametrize(
    ("question", "sentence", "fits"),
    [
        ("When was it built?", "It was built in 1847.", True),
        ("When was it built?", "It was built by Ada Holm.", False),
        ("How many ships came?", "Twelve ships came.", True),
        ("How many ships came?", "Ships came.", False),
        ("Who built it?", "It was built by Ada Holm.", True),
        ("Who is Ada Holm?", "It was built by Ada Holm.", False),
        ("灯塔是什么时候建的？", "建于1847年。", True),
        ("有多少人？", "有三百人。", True),
        ("What is it?", "It was built by Ada Holm in 1847.", False),
    ],
)
def test_the_kind_of_answer_is_told_from_the_question_word(question: str, sentence: str, fits: bool) -> None:
    assert answer_type_fits(question, sentence) is fits


@pytest.mark.parametrize(
    ("words", "root"),
    [("invented inventing inventions invents", "invent"), ("stopped stopping stops", "stop"), ("cities city", "city"),
     ("employees employed", "employ"), ("class", "class"), ("1990s", "1990s"), ("知识", "知识")],
)  # fmt: skip
def test_forms_of_a_word_share_a_stem(words: str, root: str) -> None:
    assert {stem(word) for word in words.split()} == {root}


def test_content_terms_leave_function_words_out_unless_nothing_else_is_there() -> None:
    assert content_terms("When was the harbour dredged?") == ("harbour", "dredg")
    assert content_terms("What is it?") == ("what", "is", "it")


def test_rare_terms_weigh_more() -> None:
    weight = rarity([set(terms(text)) for text in ("a harbour", "a ship", "a tower")])
    assert weight("harbour") > weight("a") > 0
    assert coverage(["harbour", "a"], {"harbour"}, weight) > 0.5
    assert coverage([], {"harbour"}) == 0.0
