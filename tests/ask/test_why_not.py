"""A document that is not in the answer fell out at one stage, which is named with its rank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerag.ask.why_not import WhyNot, explain_absence, find_missing
from edgerag.config import Settings
from edgerag.datatypes import Document, Sampling
from edgerag.errors import LibraryError
from edgerag.storage.vector_index import VectorIndex
from tests.ask.small_library import SmallLibrary
from tests.fakes import FakeGenerator
from tests.storage.answers import answer

TEXTS = {
    "heron.txt": "The grey heron stands in shallow water and waits for fish. It is a patient bird.",
    "otter.txt": "The otter swims at night and eats crayfish and fish.",
    "stork.txt": "The heron and the stork wait in shallow water too.",
    "pond.txt": "The grey pond is shallow; a heron may wait there.",
    "bridge.txt": "The bridge over the river was rebuilt from oak in 1911.",
    "mill.txt": "Zinc wheels grind barley quickly.",
}
QUESTION = "What does the grey heron wait for in shallow water?"
EASY = Settings(min_evidence=0.0)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLibrary]:
    small = SmallLibrary(tmp_path, TEXTS)
    yield small
    small.library.close()


def why_not(small: SmallLibrary, name: str, *, settings: Settings = EASY, top_k: int = 10, **options: Any) -> WhyNot:
    document = find_missing(small.library, name)
    assert isinstance(document, Document)
    query = small.embedder.encode_query(QUESTION).embedding
    index: VectorIndex = small.index
    return explain_absence(
        QUESTION,
        QUESTION,
        document,
        small.retriever(settings).trace(QUESTION, top_k=top_k),
        top_k=top_k,
        library=small.library,
        vector_ranks=lambda chunk_ids: index.ranks(query, chunk_ids),
        embedder=small.embedder,
        reranker=small.reranker,
        generator=options.pop("generator", None),
        settings=settings,
        sampling=Sampling(),
        **options,
    )


def stages(outcome: WhyNot) -> list[str]:
    return [stage.stage if stage.passed else f"not {stage.stage}" for stage in outcome.stages]


def test_document_of_the_answer_came_through_all(small: SmallLibrary) -> None:
    outcome = why_not(small, "heron.txt")
    assert outcome.fell_out_at is None
    assert stages(outcome) == [
        "library", "freshness", "lexical", "vector", "fuse", "rerank", "top_k", "evidence", "prompt",
    ]  # fmt: skip
    assert outcome.chunk is not None
    assert outcome.chunk.text.startswith("The grey heron stands")
    assert [stage.rank for stage in outcome.stages[2:8]] == [1, 1, 1, 1, 1, 1]


def test_neither_words_nor_meaning(small: SmallLibrary) -> None:
    outcome = why_not(small, "mill.txt", settings=Settings(min_evidence=0.0, candidates=2), top_k=2)
    assert stages(outcome) == ["library", "freshness", "not lexical", "not vector"]
    assert outcome.stages[2].text.startswith("It holds none of the words ")
    assert outcome.stages[3].rank == 6
    assert outcome.stages[3].limit == 2
    assert outcome.fell_out_at == "vector"
    assert "candidates" in outcome.hint


def test_beyond_the_passages_that_are_taken(small: SmallLibrary) -> None:
    outcome = why_not(small, "bridge.txt", top_k=2)
    assert outcome.fell_out_at == "top_k"
    assert "2 passages are taken" in outcome.reason


def test_reranked_away(small: SmallLibrary) -> None:
    assert small.reranker is not None
    worst = "patient bird"
    small.reranker.score = lambda question, candidates: [  # type: ignore[method-assign,assignment]
        0.0 if worst in candidate.text else 5.0 + place for place, candidate in enumerate(candidates)
    ]
    outcome = why_not(small, "heron.txt", settings=Settings(min_evidence=0.0, rerank_weight=0.9), top_k=2)
    assert outcome.fell_out_at == "rerank"
    assert outcome.reason == "Number 6 after the reranker, 1 before it."


def test_changed_and_deleted_files(small: SmallLibrary) -> None:
    (small.documents / "heron.txt").write_text("The grey heron has gone elsewhere.")
    (small.documents / "stork.txt").unlink()
    changed, deleted = why_not(small, "heron.txt"), why_not(small, "stork.txt")
    assert (changed.fell_out_at, deleted.fell_out_at) == ("freshness", "freshness")
    assert "changed" in changed.reason
    assert "deleted" in deleted.reason


def test_beyond_the_passages_whose_sentences_are_read(small: SmallLibrary) -> None:
    outcome = why_not(small, "otter.txt")
    assert outcome.fell_out_at == "evidence"
    assert "the first 3 only" in outcome.reason


def test_no_room_in_the_prompt(small: SmallLibrary) -> None:
    outcome = why_not(
        small, "stork.txt", settings=Settings(min_evidence=0.0, evidence_tokens=20), generator=FakeGenerator()
    )
    told = {stage.stage: stage for stage in outcome.stages}
    assert outcome.fell_out_at == "prompt", stages(outcome)
    assert "20 tokens" in outcome.reason
    assert told["evidence"].passed


def test_evidence_too_weak_for_any_answer(small: SmallLibrary) -> None:
    outcome = why_not(small, "heron.txt", settings=Settings(min_evidence=1.0))
    assert outcome.fell_out_at == "prompt"
    assert outcome.reason.startswith("Nothing is answered: the evidence scores")


def test_in_the_prompt_but_not_cited(small: SmallLibrary) -> None:
    outcome = why_not(small, "heron.txt", citations=answer().citations)
    assert outcome.fell_out_at == "cited"
    cited = answer(document=small.library.find_document("heron.txt")).citations
    assert why_not(small, "heron.txt", citations=cited).reason == "The answer cites it: [1]."


def test_files_that_the_library_does_not_have(small: SmallLibrary, tmp_path: Path) -> None:
    (small.documents / "empty.txt").write_bytes(b"")
    small.sync()
    (small.documents / "new.txt").write_text("Not read yet.")
    (tmp_path / "elsewhere.txt").write_text("In no source.")
    reasons = {}
    for name in ("empty.txt", str(small.documents / "new.txt"), str(tmp_path / "elsewhere.txt"), "nowhere.txt"):
        outcome = find_missing(small.library, name)
        assert isinstance(outcome, WhyNot)
        assert outcome.fell_out_at == "library"
        reasons[Path(name).name] = outcome.reason
    assert reasons["empty.txt"].startswith("It could not be read: ")
    assert reasons["new.txt"].startswith("It lies in a source but was not read")
    assert reasons["elsewhere.txt"] == "It belongs to no source of this library."
    assert reasons["nowhere.txt"] == "The library does not know it, and there is no such file."


def test_several_documents_of_one_name_are_an_error(small: SmallLibrary) -> None:
    (small.documents / "more").mkdir()
    (small.documents / "more" / "heron.txt").write_text("Another heron.")
    small.sync()
    with pytest.raises(LibraryError, match="2 documents"):
        find_missing(small.library, "heron.txt")
