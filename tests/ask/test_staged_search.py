"""A search stage by stage: each adds to the one before, the last is the plain search, and a filter is exact."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgerag.ask.retrieve import Retriever
from edgerag.config import Settings
from edgerag.datatypes import DocumentFilter, SearchResult, SearchStage
from edgerag.errors import LibraryError, ModelError
from edgerag.storage.vector_index import VectorIndex
from tests.ask.small_library import SmallLibrary

EXAMPLES = Path(__file__).parents[2] / "examples"
QUERIES = (
    "What does a night cost for members?",
    "observatory",
    "Who looks after the rain gauge in winter",
    "观测员每天几点读取雨量计?",
    "hut-rules",
    "boat boat harbour otter",
    "zzyzx",
)
NOTES = {
    "harbour.md": "# Harbour\n\nThe harbour of Varn was dredged in 1912.\n",
    "dredging.md": "# Dredging\n\nDredging, dredging, dredging: the mud of every harbour.\n",
    "market.txt": "The fish market of Varn opens at dawn, beside the harbour.\n",
    "portugal.txt": "Portugal exports cork and wine.\n",
    "port.txt": "The port closes at night. A port has cranes.\n",
    "数据.txt": "数据库的增量索引重建成本很高。\n",
}


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLibrary]:
    yield SmallLibrary(tmp_path_factory.mktemp("notes"), NOTES)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLibrary]:
    texts = {
        path.relative_to(EXAMPLES).as_posix().replace("/", "-"): path.read_text(encoding="utf-8")
        for path in sorted(EXAMPLES.rglob("*"))
        if path.suffix in (".md", ".txt", ".html", ".csv")
    }
    yield SmallLibrary(tmp_path_factory.mktemp("examples"), texts)


def names(result: SearchResult) -> list[str]:
    return [Path(passage.document.path).name for passage in result.passages]


def staged(retriever: Retriever, query: str, **options: Any) -> dict[str, SearchResult]:
    return {stage.name: stage.result for stage in retriever.stages(query, **options)}


def timeless(result: SearchResult) -> SearchResult:
    return replace(result, timings_ms={}, notes=result.notes | {"embed_cached": None})


@pytest.mark.parametrize("corpus", ["notes", "examples"])
@pytest.mark.parametrize("mode", ["hybrid", "lexical", "vector"])
@pytest.mark.parametrize("rerank", [True, False], ids=["reranked", "not reranked"])
def test_the_last_stage_is_the_plain_search(
    corpus: str, mode: Any, rerank: bool, request: pytest.FixtureRequest
) -> None:
    retriever = request.getfixturevalue(corpus).retriever(Settings(candidates=10, rerank_top=5))
    for query in QUERIES:
        for top_k in (1, 4, 30):
            stages = list(retriever.stages(query, mode=mode, rerank=rerank, top_k=top_k))
            plain = retriever.retrieve(query, mode=mode, rerank=rerank, top_k=top_k)
            assert timeless(stages[-1].result) == timeless(plain)
            assert set(plain.timings_ms) == set(stages[-1].result.timings_ms)


def test_stages_are_the_searches_in_the_order_of_their_cost(notes: SmallLibrary) -> None:
    retriever = notes.retriever()
    found = staged(retriever, "dawn harbour", top_k=3)
    assert list(found) == ["lexical", "vector", "rerank"]
    for name, options in (
        ("lexical", {"mode": "lexical", "rerank": False}),
        ("vector", {"rerank": False}),
        ("rerank", {}),
    ):
        assert found[name].passages == retriever.retrieve("dawn harbour", top_k=3, **options).passages, name
    totals = [found[name].timings_ms["total"] for name in found]
    assert 0 < totals[0] < totals[1] < totals[2]


def test_each_stage_does_its_work_once(notes: SmallLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int] = []
    real = notes.library.load_chunks
    monkeypatch.setattr(notes.library, "load_chunks", lambda ids: loaded.extend(ids) or real(ids))
    assert notes.reranker is not None
    notes.reranker.calls.clear()
    notes.embedder.queries.clear()
    staged(notes.retriever(), "harbour", top_k=2)
    assert notes.embedder.queries == ["harbour"]
    assert len(notes.reranker.calls) == 1
    assert sorted(loaded) == sorted(set(loaded)) and len(loaded) == len(NOTES)


def test_plain_search_makes_no_passages_of_the_stages_before_the_last(
    notes: SmallLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    real = notes.library.load_chunks
    monkeypatch.setattr(notes.library, "load_chunks", lambda ids: loads.append(len(ids)) or real(ids))
    notes.retriever().retrieve("harbour", top_k=1)
    assert loads == [len(NOTES)]


def test_a_stopped_search_does_not_go_on(notes: SmallLibrary) -> None:
    stop = threading.Event()
    notes.embedder.queries.clear()
    seen = []
    for stage in notes.retriever().stages("harbour", stop=stop):
        seen.append(stage.name)
        stop.set()
    assert seen == ["lexical"]
    assert notes.embedder.queries == []


def test_stop_is_seen_between_embedding_and_comparing(notes: SmallLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    real = notes.embedder.encode_query

    def embedded(text: str) -> Any:
        stop.set()
        return real(text)

    monkeypatch.setattr(notes.embedder, "encode_query", embedded)
    monkeypatch.setattr(notes.index, "search", lambda *_: pytest.fail("this search was stopped"))
    assert [stage.name for stage in notes.retriever().stages("harbour", stop=stop)] == ["lexical"]


def test_words_are_shown_though_the_embedder_fails_and_the_failure_is_named(tmp_path: Path) -> None:
    library = SmallLibrary(tmp_path, NOTES)

    class Broken:
        vectors, index, reranker = library.vectors, library.index, library.reranker

        @property
        def embedder(self) -> Any:
            raise ModelError("The model is damaged.")

    retriever = Retriever(library.library, settings=Settings(reranker="other"), models=Broken())  # type: ignore[arg-type]
    found = staged(retriever, "harbour")
    assert found["lexical"].degraded == ()
    assert found["vector"].degraded == ("vector: The model is damaged.",)
    assert len(found["rerank"].passages) == 3
    stages = retriever.stages("harbour", mode="vector")
    with pytest.raises(ModelError):
        next(stages)


# --- while a word is typed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dredgin", {"dredging.md", "harbour.md"}),
        ("har", {"harbour.md", "dredging.md", "market.txt"}),
        ("fish mar", {"market.txt"}),
        ("数", {"数据.txt"}),
        ("增量索", {"数据.txt"}),
        ("VARN dAw", {"market.txt", "harbour.md"}),
    ],
    ids=["cut inside an ending", "beginning", "second word", "one character", "bigrams", "capitals"],
)
def test_an_unfinished_word_finds_what_begins_with_it(notes: SmallLibrary, query: str, expected: set[str]) -> None:
    found = staged(notes.retriever(), query, mode="lexical", rerank=False, is_typing=True)
    assert set(names(found["lexical"])) == expected


def test_without_typing_a_word_is_a_word(notes: SmallLibrary) -> None:
    assert names(notes.retriever().retrieve("har", mode="lexical", rerank=False)) == []


def test_a_word_that_is_finished_stands_for_itself(notes: SmallLibrary) -> None:
    retriever = notes.retriever()
    options = {"mode": "lexical", "rerank": False, "is_typing": True}
    assert set(names(staged(retriever, "port", **options)["lexical"])) == {"port.txt", "portugal.txt"}
    assert set(names(staged(retriever, "po ", **options)["lexical"])) == set()
    assert set(names(staged(retriever, "port.", **options)["lexical"])) == {"port.txt"}
    assert staged(retriever, "harbour.", **options)["lexical"].notes["terms"] == ["harbour"]


def test_the_word_itself_comes_before_longer_ones(notes: SmallLibrary) -> None:
    found = staged(notes.retriever(), "port", mode="lexical", rerank=False, is_typing=True)
    assert names(found["lexical"])[0] == "port.txt"


def test_typing_ends_in_the_plain_search_where_the_last_word_is_known(notes: SmallLibrary) -> None:
    retriever = notes.retriever()
    for query in ("port", "harbour dredging", "fish market."):
        typed = list(retriever.stages(query, is_typing=True))[-1].result
        assert timeless(typed) == timeless(retriever.retrieve(query))


def test_what_an_unknown_last_word_found_stays_when_the_vectors_come(notes: SmallLibrary) -> None:
    typed = staged(notes.retriever(), "portug", is_typing=True)
    assert names(typed["lexical"]) == ["portugal.txt"]
    assert names(typed["rerank"])[0] == "portugal.txt"
    assert typed["rerank"].passages[0].scores.lexical is not None


def test_nothing_in_a_typed_query_is_an_operator(notes: SmallLibrary) -> None:
    for query in ("har*", '"har', "har AND", "har OR (", "NEAR(har", "text:har", "-har", "^har", "*", "har\x00"):
        list(notes.retriever().stages(query, mode="lexical", is_typing=True))


# --- a filter -------------------------------------------------------------------------------------


def brute_force(notes: SmallLibrary, kept: set[str], tmp_path: Path, query: str) -> list[str]:
    """The vector ranking of a library that has only these documents."""
    alone = SmallLibrary(tmp_path, {name: text for name, text in NOTES.items() if name in kept})
    return names(alone.retriever().retrieve(query, mode="vector", rerank=False))


def test_a_filter_is_as_if_the_other_documents_were_not_there(notes: SmallLibrary, tmp_path: Path) -> None:
    kept = {"port.txt", "portugal.txt", "market.txt", "数据.txt"}
    within = DocumentFilter(formats=("text",))
    retriever = notes.retriever(Settings(candidates=2))
    for number, query in enumerate(("harbour of Varn", "the port at night", "dredging")):
        (tmp_path / str(number)).mkdir()
        expected = brute_force(notes, kept, tmp_path / str(number), query)
        found = retriever.retrieve(query, mode="vector", rerank=False, within=within, top_k=4)
        assert names(found) == expected
        assert found.notes["documents"] == 4


def test_words_under_a_filter_weigh_what_they_weigh_without(notes: SmallLibrary) -> None:
    retriever = notes.retriever(Settings(candidates=1))
    options: dict[str, Any] = {"mode": "lexical", "rerank": False}
    everything = retriever.retrieve("dredging the harbour", top_k=10, **options)
    # Only the best would be a candidate; under the filter it is the best of those that the filter leaves.
    (only,) = retriever.retrieve(
        "dredging the harbour", top_k=1, within=DocumentFilter(paths=("market.txt",)), **options
    ).passages
    assert Path(only.document.path).name == "market.txt"
    (same,) = [passage for passage in everything.passages if passage.document == only.document]
    assert only.scores.lexical == same.scores.lexical


def test_common_words_are_searched_where_the_telling_ones_stand_outside_the_filter(tmp_path: Path) -> None:
    texts = {f"{number:03}.txt": f"Common words of note {number}.\n" for number in range(250)}
    library = SmallLibrary(tmp_path, texts | {"rare.txt": "A rare heron.\n"})
    options: dict[str, Any] = {"mode": "lexical", "rerank": False}
    retriever = library.retriever()
    assert names(retriever.retrieve("common heron", **options)) == ["rare.txt"]
    found = retriever.retrieve("common heron", within=DocumentFilter(paths=("00?.txt",)), **options)
    assert sorted(names(found)) == [f"{number:03}.txt" for number in range(10)]
    assert (found.notes["terms"], found.notes["dropped_terms"]) == (["common"], ["heron"])


def test_filtered_stages_end_in_the_filtered_search(notes: SmallLibrary) -> None:
    retriever = notes.retriever()
    within = DocumentFilter(formats=("markdown",))
    stages: list[SearchStage] = list(retriever.stages("harbour at dawn", within=within))
    assert timeless(stages[-1].result) == timeless(retriever.retrieve("harbour at dawn", within=within))
    for stage in stages:
        assert set(names(stage.result)) <= {"harbour.md", "dredging.md"}, stage.name


def test_a_filter_that_means_nothing_is_an_error_and_one_that_leaves_nothing_is_not(notes: SmallLibrary) -> None:
    retriever = notes.retriever()
    with pytest.raises(LibraryError, match="no document in nowhere"):
        retriever.retrieve("harbour", within=DocumentFilter(paths=("nowhere",)))
    with pytest.raises(LibraryError, match="no documents of the format pdf"):
        retriever.retrieve("harbour", within=DocumentFilter(formats=("pdf",)))
    within = DocumentFilter(paths=("harbour.md",), formats=("text",))
    assert retriever.retrieve("harbour", within=within).passages == ()


def test_a_filter_over_a_large_library_is_exact_without_its_snapshot(tmp_path: Path) -> None:
    library = SmallLibrary(tmp_path, NOTES)
    library.index = VectorIndex(
        tmp_path / "index",
        library.vectors,
        dim=64,
        fingerprint=library.embedder.fingerprint,
        exact_scan_limit=4,
        ef=64,
    )
    assert library.index.build_snapshot(stop=threading.Event()).is_built
    found = library.retriever().retrieve(
        "harbour", mode="vector", rerank=False, within=DocumentFilter(formats=("text",))
    )
    assert found.notes["vector_method"] == "exact"
    assert set(names(found)) == {"port.txt", "portugal.txt", "market.txt", "数据.txt"}
    assert library.retriever().retrieve("harbour", mode="vector", rerank=False).notes["vector_method"] == "hnsw"
