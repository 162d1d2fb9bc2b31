"""A document's parsed text: only the rows that can be seen are drawn, so a book scrolls like a letter."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import work
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.content import Content, Span
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.worker import get_current_worker

from edgerag_tui.keymap import bind
from edgerag_tui.layout import TAB_CELLS, Rows, lay_out

if TYPE_CHECKING:
    from edgerag_tui.messages import DocumentView

GUTTER = 6
"""Cells at the left: page numbers, chunk numbers, and a bar beside what is cited."""
LAY_OUT_AT_ONCE_CHARS = 200_000
"""Up to here laying out takes less than a frame; longer texts are laid out in a thread."""
MOST_MATCHES = 10_000
REVERSED = ("border", "current")
"""Marks that show also where there are no colours."""


@dataclass(frozen=True, slots=True)
class _Stop:
    """The worker's cancellation as a stop flag."""

    worker: object

    def is_set(self) -> bool:
        return bool(getattr(self.worker, "is_cancelled", False))


class TextView(ScrollView, can_focus=True):
    """Offsets everywhere are code points of the parsed text, as citations count."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "text-view--gutter",
        "text-view--cited",
        "text-view--match",
        "text-view--current",
        "text-view--heading",
        "text-view--border",
    }
    DEFAULT_CSS = """
    TextView { background: $background; color: $foreground; }
    TextView > .text-view--gutter { color: $muted; }
    TextView > .text-view--cited { background: $accent 30%; text-style: bold underline; }
    TextView > .text-view--match { background: $primary 25%; text-style: underline; }
    TextView > .text-view--current { color: $primary; background: $background; text-style: bold; }
    TextView > .text-view--heading { text-style: bold; color: $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("home,g", "scroll_home", "text.top", show=False),
        bind("end,G", "scroll_end", "text.bottom", show=False),
        bind("space", "page_down", "text.page_down", show=False),
        bind("j", "scroll_down", "text.down", show=False),
        bind("k", "scroll_up", "text.up", show=False),
    ]

    @dataclass
    class Moved(Message):
        """Another part of the text is at the top."""

        offset: int

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text = ""
        self.rows: Rows | None = None
        self.matches: list[tuple[int, int]] = []
        self.current_match = -1
        self.shows_chunks = False
        self._view: DocumentView | None = None
        self._headings: list[tuple[int, int]] = []
        self._pages: dict[int, int] = {}
        self._chunk_starts: list[int] = []
        self._strips: LRUCache[tuple[int, int], Strip] = LRUCache(512)
        self._look = 0
        self._shown = (0, 0)
        """Row at the top and offset, when `show_offset` was last called."""
        self._wanted: int | None = None
        """An offset to show as soon as the text is laid out."""

    # --- what is shown ----------------------------------------------------------------------------

    def load(self, view: DocumentView) -> None:
        """Show a document at the place the view names."""
        self._view = view
        self.text = view.text
        self._headings = [
            (heading.start_chars, _end_of_line(self.text, heading.start_chars)) for heading in view.stored.headings
        ]
        self._chunk_starts = [start for start, _ in view.chunks]
        self.matches, self.current_match = [], -1
        self.rows = None
        self._wanted = view.start_chars
        self._lay_out()

    def on_resize(self) -> None:
        if self.text and (self.rows is None or self.rows.width != self._text_width()):
            self._wanted = self.here() if self._wanted is None else self._wanted
            self._lay_out()

    def _text_width(self) -> int:
        return max(2, self.scrollable_content_region.width - GUTTER)

    def _lay_out(self) -> None:
        if not self.size:
            return  # laid out on the first resize
        if len(self.text) <= LAY_OUT_AT_ONCE_CHARS:
            self._take(self.text, lay_out(self.text, self._text_width()))
        else:
            self._lay_out_in_thread(self.text, self._text_width())

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _lay_out_in_thread(self, text: str, width: int) -> None:
        rows = lay_out(text, width, _Stop(get_current_worker()))
        self.app.call_from_thread(self._take, text, rows)

    def _take(self, text: str, rows: Rows | None) -> None:
        if rows is None or text is not self.text:
            return
        self.rows = rows
        pages = self._view.stored.pages if self._view is not None else ()
        self._pages = {rows.row_of(page.start_chars): page.number for page in reversed(pages)}
        self.virtual_size = Size(rows.width + GUTTER, len(rows))
        self._redraw()
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._shown = (round(self.scroll_offset.y), wanted)
            # Once the new height is known: before, there is nowhere to scroll to.
            self.call_after_refresh(self.show_offset, wanted)

    def _redraw(self) -> None:
        self._look += 1
        self.refresh()

    # --- moving -----------------------------------------------------------------------------------

    def top_offset(self) -> int:
        """Offset of the first row that can be seen."""
        if self.rows is None or not len(self.rows):
            return 0
        return self.rows.starts[min(round(self.scroll_offset.y), len(self.rows) - 1)]

    def here(self) -> int:
        """The offset that was shown last, or the top one when someone has scrolled since."""
        place, offset = self._shown
        return offset if place == round(self.scroll_offset.y) else self.top_offset()

    def show_offset(self, offset: int) -> None:
        """Scroll so that an offset stands in the upper third."""
        if self.rows is None:
            self._wanted = offset
            return
        row = self.rows.row_of(offset)
        self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, immediate=True)
        self._shown = (round(self.scroll_offset.y), offset)
        self.post_message(self.Moved(offset))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Moved(self.top_offset()))

    # --- finding ----------------------------------------------------------------------------------

    def find(self, words: str) -> int:
        """Mark every occurrence, whatever the case of its letters; returns their number, at most `MOST_MATCHES`."""
        self.matches, self.current_match = [], -1
        if words:
            for match in re.finditer(re.escape(words), self.text, re.IGNORECASE):
                self.matches.append(match.span())
                if len(self.matches) == MOST_MATCHES:
                    break
        self._redraw()
        return len(self.matches)

    def go_to_match(self, step: int) -> None:
        """Show the next (1) or previous (-1) occurrence; the first time, the nearest one from here on."""
        if not self.matches:
            return
        if self.current_match < 0:
            self.current_match = bisect_left(self.matches, (self.top_offset(), 0)) % len(self.matches)
        else:
            self.current_match = (self.current_match + step) % len(self.matches)
        self.show_offset(self.matches[self.current_match][0])
        self._redraw()

    def toggle_chunks(self) -> None:
        """Show or hide where the text was cut into chunks."""
        self.shows_chunks = not self.shows_chunks
        self._redraw()

    # --- drawing ----------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        row = round(self.scroll_offset.y) + y
        width = self.size.width
        if self.rows is None or row >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        key = (row, self._look)
        strip = self._strips.get(key)
        if strip is None or strip.cell_length != width:
            strip = self._draw(row, self.rows).adjust_cell_length(width, self.rich_style)
            self._strips[key] = strip
        return strip

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._redraw()

    def _draw(self, row: int, rows: Rows) -> Strip:
        start, end = rows.span(row)
        text = self.text[start:end].rstrip("\n ")
        spans = [
            Span(max(0, first - start), min(last - start, len(text)), self._style_of(style))
            for first, last, style in self._marks(start, end)
            if first < start + len(text)
        ]
        base = self.visual_style
        gutter = Content.styled(self._gutter(row, start, end), self.get_visual_style("text-view--gutter"))
        shown = Content(text, spans)
        if "\t" in text:  # of a fixed width: `expand_tabs` would count from the gutter
            shown = Content(" " * TAB_CELLS).join(shown.split("\t", allow_blank=True))
        line = Content.assemble(gutter, shown)
        return Strip([Segment(*segment) for segment in line.render_segments(base)])

    def _style_of(self, mark: str) -> Style:
        style = self.get_visual_style(f"text-view--{mark}")
        # Not in the style sheet: `get_visual_style` of textual 8.2 leaves `reverse` out.
        return style + Style(reverse=True) if mark in REVERSED else style

    def _marks(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """Ranges that touch a row, with what they are; later ones are drawn over earlier ones."""
        marks = [(first, last, "heading") for first, last in _touching(self._headings, start, end)]
        if self.shows_chunks:
            first = bisect_left(self._chunk_starts, start)
            last = bisect_left(self._chunk_starts, end)
            marks += [(chunk, chunk + 1, "border") for chunk in self._chunk_starts[first:last]]
        view = self._view
        if view is not None and view.start_chars < end and start < view.end_chars:
            marks.append((view.start_chars, view.end_chars, "cited"))
        marks += [(first, last, "match") for first, last in _touching(self.matches, start, end)]
        if self.current_match >= 0:
            first, last = self.matches[self.current_match]
            if first < end and start < last:
                marks.append((first, last, "current"))
        return marks

    def _gutter(self, row: int, start: int, end: int) -> str:
        label = f"p{self._pages[row]}" if row in self._pages else ""
        if self.shows_chunks:
            place = bisect_left(self._chunk_starts, start)
            if place < len(self._chunk_starts) and self._chunk_starts[place] < end:
                label = f"#{place + 1}"
        view = self._view
        is_cited = view is not None and view.start_chars < end and start < view.end_chars
        return f"{label:>{GUTTER - 2}}{'▌' if is_cited else ' '} "


def _touching(ranges: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    """Those of sorted, disjoint ranges that overlap `start` to `end`."""
    first = max(0, bisect_right(ranges, (start, 0)) - 1)
    last = bisect_left(ranges, (end, 0))
    return [found for found in ranges[first:last] if found[1] > start]


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
