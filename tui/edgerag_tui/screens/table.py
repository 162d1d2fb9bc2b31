"""What Models and Settings have in common: rows in groups above, what is known of the chosen one below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from edgerag_tui import messages, safe
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.tasks import Task
from edgerag_tui.widgets.marked_list import CURSOR, MarkedList

NARROWEST = 36
"""Cells of a row on the narrowest of terminals; further out it is cut off."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


Row = TypeVar("Row", bound=Named)


class TableScreen(SectionScreen, Generic[Row]):
    """Subclasses say how a row looks (`row_line`, `details_of`, `head`) and where rows come from (`list_rows`)."""

    CSS_PATH = "../styles/table.tcss"
    FOCUS = "#rows"
    AUTO_FOCUS = "#rows"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self.shown: list[Row | None] = []
        """For each option the row it shows; None for a heading."""
        self._listing: int | None = None

    def compose_body(self) -> ComposeResult:
        with Vertical(id="table"):
            yield from self.compose_filter()
            yield Static(id="head")
            yield MarkedList(id="rows", gutter=1)
        with VerticalScroll(id="details", can_focus=True):
            yield Static(id="detail")

    def compose_filter(self) -> ComposeResult:
        """What stands above the rows; nothing by default."""
        yield from ()

    # --- what a subclass says ---------------------------------------------------------------------

    def list_rows(self) -> Task:
        """Fetch the rows in the background."""
        raise NotImplementedError

    def show_rows(self) -> None:
        """Draw the table anew, with `fill`."""
        raise NotImplementedError

    def head(self, width: int) -> Content:
        """The names of the columns."""
        raise NotImplementedError

    def row_line(self, row: Row, width: int) -> Content:
        raise NotImplementedError

    def details_of(self, row: Row, width: int) -> Content:
        raise NotImplementedError

    # --- the rows ---------------------------------------------------------------------------------

    def on_screen_resume(self) -> None:
        self.reload()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_rows)

    def reload(self) -> None:
        """Fetch the rows anew, in the background."""
        self._listing = self.list_rows().id

    def take_rows(self, message: messages.ModelsListed | messages.SettingsListed, rows: list[Row]) -> bool:
        """Show what was fetched; False where newer rows are under way."""
        if message.task_id != self._listing:
            return False
        self.rows = rows
        self.show_rows()
        return True

    @property
    def row(self) -> Row | None:
        """The one under the cursor."""
        place = self.query_one("#rows", OptionList).highlighted
        return self.shown[place] if place is not None and place < len(self.shown) else None

    @property
    def row_width(self) -> int:
        """Cells that a line has."""
        return max(NARROWEST, self.query_one("#rows").scrollable_content_region.width - len(CURSOR))

    def fill(self, rows: Iterable[tuple[str, Row]], *, problem: Content | None = None, empty: str = "") -> None:
        """Put rows on the screen, each with the name of its group; the cursor stays on its row.

        Args:
            problem: Stands above all rows.
            empty: Said where there is no row.
        """
        options = self.query_one("#rows", OptionList)
        chosen = self.row.name if self.row is not None else None
        width = self.row_width
        self.query_one("#head", Static).update(self.head(width))
        entries: list[tuple[Content, Row | None]] = [] if problem is None else [(problem, None)]
        group, at = None, None
        for place, row in rows:
            if place != group:
                group = place
                entries.append((Content.styled(group, "$primary bold"), None))
            if row.name == chosen or at is None:
                at = len(entries)
            entries.append((self.row_line(row, width), row))
        if at is None and empty:
            entries.append((Content.styled(empty, "$muted"), None))
        self.shown = [row for _, row in entries]
        scroll = options.scroll_offset
        with self.app.batch_update():
            options.clear_options()
            options.add_options(Option(line, disabled=row is None) for line, row in entries)
            options.highlighted = at
            options.scroll_to(y=scroll.y, animate=False)
        self.show_details()

    def show_row(self, name: str) -> None:
        """Draw one row anew."""
        for place, row in enumerate(self.shown):
            if row is not None and row.name == name:
                line = self.row_line(row, self.row_width)
                self.query_one("#rows", OptionList).replace_option_prompt_at_index(place, line)
        if self.row is not None and self.row.name == name:
            self.show_details()

    def show_details(self) -> None:
        """Say what is known of the row under the cursor."""
        box, row = self.query_one("#details"), self.row
        box.border_title = safe.content_line(row.name) if row is not None else None
        text = self.details_of(row, max(30, box.size.width - 5)) if row is not None else Content("")
        self.query_one("#detail", Static).update(text)
        self.refresh_bindings()

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.show_details()
