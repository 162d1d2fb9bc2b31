"""Chunks cover the text exactly, keep to the budget and to the headings, and stay where they are under edits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerag.datatypes import ChunkDraft, Heading, PageSpan, ParsedDocument
from edgerag.ingest import chunk as chunk_module
from edgerag.ingest.chunk import chunk_document
from tests.fakes import FakeEmbedder

COUNTER = FakeEmbedder()


def document(text: str, headings: tuple[Heading, ...] = (), pages: tuple[PageSpan, ...] = ()) -> ParsedDocument:
    return ParsedDocument(text, "title", "plain", pages, headings)


def markdown(text: str) -> ParsedDocument:
    """A document whose lines that begin with `#` are headings."""
    headings, position = [], 0
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            marks, title = line.split(" ", 1)
            headings.append(Heading(len(marks), title.strip(), position))
        position += len(line)
    return document(text, tuple(headings))


def chunks_of(parsed: ParsedDocument, budget: int = 40) -> list[ChunkDraft]:
    drafts = chunk_document(parsed, COUNTER, budget_tokens=budget)
    assert_exact(parsed, drafts)
    return drafts


def assert_exact(parsed: ParsedDocument, drafts: list[ChunkDraft]) -> None:
    position = 0
    for ordinal, draft in enumerate(drafts):
        assert draft.ordinal == ordinal
        assert parsed.text[draft.start_chars : draft.end_chars] == draft.text
        assert draft.text.strip()
        assert draft.start_chars >= position
        assert not parsed.text[position : draft.start_chars].strip()
        position = draft.end_chars
    assert not parsed.text[position:].strip()


def words(num: int, word: str = "word") -> str:
    return " ".join(f"{word}{number}" for number in range(num))


def test_nothing_is_cut_from_nothing() -> None:
    assert chunks_of(document("")) == []
    assert chunks_of(document(" \n\n\t ")) == []


def test_a_short_text_is_one_chunk_without_its_margins() -> None:
    (draft,) = chunks_of(document("  \n It rained.\n\nWe left. \n"))
    assert (draft.text, draft.start_chars, draft.page, draft.heading) == ("It rained.\n\nWe left.", 4, None, None)


def test_chunks_end_at_paragraphs() -> None:
    paragraphs = [words(25, f"p{number}w") for number in range(4)]
    drafts = chunks_of(document("\n\n".join(paragraphs)))
    assert [draft.text for draft in drafts] == paragraphs


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentences = [f"{words(14, f's{number}w')}." for number in range(5)]
    drafts = chunks_of(document(" ".join(sentences)))
    assert len(drafts) >= 3
    assert all(draft.text.startswith("s") and draft.text.endswith(".") for draft in drafts)
    assert all(draft.text.count(".") <= 2 for draft in drafts)


def test_a_long_sentence_is_cut_between_clauses_then_words() -> None:
    clauses = chunks_of(document(", ".join(words(20, f"c{number}w") for number in range(4)) + "."))
    assert all(draft.text.endswith((",", ".")) for draft in clauses)
    parts = chunks_of(document(words(200)))
    assert all(draft.text.startswith("word") for draft in parts)
    assert len(parts) <= 10


def test_chinese_is_cut_at_sentences_then_clauses() -> None:
    drafts = chunks_of(
        document(
            "今天天气很好我们去公园散步。" * 3
            + "第一部分内容很长很长，第二部分内容也很长很长，第三部分更长更长更长更长更长更长。"
        )
    )
    assert all(draft.text[-1] in "。，" for draft in drafts)
    assert all(len(draft.text) <= 40 for draft in drafts)


def test_a_word_without_end_is_cut_and_accents_stay_on_their_letters() -> None:
    class PerCharacter(FakeEmbedder):
        def token_starts(self, text: str) -> list[int]:
            return [index for index, ch in enumerate(text) if not ch.isspace()]

    text = "e\u0301" * 100 + "👩\u200d🔬" * 40 + "🇩🇪" * 40 + "क्षि" * 20
    drafts = chunk_document(document(text), PerCharacter(), budget_tokens=30)
    assert_exact(document(text), drafts)
    for draft in drafts:
        assert len(draft.text) <= 30
        assert draft.text[0] not in "\u0301\u200d\u094d\u093f🔬"
    flags = "".join(draft.text for draft in drafts if "🇩" in draft.text)
    assert flags.count("🇩") == 40
    assert not any(draft.text.startswith("🇪") for draft in drafts)


def test_a_blob_is_cut_though_the_tokenizer_sees_one_token() -> None:
    class OneToken(FakeEmbedder):
        def token_starts(self, text: str) -> list[int]:
            return [0] if text else []

    drafts = chunk_document(document("A" * 20_000), OneToken(), budget_tokens=40)
    assert_exact(document("A" * 20_000), drafts)
    assert max(len(draft.text) for draft in drafts) <= 16 * 41


def test_headings_part_sections_and_name_their_chunks() -> None:
    install = f"## Install\n\n{words(25, 'b')}\n\n{words(25, 'c')}"
    text = f"# Guide\n\n{words(25, 'a')}\n\n{install}\n\n## Use\n\n{words(25, 'd')}\n"
    drafts = chunks_of(markdown(text))
    assert [(draft.heading, draft.text.split()[-1]) for draft in drafts] == [
        ("Guide", "a24"),
        ("Guide > Install", "b24"),
        ("Guide > Install", "c24"),
        ("Guide > Use", "d24"),
    ]
    assert drafts[1].text.startswith("## Install")
    assert drafts[2].embedded_text.startswith("Install\nc0")


def test_text_above_the_first_heading_has_none() -> None:
    drafts = chunks_of(markdown(f"{words(30, 'a')}\n\n# One\n\n{words(30, 'b')}"))
    assert [draft.heading for draft in drafts] == [None, "One"]


def test_a_bare_heading_goes_with_the_section_below_it() -> None:
    (draft,) = chunks_of(markdown(f"# Book\n\n## Part\n\n### Chapter\n\n{words(20)}"))
    assert draft.heading == "Book > Part > Chapter"
    assert draft.text.startswith("# Book")


def test_no_chunk_is_a_lone_heading_although_the_text_below_is_long() -> None:
    text = "".join(f"# Heading number {number}\n\n{words(35, f's{number}w')}.\n\n" for number in range(6))
    drafts = chunks_of(markdown(text))
    assert [draft.text.split("\n\n")[0] for draft in drafts if draft.text.startswith("#")] == [
        f"# Heading number {number}" for number in range(6)
    ]
    assert all("w0" in draft.text for draft in drafts if draft.text.startswith("#"))


def test_tiny_sections_join_their_siblings_under_the_parent() -> None:
    text = "# Terms\n\n## Ab\n\nFirst.\n\n## Cd\n\nSecond.\n\n## Ef\n\nThird.\n\n# Other\n\n" + words(30)
    drafts = chunks_of(markdown(text))
    assert [draft.heading for draft in drafts] == ["Terms", "Other"]
    assert drafts[0].text.startswith("# Terms") and drafts[0].text.endswith("Third.")


def test_larger_sections_stay_apart() -> None:
    text = f"# A\n\n## B\n\n{words(14, 'b')}\n\n## C\n\n{words(14, 'c')}"
    assert [draft.heading for draft in chunks_of(markdown(text))] == ["A > B", "A > C"]


def test_a_tiny_section_does_not_rename_part_of_a_long_one() -> None:
    text = f"# A\n\n## B\n\n{words(30, 'b')}\n\n{words(20, 'c')}\n\n## D\n\nTiny."
    drafts = chunks_of(markdown(text))
    assert [draft.heading for draft in drafts] == ["A > B", "A > B", "A > D"]


def test_a_heading_that_holds_the_separator_stays_one_heading() -> None:
    (draft,) = chunks_of(markdown(f"# File > Open\n\n{words(5)}"))
    assert draft.heading == "File › Open"


def test_a_heading_longer_than_the_budget_is_shortened() -> None:
    drafts = chunks_of(document(f"{words(50)}\n\n{words(60, 'b')}", (Heading(1, words(50), 0),)), budget=32)
    assert all(len(COUNTER.token_starts(draft.embedded_text)) <= 32 for draft in drafts)
    assert drafts[0].heading == words(16)


def test_a_chunk_has_the_page_on_which_it_begins() -> None:
    first, second = words(30, "a"), words(30, "b")
    text = f"{first}\n\n{second}"
    pages = (PageSpan(7, 0, len(first) + 2), PageSpan(8, len(first) + 2, len(text)))
    assert [draft.page for draft in chunks_of(document(text, pages=pages))] == [7, 8]


def test_the_budget_is_capped_by_the_model() -> None:
    small = FakeEmbedder(max_tokens=20)
    drafts = chunk_document(document(words(100)), small, budget_tokens=500)
    assert max(len(small.token_starts(draft.embedded_text)) for draft in drafts) <= 20


def test_a_budget_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="budget_tokens"):
        chunk_document(document("text"), COUNTER, budget_tokens=0)


def test_a_very_long_text_is_worked_on_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_module, "PIECE_CHARS", 2000)
    monkeypatch.setattr(chunk_module, "PIECE_TAIL_CHARS", 500)
    lengths: list[int] = []

    class Watched(FakeEmbedder):
        def token_starts(self, text: str) -> list[int]:
            lengths.append(len(text))
            return super().token_starts(text)

    for text in (words(3000), "字" * 9000, "x" * 9000, "\n\n".join([words(30)] * 80), " " * 9000):
        parsed = document(text)
        assert_exact(parsed, chunk_document(parsed, Watched(), budget_tokens=40))
    assert max(lengths) <= 2000


def test_headings_hold_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_module, "PIECE_CHARS", 1000)
    monkeypatch.setattr(chunk_module, "PIECE_TAIL_CHARS", 300)
    text = "".join(f"# Title {number}\n\n{words(120, f'n{number}w')}.\n\n" for number in range(12))
    for draft in chunks_of(markdown(text)):
        number = draft.text.split("w")[0].rsplit("n", 1)[-1] if "Title" not in draft.text else None
        assert number is None or draft.heading == f"Title {number}"


BLOCKS = st.sampled_from(
    [
        "It rained.",
        "\n",
        "\n\n",
        " ",
        "# A\n",
        "## B > C\n",
        "### \n",
        "一二三四五六七八九十。",
        "- item\n",
        "x" * 120,
        "e\u0301",
        "👩\u200d🔬",
        "\u200b",
        "a,b; c",
        words(30),
        "\f",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(BLOCKS | st.text(max_size=20), max_size=40).map("".join), st.integers(1, 60))
def test_any_text_is_covered_exactly_once(text: str, budget: int) -> None:
    text = text.replace("\r", "").replace("\0", "")
    chunks_of(markdown_anywhere(text), budget)


def markdown_anywhere(text: str) -> ParsedDocument:
    headings, position = [], 0
    for line in text.split("\n"):
        if line.startswith("#"):
            headings.append(Heading(1 + len(line) % 4, line.strip("# "), position))
        position += len(line) + 1
    return document(text, tuple(headings))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["Rain fell.", "一二三。", "\n\n", "# Head\n", words(50), "a, b"]), max_size=30))
def test_no_chunk_exceeds_the_budget(parts: list[str]) -> None:
    text = " ".join(parts)
    for draft in chunks_of(markdown_anywhere(text)):
        assert len(COUNTER.token_starts(draft.embedded_text)) <= 40
