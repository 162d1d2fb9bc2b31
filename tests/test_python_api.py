"""The few names that programs use: `edgerag.open_library` and the methods of what it returns."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import edgerag
from edgerag.config import Settings
from edgerag.datatypes import DocumentFilter, IngestProgress, IngestSummary
from edgerag.errors import DocumentError, LibraryError, ModelError
from edgerag.inference.embedder import OnnxEmbedder

pytestmark = pytest.mark.models

LEASE = "The lease begins on 1 March 2024. It ends on 28 February 2027. The rent is 840 euros a month.\n"


@pytest.fixture
def documents(tmp_path: Path, bundled_embedder: OnnxEmbedder) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "lease.txt").write_text(LEASE)
    (folder / "garden.md").write_text("# Garden\n\nThe apple trees are pruned in February.\n")
    return folder


def test_the_example_of_the_readme_holds(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        summary = library.add([documents])
        assert (summary.added, summary.failed) == (2, ())
        (passage,) = library.search("monthly rent", top_k=1).passages
        assert Path(passage.document.path).name == "lease.txt"
        answer = library.ask("When does the lease end?")
        assert "28 February 2027" in answer.text
        assert answer.citations
        for citation in answer.citations:
            stored = library.text(citation.document)
            assert stored.text[citation.start_chars : citation.end_chars] == citation.quote


def test_events_end_with_the_summary(documents: Path, tmp_path: Path) -> None:
    events: list[object] = []
    with edgerag.open_library(tmp_path / "library") as library:
        summary = library.add([documents], on_event=events.append)
    assert events[-1] is summary
    assert isinstance(summary, IngestSummary)
    assert any(isinstance(event, IngestProgress) for event in events)


def test_library_opened_again_knows_everything(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
    with edgerag.open_library(tmp_path / "library") as library:
        assert library.sync().unchanged == 2
        assert library.search("apple trees").passages[0].chunk.heading == "Garden"


def test_missing_path_adds_nothing_at_all(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        with pytest.raises(DocumentError, match="does not exist"):
            library.add([documents, tmp_path / "missing"])
        assert library.library.sources() == []


def test_part_of_a_source_cannot_be_removed_and_the_hint_says_how_to_leave_it_out(
    documents: Path, tmp_path: Path
) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
        with pytest.raises(LibraryError, match="is part of the source") as caught:
            library.remove(documents / "lease.txt")
        assert ".edgeragignore" in caught.value.hint
        assert library.remove(documents) == 2
        assert library.library.counts()["embeddings"] == 0


def test_one_model_serves_many_threads(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
    with edgerag.open_library(tmp_path / "library") as library:
        barrier = threading.Barrier(6)

        def search(_: int) -> tuple[int, str]:
            barrier.wait()
            passages = library.search("pruning the apple trees").passages
            return id(library.models.embedder), passages[0].chunk.text

        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(search, range(6)))
    assert len(set(found)) == 1
    assert "apple trees" in found[0][1]


def test_search_goes_on_while_another_thread_adds(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
        more = tmp_path / "more"
        more.mkdir()
        for number in range(40):
            (more / f"{number}.txt").write_text(f"Entry {number} of the station's log: wind from the north.\n" * 5)
        failures: list[BaseException] = []

        def add() -> None:
            try:
                library.add([more])
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        thread = threading.Thread(target=add)
        thread.start()
        while thread.is_alive():
            assert library.search("apple trees").passages[0].chunk.heading == "Garden"
        thread.join()
        assert failures == []
        assert library.library.counts()["documents"] == 42


def test_unknown_models_are_named(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
        with pytest.raises(ModelError, match="no-such"):
            library.ask("When?", model="no-such")
    with edgerag.open_library(tmp_path / "library", settings=Settings(reranker="no-such")) as library:
        result = library.search("apple trees")
        assert result.passages
        assert result.degraded[0].startswith("rerank:")
    with edgerag.open_library(tmp_path / "library", settings=Settings(embedder="no-such")) as library:
        result = library.search("apple trees")
        assert result.passages
        assert result.degraded[0].startswith("vector:")


def test_closed_library_says_so(tmp_path: Path) -> None:
    library = edgerag.open_library(tmp_path / "library")
    library.close()
    with pytest.raises(LibraryError, match="closed"):
        library.search("anything")


def test_generator_that_cannot_be_loaded_leaves_the_extractive_answer_and_says_so(
    documents: Path, tmp_path: Path
) -> None:
    with edgerag.open_library(tmp_path / "library", settings=Settings(generator="no-such")) as library:
        library.add([documents])
        answer = library.ask("When does the lease end?")
    assert "28 February 2027" in answer.text
    assert answer.model is None
    assert answer.degraded[0].startswith("generate: No model called no-such is installed.")


def test_search_in_stages_and_in_some_documents(documents: Path, tmp_path: Path) -> None:
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([documents])
        stages = list(library.search_stages("when are trees pruned"))
        assert [stage.name for stage in stages] == ["lexical", "vector", "rerank"]
        assert stages[-1].result.passages == library.search("when are trees pruned").passages
        typed = next(library.search_stages("monthly ren", is_typing=True)).result
        assert Path(typed.passages[0].document.path).name == "lease.txt"
        within = DocumentFilter(paths=("garden.md",))
        assert {passage.document.path for passage in library.search("monthly rent", within=within).passages} == {
            str(documents / "garden.md")
        }
        answer = library.ask("When does the lease end?", within=within)
        assert {passage.document.path for passage in answer.passages} == {str(documents / "garden.md")}
        assert "2027" not in answer.text
        assert {hit.passage.document.path for hit in library.explain("monthly rent", within=within).hits} == {
            str(documents / "garden.md")
        }


@pytest.mark.models
def test_quotes_of_slides_that_share_a_chunk_carry_each_its_own_slide(
    tmp_path: Path, bundled_embedder: OnnxEmbedder
) -> None:
    pptx = pytest.importorskip("pptx", reason="python-pptx is not installed: run `make test`")
    deck = pptx.Presentation()
    for title, text in (
        ("Opening hours", "The museum opens at nine in the morning."),
        ("Tickets", "A ticket costs eleven euros for adults."),
    ):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    deck.save(tmp_path / "museum.pptx")
    with edgerag.open_library(tmp_path / "library") as library:
        library.add([tmp_path / "museum.pptx"])
        answer = library.ask("When does the museum open, and what does a ticket cost?", extractive=True)
    assert {passage.chunk.page for passage in answer.passages} == {1}
    assert {citation.quote: citation.page for citation in answer.citations} == {
        "A ticket costs eleven euros for adults.": 2,
        "The museum opens at nine in the morning.": 1,
    }
