"""The evidence beside an answer: file, page, heading, score, and the quote in its context."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from edgerag.cli.render import shown_path
from edgerag.datatypes import HEADING_SEPARATOR
from edgerag_tui import safe
from edgerag_tui.columns import middle
from edgerag_tui.evidence import EvidenceItem
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import MarkedList

QUOTE_STYLE = "bold underline"
NAME_CELLS = 48
"""Of a file name; a longer one is shortened in its middle."""


class EvidenceList(MarkedList):
    """Enter opens the entry in the document view, so does its number."""

    @dataclass
    class Opened(Message):
        """Someone wants to see an entry in its document."""

        item: EvidenceItem

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.items: list[EvidenceItem] = []

    def show(self, items: list[EvidenceItem], *, searching: bool = False) -> None:
        """Replace the list; the same items leave it as it is, and with it the place of the cursor."""
        self.border_subtitle = Content(tr("evidence.count", number=len(items))) if items else None
        if items == self.items and items:
            return
        self.items = items
        self.clear_options()
        if not items:
            text = tr("evidence.searching") if searching else tr("evidence.none")
            self.add_option(Option(Content.styled(text, "$muted"), disabled=True))
            return
        self.add_options(Option(Content.assemble(item_content(item), "\n")) for item in items)

    def numbered(self, number: int) -> EvidenceItem | None:
        return next((item for item in self.items if item.number == number), None)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self.items):
            self.post_message(self.Opened(self.items[event.option_index]))


def item_content(item: EvidenceItem) -> Content:
    """`[1] handbook.md · p. 3 · 0.82`, the heading, and the quote underlined in its context."""
    number = f"[{item.number}]" if item.number is not None else " · "
    name = middle(_file_name(item), NAME_CELLS).stylize("bold")
    head = [Content.styled(number, "$accent bold"), Content(" "), name]
    if item.page is not None:
        head.append(Content(" · " + tr("evidence.page", number=item.page)))
    if item.score is not None:
        head.append(Content.styled(f" · {item.score:.2f}", "$muted"))
    lines = [Content.assemble(*head)]
    if item.heading:
        # The innermost, as in Search: a whole path may be longer than the passage.
        lines.append(safe.content_line(item.heading.rsplit(HEADING_SEPARATOR, 1)[-1], "italic $muted"))
    spans = [item.quote] if item.quote is not None else []
    lines.append(safe.highlighted_line(item.context, spans, QUOTE_STYLE))
    return Content("\n").join(lines)


def _file_name(item: EvidenceItem) -> str:
    return shown_path(item.document.path).replace("\\", "/").rsplit("/", 1)[-1]
