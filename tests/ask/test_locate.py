"""The quotes of saved answers are found again though their documents were edited, renamed or removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.answers import Citation
from edgerag.ask.locate import locate
from tests.ask.small_library import SmallLibrary

TEXT = "The hut is locked at night. Mira Solberg holds the spare key."
QUOTE = "Mira Solberg holds the spare key."


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLibrary]:
    small = SmallLibrary(tmp_path, {"hut.txt": TEXT})
    yield small
    small.library.close()


@pytest.fixture
def citation(small: SmallLibrary) -> Citation:
    start = TEXT.index(QUOTE)
    return Citation(1, small.library.find_document("hut.txt"), None, start, start + len(QUOTE), QUOTE)


def test_where_it_was(small: SmallLibrary, citation: Citation) -> None:
    place = locate(small.library, citation)
    assert (place.state, place.start_chars, place.end_chars) == ("exact", 28, 61)


def test_moved_to_the_nearest_of_several_places(small: SmallLibrary, citation: Citation) -> None:
    (small.documents / "hut.txt").write_text(f"{QUOTE} " + "Some more text. " * 9 + f"{TEXT} The end. {QUOTE}")
    small.sync()
    place = locate(small.library, citation)
    assert place.document is not None
    text = small.library.document_text(place.document.id).text
    assert place.state == "moved"
    assert text[place.start_chars : place.end_chars] == QUOTE
    assert place.start_chars == 0


def test_changed(small: SmallLibrary, citation: Citation) -> None:
    (small.documents / "hut.txt").write_text("Short.")
    small.sync()
    place = locate(small.library, citation)
    assert (place.state, place.start_chars, place.end_chars) == ("changed", 6, 6)


def test_renamed(small: SmallLibrary, citation: Citation) -> None:
    (small.documents / "hut.txt").rename(small.documents / "cabin.txt")
    small.sync()
    place = locate(small.library, citation)
    assert place.state == "exact"
    assert place.document is not None
    assert Path(place.document.path).name == "cabin.txt"


def test_removed_and_read_again_under_another_id(small: SmallLibrary, citation: Citation) -> None:
    with small.library.writing() as writer:
        writer.remove_source(1)
    assert locate(small.library, citation).state == "gone"
    assert locate(small.library, citation).document is None
    small.sync()
    place = locate(small.library, citation)
    assert place.state == "exact"
    assert place.document is not None
    assert place.document.id != citation.document.id
