"""A window to choose which documents a search may show."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.screens.search_request import SearchFilter
from edgerag_tui.shown_paths import short_path
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList


class SearchFilterScreen(ModalScreen["SearchFilter | None"]):
    """Gives the filter that was chosen; None when it is closed without a choice."""

    DEFAULT_CSS = """
    SearchFilterScreen { align: center middle; background: $background 60%; }
    SearchFilterScreen .panel { width: 80%; max-width: 70; height: auto; max-height: 80%; }
    SearchFilterScreen OptionList { height: auto; max-height: 1fr; padding: 0; background: $surface; }
    SearchFilterScreen OptionList, SearchFilterScreen OptionList:focus { border: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("escape", "dismiss", "search_filter.close"),
        bind("slash", "type", "search_filter.type", show=False),
    ]

    def __init__(self, filters: list[SearchFilter], chosen: SearchFilter) -> None:
        super().__init__()
        self._filters = filters
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(tr("search.filter_title"))
            panel.border_subtitle = Content(tr("prompt.keys"))
            yield MarkedList(*(Option(self._line(filter)) for filter in self._filters))
            yield Input(safe.plain(self._chosen.path), placeholder=tr("search.filter_path_hint"), id="filter-path")

    def on_mount(self) -> None:
        same = [self._is_chosen(filter) for filter in self._filters]
        self.query_one(OptionList).highlighted = same.index(True) if True in same else 0

    def _is_chosen(self, filter: SearchFilter) -> bool:
        return replace(filter, num_documents=0) == replace(self._chosen, num_documents=0)

    def _line(self, filter: SearchFilter) -> Content:
        mark = "● " if self._is_chosen(filter) else "○ "
        number = Content.styled(f"  {filter.num_documents}", "$muted")
        return Content.assemble(mark, filter_name(filter), number)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._filters[event.option_index])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        path = safe.plain(event.value).strip()
        self.dismiss(SearchFilter(path=path) if path else self._filters[0])

    def action_type(self) -> None:
        self.query_one(Input).focus()


def filter_name(filter: SearchFilter) -> Content:
    """In the words of the interface."""
    if filter.format:
        return safe.content_line(tr("search.filter_format", name=filter.format))
    if filter.source or filter.path:
        return safe.content_line(tr("search.filter_source", path=filter.path or short_path(filter.source)))
    return Content(tr("search.filter_all"))
