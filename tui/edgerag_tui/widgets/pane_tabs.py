"""A line of panes with the number that opens each; the open one stands in brackets."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static


class PaneTabs(Static):
    """Draws only; whoever holds the panes switches them."""

    DEFAULT_CSS = """
    PaneTabs { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    @dataclass
    class Chosen(Message):
        """Someone clicked on a pane's name."""

        place: int

    def __init__(self, names: list[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._names = names

    def show(self, here: int) -> None:
        """Mark the open pane."""
        parts = []
        for place, name in enumerate(self._names):
            number = (str(place + 1), "$muted")
            if place == here:
                tab = Content.assemble("[", number, f" {name}]").stylize("bold")
            else:
                tab = Content.assemble(" ", number, f" {name} ")
            parts.append(tab.stylize(Style.from_meta({"pane": place})))
        self.update(Content("").join(parts))

    def on_click(self, event: events.Click) -> None:
        if (place := event.style.meta.get("pane")) is not None:
            event.stop()
            self.post_message(self.Chosen(int(place)))
