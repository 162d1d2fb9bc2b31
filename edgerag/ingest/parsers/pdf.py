"""PDF: page text as paragraphs, with page spans, and headings where the bookmarks say."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parsers.builder import Source, TextBuilder
from edgerag.ingest.parsers.pdf_furniture import drop_furniture
from edgerag.ingest.parsers.pdf_lines import Line, Piece, continues_across_pages, join_lines, known_words
from edgerag.ingest.parsers.refusals import protected

_DAMAGED_HINT = coded("hint.save_pdf", "Open it in a PDF viewer and save it again.")
_NUMBER_PREFIX = re.compile(
    r"^(?:(?:chapter|section|appendix|part)\s+)?(?:[A-Z]?[\d.]+|[A-Z]\.|[IVXLC]+\.)\s+", re.IGNORECASE
)
_WHITE_OR_HYPHEN = re.compile(r"[\s\u00ad\u2010-]+")
_MAX_HEADING_LINES = 3


def parse(source: Source) -> ParsedDocument:
    import pypdfium2  # deferred: 0.1 s

    try:
        document = pypdfium2.PdfDocument(source.data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise protected() from error
        problem = str(error).rpartition("PDFium: ")[2].rstrip(").")  # `Failed to load document (PDFium: <this>).`
        raise DocumentError(
            coded("file.no_pdf", "is no readable PDF ({problem})", problem=problem), hint=_DAMAGED_HINT
        ) from error
    builder = TextBuilder(source)
    try:
        pages = _read_pages(document, builder, source.max_text_chars)
        outline = _read_outline(document)
        title = str(document.get_metadata_value("Title") or "").strip()
    finally:
        document.close()
    drop_furniture(pages)
    words = known_words(line.text for lines in pages for line in lines)
    last: Piece | None = None
    for number, lines in enumerate(pages, start=1):
        pieces = _page_pieces(lines, outline.get(number - 1, []), words)
        builder.start_page(number)
        if last is not None and pieces and continues_across_pages(last, pieces[0]):
            builder.continue_line()
        for piece in pieces:
            if piece.heading_level:
                builder.heading(piece.heading_level, piece.text)
            else:
                builder.line(piece.text, end=piece.separator)
        builder.gap()
        last = pieces[-1] if pieces else last
    if builder.is_empty:
        raise DocumentError(
            coded("file.scanned", "holds no text (scanned?)"),
            hint=coded("hint.ocr", "Run it through text recognition (OCR) first."),
        )
    return builder.build("pdf", "" if _is_useless_title(title) else title)


def _read_pages(document: Any, builder: TextBuilder, max_text_chars: int) -> list[list[Line]]:
    import pypdfium2

    pages: list[list[Line]] = []
    without_text: list[int] = []
    damaged: list[int] = []
    length_chars = 0
    for index in range(len(document)):
        try:
            page = document[index]
        except pypdfium2.PdfiumError:
            damaged.append(index + 1)
            pages.append([])
            continue
        try:
            lines = _read_lines(page)
            if not lines and _has_images(page):
                without_text.append(index + 1)
        except pypdfium2.PdfiumError:
            damaged.append(index + 1)
            lines = []
        finally:
            page.close()
        pages.append(lines)
        length_chars += sum(len(line.text) for line in lines)
        if length_chars > max_text_chars:
            break  # the builder refuses the text; no need to read on
    if without_text and length_chars:
        builder.warn(f"{_name_pages(without_text)} no text, only pictures")
    if damaged:
        builder.warn(f"{_name_pages(damaged)} no text that could be read: damaged")
    return pages


def _read_lines(page: Any) -> list[Line]:
    """The lines of a page in the order of its content stream, with their boxes where they can be told."""
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_range()
        # Offsets in the text are character indexes only when nothing was dropped and nothing is a surrogate
        # pair.
        has_boxes = len(text) == text_page.count_chars()
        lines: list[Line] = []
        start = 0
        for raw in text.split("\n"):
            end = start + len(raw)
            stripped = raw.strip()
            if stripped:
                first = start + len(raw) - len(raw.lstrip())
                last = first + len(stripped) - 1
                lines.append(_line_with_box(text_page, stripped, first, last) if has_boxes else Line(stripped))
            start = end + 1
        return lines
    finally:
        text_page.close()


def _line_with_box(text_page: Any, text: str, first: int, last: int) -> Line:
    boxes = [text_page.get_charbox(index, loose=True) for index in (first, (first + last) // 2, last)]
    heights = [top - bottom for _, bottom, _, top in boxes]
    typical = sorted(range(3), key=heights.__getitem__)[1]  # neither a footnote mark nor a large bullet
    left, right = boxes[0][0], boxes[2][2]
    if heights[typical] <= 0 or right <= left:
        return Line(text)
    return Line(text, left, boxes[typical][1], right, boxes[typical][3])


def _has_images(page: Any) -> bool:
    import pypdfium2

    return next(iter(page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)), None) is not None


def _read_outline(document: Any) -> dict[int, list[tuple[int, str]]]:
    """Bookmarks as (level, title) by page index; a damaged outline gives what was read until then."""
    import pypdfium2

    outline: dict[int, list[tuple[int, str]]] = defaultdict(list)
    try:
        for bookmark in document.get_toc(max_depth=10):
            destination = bookmark.get_dest()
            index = destination.get_index() if destination else None
            title = " ".join((bookmark.get_title() or "").split())
            if index is not None and title:
                outline[index].append((bookmark.level + 1, title))
    except pypdfium2.PdfiumError:
        pass  # a damaged outline costs the headings behind it, never the text
    return outline


def _page_pieces(lines: list[Line], bookmarks: list[tuple[int, str]], words: frozenset[str]) -> list[Piece]:
    """Paragraphs, lines and headings of a page, in order."""
    pieces: list[Piece] = []
    pending: list[Line] = []
    wanted = [(level, _heading_keys(title)) for level, title in bookmarks]
    index = 0
    while index < len(lines):
        found = _match_heading(lines, index, wanted)
        if found is None:
            pending.append(lines[index])
            index += 1
            continue
        position, num_lines = found
        pieces += join_lines(pending, words)
        pending = []
        level, _ = wanted.pop(position)
        text = " ".join(line.text for line in lines[index : index + num_lines])
        pieces.append(Piece(text, "\n\n", heading_level=level))
        index += num_lines
    return [*pieces, *join_lines(pending, words)]


def _match_heading(lines: list[Line], index: int, wanted: list[tuple[int, set[str]]]) -> tuple[int, int] | None:
    """Which bookmark the lines from `index` on spell out, and in how many lines."""
    if not wanted:
        return None
    text = ""
    for num_lines, line in enumerate(lines[index : index + _MAX_HEADING_LINES], start=1):
        text = f"{text} {line.text}"
        keys = _heading_keys(text.strip())
        for position, (_, titles) in enumerate(wanted):
            if keys & titles:
                return position, num_lines
    return None


def _heading_keys(title: str) -> set[str]:
    """A title with and without its number, for comparing regardless of case and spacing."""
    keys = {_WHITE_OR_HYPHEN.sub("", form).casefold() for form in (title, _NUMBER_PREFIX.sub("", title))}
    return keys - {""}


def _is_useless_title(title: str) -> bool:
    """What word processors put there when nobody set a title."""
    lowered = title.lower()
    return lowered in {"", "untitled", "(anonymous)", "title"} or lowered.startswith("microsoft word - ")


def _name_pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (" ..." if len(numbers) > 10 else "")
    return f"page {shown} holds" if len(numbers) == 1 else f"pages {shown} hold"
