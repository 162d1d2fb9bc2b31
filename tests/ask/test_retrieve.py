"""Retrieval on a real library with fake models: fallbacks are named, scores are shown, nothing stale is served."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.ask.retrieve import Retriever
from edgerag.config import Settings
from edgerag.errors import ModelError
from edgerag.ingest.pipeline import ingest
from edgerag.storage.library import Library
from edgerag.storage.vector_index import VectorIndex
from edgerag.storage.vectors import LibraryVectors
from tests.fakes import FakeEmbedder, FakeReranker

TEXTS = {
    "heron.txt": "The grey heron stands in shallow water and waits for fish.",
    "otter.txt": "The otter swims at night and eats crayfish and fish.",
    "bridge.txt": "The bridge over the river was rebuilt from oak in 1911.",
    "mill.txt": "The mill grinds barley; its wheel was rebuilt twice.",
}


class Models:
    """What the engine hands to a retriever."""

    def __init__(self, library: Library, folder: Path) -> None:
        self.fake_embedder = FakeEmbedder()
        self.fake_reranker = FakeReranker()
        self.embedder_error: ModelError | None = None
        self.vectors = LibraryVectors(library, fingerprint=self.fake_embedder.fingerprint, dim=64)
        self.index = VectorIndex(
            folder / "index",
            self.vectors,
            dim=64,
            fingerprint=self.fake_embedder.fingerprint,
            exact_scan_limit=1000,
            ef=64,
        )

    @property
    def embedder(self) -> FakeEmbedder:
        if self.embedder_error is not None:
            raise self.embedder_error
        return self.fake_embedder

    @property
    def reranker(self) -> FakeReranker | None:
        return self.fake_reranker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "documents" / name).write_text(text)
    return tmp_path


@pytest.fixture
def library(folder: Path) -> Iterator[Library]:
    with Library.open(folder / "library") as library:
        with library.writing() as writer:
            writer.add_source(folder / "documents")
            events = ingest(
                library,
                writer,
                library.sources(),
                embedder=FakeEmbedder(),
                budget_tokens=64,
                settings=Settings(parse_workers=1),
                stop=threading.Event(),
            )
            list(events)
        yield library


@pytest.fixture
def models(library: Library, folder: Path) -> Models:
    return Models(library, folder)


@pytest.fixture
def retriever(library: Library, models: Models) -> Retriever:
    return Retriever(library, settings=Settings(), models=models)


def names(result) -> list[str]:
    return [Path(passage.document.path).name for passage in result.passages]


def test_each_part_of_the_score_is_shown(retriever: Retriever) -> None:
    result = retriever.retrieve("grey heron water")
    best = result.passages[0]
    assert Path(best.document.path).name == "heron.txt"
    assert best.scores.lexical is not None and best.scores.lexical > 0
    assert best.scores.vector is not None and best.scores.vector > 0.3
    assert (best.scores.fused, best.scores.rerank, best.scores.final) == (1.0, 1.0, 1.0)
    assert result.degraded == ()
    assert {"lexical", "embed", "vector", "fuse", "load", "rerank", "total"} <= set(result.timings_ms)
    assert [passage.rank for passage in result.passages] == [1, 2, 3, 4]


def test_reranker_may_overturn_the_first_stage(retriever: Retriever, models: Models) -> None:
    assert names(retriever.retrieve("bridge rebuilt oak"))[0] == "bridge.txt"
    models.fake_reranker.score = lambda question, candidates: [  # type: ignore[method-assign,assignment]
        10.0 if "mill" in candidate.text else 0.0 for candidate in candidates
    ]
    settings = Settings(rerank_weight=1.0)
    overturned = Retriever(retriever._library, settings=settings, models=models).retrieve("bridge rebuilt oak")
    assert names(overturned)[0] == "mill.txt"


def test_reranker_gets_the_stored_token_codes(retriever: Retriever, models: Models) -> None:
    retriever.retrieve("grey heron")
    ((_, candidates),) = models.fake_reranker.calls
    assert all(candidate.token_codes for candidate in candidates)


def test_missing_embedder_falls_back_to_words_and_says_so(retriever: Retriever, models: Models) -> None:
    models.embedder_error = ModelError("The model is damaged.")
    result = retriever.retrieve("grey heron")
    assert names(result) == ["heron.txt"]
    assert result.degraded == ("vector: The model is damaged.",)
    assert result.passages[0].scores.vector is None


def test_missing_embedder_is_an_error_when_vectors_were_asked_for(retriever: Retriever, models: Models) -> None:
    models.embedder_error = ModelError("The model is damaged.")
    with pytest.raises(ModelError):
        retriever.retrieve("grey heron", mode="vector")


def test_failing_reranker_leaves_the_first_stage_and_says_so(retriever: Retriever, models: Models) -> None:
    models.fake_reranker.error = ModelError("Out of memory.")
    result = retriever.retrieve("grey heron")
    assert names(result)[0] == "heron.txt"
    assert result.degraded == ("rerank: Out of memory.",)
    assert result.passages[0].scores.rerank is None


def test_lexical_search_touches_no_model(retriever: Retriever, models: Models) -> None:
    models.embedder_error = ModelError("must not be read")
    result = retriever.retrieve("oak bridge", mode="lexical", rerank=False)
    assert names(result) == ["bridge.txt"]
    assert result.degraded == ()


def test_deleted_file_makes_room_for_the_next_passage(retriever: Retriever, folder: Path) -> None:
    (folder / "documents" / "heron.txt").unlink()
    result = retriever.retrieve("fish", top_k=1)
    assert names(result) == ["otter.txt"]
    assert len(result.degraded) == 1
    assert "heron.txt was deleted" in result.degraded[0]


def test_touched_file_with_the_same_content_is_served(retriever: Retriever, folder: Path) -> None:
    (folder / "documents" / "heron.txt").touch()
    assert "heron.txt" in names(retriever.retrieve("grey heron"))


def test_same_size_other_content_is_not_served(retriever: Retriever, folder: Path) -> None:
    path = folder / "documents" / "heron.txt"
    path.write_text(TEXTS["heron.txt"].replace("grey", "blue"))
    result = retriever.retrieve("heron")
    assert "heron.txt" not in names(result)
    assert "heron.txt was changed" in result.degraded[0]


def test_chunks_of_another_embedder_are_named(library: Library, models: Models) -> None:
    models.fake_embedder = FakeEmbedder(name="other")
    models.vectors = LibraryVectors(library, fingerprint=models.fake_embedder.fingerprint, dim=64)
    models.index = VectorIndex(
        library.folder / "index",
        models.vectors,
        dim=64,
        fingerprint=models.fake_embedder.fingerprint,
        exact_scan_limit=1000,
        ef=64,
    )
    result = Retriever(library, settings=Settings(), models=models).retrieve("grey heron")
    assert names(result)[0] == "heron.txt"
    assert any("4 of 4 chunks were embedded by another model" in entry for entry in result.degraded)


@pytest.mark.parametrize(("query", "top_k"), [("", 5), ("  \n", 5), ("x", 0)], ids=["empty", "blank", "no passages"])
def test_blank_query_or_no_passages_is_a_programming_mistake(retriever: Retriever, query: str, top_k: int) -> None:
    with pytest.raises(ValueError):
        retriever.retrieve(query, top_k=top_k)
