"""Hits as rows of equal height, so that a new order moves nothing but the hits themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from edgerag.cli.render import shown_path, snippet
from edgerag.datatypes import HEADING_SEPARATOR
from edgerag_tui import safe
from edgerag_tui.evidence import readable_text
from edgerag_tui.screens.search_rows import ResultRow
from edgerag_tui.strings import tr
from edgerag_tui.term_marks import term_spans

MARK_STYLE = "bold underline"
ROOMY = 24
"""Rows of the list from which a hit gets a second line of text."""
SCORE_CELLS = 5


class ResultList(OptionList):
    """Enter opens a hit. Nothing is under the cursor until someone goes there."""

    @dataclass
    class Opened(Message):
        row: ResultRow

    @dataclass
    class Looked(Message):
        """The cursor is on another hit, or on none."""

        row: ResultRow | None

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.rows: list[ResultRow] = []
        self._query = ""
        self._terms: tuple[str, ...] = ()
        self._empty = Content("")
        self._looks: tuple[int, int] = (0, 0)

    @property
    def row(self) -> ResultRow | None:
        """The one under the cursor."""
        place = self.highlighted
        return self.rows[place] if place is not None and place < len(self.rows) else None

    def show(self, rows: list[ResultRow], query: str, terms: Sequence[str], empty: Content) -> None:
        """Replace the rows where they stand: neither the cursor nor what is scrolled to moves.

        Args:
            query: The text around its words is shown.
            terms: Words that are marked.
            empty: Said where there are no rows.
        """
        self.rows, self._query, self._terms, self._empty = rows, query, tuple(terms), empty
        self._draw()

    def clear_cursor(self) -> None:
        self.highlighted = None
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        if self._looks != self._shape():
            self._draw()

    def _shape(self) -> tuple[int, int]:
        return self.scrollable_content_region.width, 2 if self.size.height >= ROOMY else 1

    def _draw(self) -> None:
        self._looks = self._shape()
        prompts = [self._prompt(place) for place in range(len(self.rows))]
        if not prompts:
            self.clear_options()
            self.add_option(Option(self._empty, disabled=True))
            return
        if self.option_count and self.options[0].disabled:
            self.clear_options()
        for place, prompt in enumerate(prompts[: self.option_count]):
            self.replace_option_prompt_at_index(place, prompt)
        while self.option_count > len(prompts):
            self.remove_option_at_index(self.option_count - 1)
        self.add_options(Option(prompt) for prompt in prompts[self.option_count :])

    def _prompt(self, place: int) -> Content:
        width, num_lines = self._looks
        return row_content(
            self.rows[place], self._query, self._terms, width, num_lines, is_here=place == self.highlighted
        )

    def watch_highlighted(self, highlighted: int | None) -> None:
        super().watch_highlighted(highlighted)
        # The sign goes along with the cursor: its colour is not all that tells where it is.
        for place in range(min(len(self.rows), self.option_count)):
            was_here = str(self.options[place].prompt).startswith("›")
            if was_here != (place == highlighted):
                self.replace_option_prompt_at_index(place, self._prompt(place))
        self.post_message(self.Looked(self.row))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self.rows):
            self.post_message(self.Opened(self.rows[event.option_index]))


def row_content(
    row: ResultRow, query: str, terms: Sequence[str], width: int, num_lines: int, *, is_here: bool = False
) -> Content:
    """`›  1 handbook.md · p. 3  0.82`, then exactly `num_lines` lines of the text around the words."""
    chunk = row.passage.chunk
    rank = str(row.rank) if row.rank is not None else "–"
    name = shown_path(row.passage.document.path).replace("\\", "/").rsplit("/", 1)[-1]
    parts = [Content.assemble(("›" if is_here else " ", "bold"), (f"{rank:>2} ", "$accent bold"))]
    parts.append(safe.content_line(name, "bold"))
    if chunk.page is not None:
        parts.append(Content(" · " + tr("evidence.page", number=chunk.page)))
    if chunk.heading:
        innermost = chunk.heading.rsplit(HEADING_SEPARATOR, 1)[-1]
        parts += [Content.styled(" · ", "$muted"), safe.content_line(innermost, "italic $muted")]
    room = max(1, width - SCORE_CELLS)
    head = Content.assemble(*parts).truncate(room, ellipsis=True, pad=True)
    lines = [Content.assemble(head, (f"{row.passage.scores.final:>{SCORE_CELLS}.2f}", "$muted"))]
    inside = max(1, width - 4)
    text = snippet(readable_text(chunk, row.passage.document), query, length=max(20, inside * num_lines))
    wrapped = safe.highlighted(text, term_spans(text, terms), MARK_STYLE).wrap(inside)
    is_cut = len(wrapped) > num_lines
    wrapped = [line.truncate(inside) for line in wrapped[:num_lines]]
    if is_cut and not wrapped[-1].plain.endswith("…"):
        wrapped[-1] = _cut(wrapped[-1], inside - 2)
    wrapped += [Content("")] * (num_lines - len(wrapped))
    return Content("\n").join([*lines, *(Content.assemble("    ", line) for line in wrapped)])


def _cut(line: Content, width: int) -> Content:
    """At most `width` cells of a line, to the end of a word where one is near, and the sign that more follows."""
    kept = line.truncate(width)
    space = kept.plain.rfind(" ")
    if len(kept) < len(line) and line.plain[len(kept)] != " " and space > len(kept) // 2:
        kept = kept[:space]
    return Content.assemble(kept.rstrip(), " …")
