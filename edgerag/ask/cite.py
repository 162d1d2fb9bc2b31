"""Citations: exact quotes with their place in the parsed document, numbered in order of appearance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgerag.answers import Citation
from edgerag.coded_text import coded
from edgerag.datatypes import PageSpan, Passage
from edgerag.errors import LibraryError

DAMAGED_HINT = coded("hint.verify_sync", "Run `edgerag verify`, then `edgerag sync`.")


class CitationBook:
    """Hands out markers: the same place always has the same one."""

    def __init__(
        self,
        document_text: Callable[[int], str] | None = None,
        document_pages: Callable[[int], Sequence[PageSpan]] | None = None,
    ) -> None:
        """Start with no citations.

        Args:
            document_text: The parsed text of a document by its id; quotes are then compared with it, and not only
                with the chunk they were taken from.
            document_pages: The pages of a document by its id: a chunk may begin on the page before its quote's.
                Without it, the chunk's page is named.
        """
        self._document_text, self._document_pages = document_text, document_pages
        self._texts: dict[int, str] = {}
        self._by_place: dict[tuple[int, int, int], Citation] = {}

    @property
    def citations(self) -> tuple[Citation, ...]:
        """All so far, in order of their markers."""
        return tuple(self._by_place.values())

    def clear(self) -> None:
        """Forget the citations of an answer that is withdrawn; the markers of the next one begin at 1 again."""
        self._by_place.clear()

    def cite(self, passage: Passage, start_chars: int, end_chars: int) -> Citation:
        """Cite a part of a passage.

        Args:
            start_chars: Offset in the passage's chunk.
            end_chars: The same, exclusive.

        Returns:
            A new citation, or the one that was made for this place before.

        Raises:
            LibraryError: The quote does not stand where the citation would say; it must not be shown.
        """
        chunk, document = passage.chunk, passage.document
        if not 0 <= start_chars < end_chars <= len(chunk.text) or chunk.document_id != document.id:
            raise LibraryError(
                coded("library.no_place", "There is no such place in a passage of {path}.", path=document.path),
                hint=DAMAGED_HINT,
            )
        quote = chunk.text[start_chars:end_chars]
        start, end = chunk.start_chars + start_chars, chunk.start_chars + end_chars
        if chunk.end_chars - chunk.start_chars != len(chunk.text) or not self._stands(document.id, start, end, quote):
            raise LibraryError(
                coded("library.misplaced", "A quote from {path} is not where it should be.", path=document.path),
                hint=DAMAGED_HINT,
            )
        place = (document.id, start, end)
        if place not in self._by_place:
            marker = len(self._by_place) + 1
            self._by_place[place] = Citation(
                marker, document, self._page(passage, start), start, end, quote, chunk.heading
            )
        return self._by_place[place]

    def _page(self, passage: Passage, start_chars: int) -> int | None:
        """Page on which a quote begins; None where the format has no pages."""
        if passage.chunk.page is None or self._document_pages is None:
            return passage.chunk.page
        begun = (page for page in self._document_pages(passage.document.id) if page.start_chars <= start_chars)
        return max((page.number for page in begun), default=passage.chunk.page)

    def _stands(self, document_id: int, start: int, end: int, quote: str) -> bool:
        if self._document_text is None:
            return True
        if document_id not in self._texts:
            self._texts[document_id] = self._document_text(document_id)
        return self._texts[document_id][start:end] == quote
