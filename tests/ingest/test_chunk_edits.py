"""Editing one paragraph of a long document changes few chunks: what is embedded again after an edit."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from edgerag.datatypes import Heading, ParsedDocument
from edgerag.ingest.chunk import chunk_document
from tests.fakes import FakeEmbedder

BUDGET = 192
COUNTER = FakeEmbedder()
LONG_CHARS = 500_000
SHORT_CHARS = 60_000

Paragraphs = list[str]


def vocabulary(rng: random.Random) -> list[str]:
    letters = "etaoinshrdlcumwfgypbvk"
    return ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(3000)]


def sentence(rng: random.Random, known: list[str], low: int = 6, high: int = 32) -> str:
    return " ".join(rng.choices(known, k=rng.randint(low, high))).capitalize() + "."


def english(rng: random.Random, num_chars: int, low: int, high: int) -> Paragraphs:
    known = vocabulary(rng)
    paragraphs: Paragraphs = []
    while num_chars > 0:
        paragraphs.append(" ".join(sentence(rng, known) for _ in range(rng.randint(low, high))))
        num_chars -= len(paragraphs[-1])
    return paragraphs


def prose(rng: random.Random, num_chars: int) -> Paragraphs:
    return english(rng, num_chars, 2, 9)


def single_sentences(rng: random.Random, num_chars: int) -> Paragraphs:
    return english(rng, num_chars, 1, 1)


def scraps(rng: random.Random, num_chars: int) -> Paragraphs:
    known = vocabulary(rng)
    paragraphs: Paragraphs = []
    while num_chars > 0:
        paragraphs.append(" ".join(rng.choices(known, k=rng.randint(1, 8))))
        num_chars -= len(paragraphs[-1])
    return paragraphs


def chinese(rng: random.Random, num_chars: int) -> Paragraphs:
    characters = [chr(rng.randint(0x4E00, 0x9000)) for _ in range(2000)]
    paragraphs: Paragraphs = []
    while num_chars > 0:
        sentences = ["".join(rng.choices(characters, k=rng.randint(8, 50))) + "。" for _ in range(rng.randint(1, 7))]
        paragraphs.append("".join(sentences))
        num_chars -= len(paragraphs[-1])
    return paragraphs


def blank_lines(paragraphs: Paragraphs) -> ParsedDocument:
    return ParsedDocument("\n\n".join(paragraphs), "t", "plain")


def lines(paragraphs: Paragraphs) -> ParsedDocument:
    return ParsedDocument("\n".join(paragraphs), "t", "plain")


def one_paragraph(paragraphs: Paragraphs) -> ParsedDocument:
    return ParsedDocument(" ".join(paragraphs), "t", "plain")


def with_headings(paragraphs: Paragraphs) -> ParsedDocument:
    """A heading of three levels in turn above each paragraph that was marked with one."""
    headings: list[Heading] = []
    parts: list[str] = []
    position = 0
    for paragraph in paragraphs:
        part = paragraph
        if "\0" in paragraph:
            title, body = paragraph.split("\0")
            headings.append(Heading(1 + len(title) % 3, title, position))
            part = f"{title}\n\n{body}"
        parts.append(part)
        position += len(part) + 2
    return ParsedDocument("\n\n".join(parts), "t", "plain", (), tuple(headings))


def marked(rng: random.Random, num_chars: int) -> Paragraphs:
    return [
        f"Section {number} on {paragraph[:12]}\0{paragraph}" if number % 5 == 0 else paragraph
        for number, paragraph in enumerate(prose(rng, num_chars))
    ]


KINDS: list[tuple[str, Callable[[random.Random, int], Paragraphs], Callable[[Paragraphs], ParsedDocument]]] = [
    ("no headings", prose, blank_lines),
    ("headings", marked, with_headings),
    ("chinese", chinese, blank_lines),
    ("very short paragraphs", scraps, blank_lines),
    ("one sentence a line", single_sentences, lines),
    ("a single paragraph", single_sentences, one_paragraph),
]


def embedded(parsed: ParsedDocument) -> set[str]:
    return {draft.embedded_text for draft in chunk_document(parsed, COUNTER, budget_tokens=BUDGET)}


def edited(paragraphs: Paragraphs, kind: str, rng: random.Random, fresh: str) -> Paragraphs:
    place = rng.randrange(len(paragraphs))
    before, paragraph, after = paragraphs[:place], paragraphs[place], paragraphs[place + 1 :]
    title, _, body = paragraph.rpartition("\0")
    lead = f"{title}\0" if title else ""
    if kind == "change":
        cut = rng.randrange(len(body))
        return [*before, f"{lead}{body[:cut]} changed {body[cut:]}", *after]
    if kind == "rewrite":
        return [*before, f"{lead}{fresh}", *after]
    if kind == "insert":
        return [*before, paragraph, fresh, *after]
    return [*before, *([f"{lead}."] if lead else []), *after]


@pytest.mark.parametrize(("name", "write", "assemble"), KINDS, ids=[kind[0] for kind in KINDS])
def test_an_edit_of_a_long_document_changes_three_chunks_at_most(
    name: str, write: Callable[[random.Random, int], Paragraphs], assemble: Callable[[Paragraphs], ParsedDocument]
) -> None:
    rng = random.Random(name)
    paragraphs = write(rng, LONG_CHARS)
    old = embedded(assemble(paragraphs))
    for kind in ("change", "insert", "delete"):
        fresh = rng.choice(write(rng, 1000)).rpartition("\0")[2]
        new = embedded(assemble(edited(paragraphs, kind, rng, fresh)))
        assert len(new - old) <= 3, kind
    assert len(old) > 500


@pytest.mark.parametrize(("name", "write", "assemble"), KINDS, ids=[kind[0] for kind in KINDS])
def test_edits_anywhere_stay_local(
    name: str, write: Callable[[random.Random, int], Paragraphs], assemble: Callable[[Paragraphs], ParsedDocument]
) -> None:
    """The rule is local with high probability, not by construction: see the docstring of `merge_atoms`."""
    rng = random.Random(f"{name} anywhere")
    paragraphs = write(rng, SHORT_CHARS)
    drafts = chunk_document(assemble(paragraphs), COUNTER, budget_tokens=BUDGET)
    old = {draft.embedded_text for draft in drafts}
    changed: Counter[int] = Counter()
    for turn in range(24):
        kind = ("change", "rewrite", "insert", "delete")[turn % 4]
        fresh = rng.choice(write(rng, 1000)).rpartition("\0")[2]
        changed[len(embedded(assemble(edited(paragraphs, kind, rng, fresh))) - old)] += 1
    assert max(changed) <= 4
    assert sum(count for number, count in changed.items() if number > 3) <= 1
    assert sum(number * count for number, count in changed.items()) / 24 <= 2
    fill = sum(len(COUNTER.token_starts(draft.embedded_text)) for draft in drafts) / len(drafts) / BUDGET
    assert fill >= 0.6
