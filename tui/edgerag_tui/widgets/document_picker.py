"""A list of all documents with a filter: for opening one, and wherever one must be named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from edgerag_tui import safe
from edgerag_tui.columns import middle
from edgerag_tui.shown_paths import short_path
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList

if TYPE_CHECKING:
    from edgerag.datatypes import Document

NAME_CELLS = 60
"""Most of a path; a longer one is shortened in its middle."""
MOST_SHOWN = 500
"""More would only be scrolled past; the filter finds the others."""


class DocumentPicker(Vertical):
    """Typing filters by path and title, Enter takes the first or the one the cursor is on."""

    DEFAULT_CSS = """
    DocumentPicker OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    """

    @dataclass
    class Chosen(Message):
        document: Document

    @dataclass
    class Named(Message):
        """Enter, though no document fits: what was typed may be a file that the library does not hold."""

        text: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._all: list[Document] = []
        self._shown: list[Document] = []

    def compose(self) -> ComposeResult:
        yield Input(placeholder=tr("picker.filter"))
        options = MarkedList()
        options.border_title = Content(tr("picker.title"))
        yield options

    def focus_filter(self) -> None:
        self.query_one(Input).focus()

    def show(self, documents: list[Document]) -> None:
        """Replace the documents."""
        self._all = documents
        self._filter()

    def _filter(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        fitting = [document for document in self._all if _fits(document, words)]
        self._shown = fitting[:MOST_SHOWN]
        options = self.query_one(OptionList)
        options.clear_options()
        width = min(NAME_CELLS, max(20, (options.size.width or NAME_CELLS) - 5))
        options.add_options(Option(document_content(document, width)) for document in self._shown)
        if self._shown:
            options.highlighted = 0
        else:
            key = "picker.none" if self._all else "picker.empty"
            options.add_option(Option(Content.styled(tr(key), "$muted"), disabled=True))
        count = tr("picker.count", shown=len(self._shown), total=len(self._all))
        options.border_subtitle = Content(count)

    def on_resize(self) -> None:
        self.call_after_refresh(self._filter)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._filter()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        place = self.query_one(OptionList).highlighted
        if place is not None and place < len(self._shown):
            self.post_message(self.Chosen(self._shown[place]))
        elif event.value.strip():
            self.post_message(self.Named(event.value.strip()))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._shown):
            self.post_message(self.Chosen(self._shown[event.option_index]))


def document_content(document: Document, width: int = NAME_CELLS) -> Content:
    """Path, in at most so many cells, and the title where it says something else."""
    path = short_path(document.path)
    name = middle(path, width)
    title = safe.line(document.title)
    tail = Content.styled(f"  {title}", "$muted") if title and title not in path else Content("")
    return Content.assemble(name, tail)


def _fits(document: Document, words: list[str]) -> bool:
    text = f"{document.path} {document.title}".casefold()
    return all(word in text for word in words)
