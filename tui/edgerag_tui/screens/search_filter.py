"""A window to choose which documents a search may show."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from edgerag.cli.render import shown_path
from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.screens.search_request import SearchFilter
from edgerag_tui.strings import tr


class SearchFilterScreen(ModalScreen["SearchFilter | None"]):
    """Gives the filter that was chosen; None when it is closed without a choice."""

    DEFAULT_CSS = """
    SearchFilterScreen { align: center middle; background: $background 60%; }
    SearchFilterScreen .panel { width: 80%; max-width: 70; height: auto; max-height: 80%; }
    SearchFilterScreen OptionList { height: auto; max-height: 100%; padding: 0; background: $surface; }
    SearchFilterScreen OptionList, SearchFilterScreen OptionList:focus { border: none; }
    SearchFilterScreen OptionList:focus > .option-list--option-highlighted {
        background: $primary 25%;
        color: $foreground;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("escape", "dismiss", "search_filter.close")]

    def __init__(self, filters: list[SearchFilter], chosen: SearchFilter) -> None:
        super().__init__()
        self._filters = filters
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(tr("search.filter_title"))
            panel.border_subtitle = Content(tr("prompt.keys"))
            options = OptionList(*(Option(self._line(filter)) for filter in self._filters), markup=False)
            yield options

    def on_mount(self) -> None:
        same = [
            (filter.format, filter.source) == (self._chosen.format, self._chosen.source) for filter in self._filters
        ]
        self.query_one(OptionList).highlighted = same.index(True) if True in same else 0

    def _line(self, filter: SearchFilter) -> Content:
        is_chosen = (filter.format, filter.source) == (self._chosen.format, self._chosen.source)
        mark = "● " if is_chosen else "○ "
        number = Content.styled(f"  {filter.num_documents}", "$muted")
        return Content.assemble(mark, filter_name(filter), number)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._filters[event.option_index])


def filter_name(filter: SearchFilter) -> Content:
    """In the words of the interface."""
    if filter.format:
        return safe.content_line(tr("search.filter_format", name=filter.format))
    if filter.source:
        return safe.content_line(tr("search.filter_source", path=shown_path(filter.source)))
    return Content(tr("search.filter_all"))
