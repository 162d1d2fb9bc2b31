"""Jump mode: a key appears on everything that can have the focus, and pressing it goes there."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from edgerag_tui.keymap import bind
from edgerag_tui.screens.base import SectionScreen
from edgerag_tui.widgets.top_bar import SectionTab

LETTERS = "asdfghjklqwertyuiopzxcvbnm"


def targets_of(screen: SectionScreen) -> dict[str, Widget]:
    """Where one can go by key: the digit of its F key for a section, letters for what takes the focus and is seen."""
    targets: dict[str, Widget] = {tab.digit: tab for tab in screen.query(SectionTab)}
    visible = [widget for widget in screen.focus_chain if widget.region]
    return targets | dict(zip(LETTERS, visible, strict=False))


class JumpScreen(ModalScreen["Widget | None"]):
    """Shows the keys; any other one closes it."""

    # Reversed, not a background: so every cell of a label looks the same, also where there are no colours.
    DEFAULT_CSS = """
    JumpScreen { background: $background 40%; align: left top; layers: labels; }
    JumpScreen Static {
        position: absolute; layer: labels; width: auto; height: 1;
        color: $accent; background: $background; text-style: bold reverse;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [bind("escape", "dismiss", "jump.close")]

    def __init__(self, targets: dict[str, Widget]) -> None:
        super().__init__()
        self._targets = targets

    def compose(self) -> ComposeResult:
        for key, widget in self._targets.items():
            # On a tab the digit itself lights up, so that nothing of the name is covered.
            label = Static(Content(key if isinstance(widget, SectionTab) else f" {key} "))
            label.styles.offset = place_of(widget)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(self._targets.get(event.character or ""))


def place_of(widget: Widget) -> tuple[int, int]:
    """Where the label goes: a tab's digit, otherwise the upper left corner."""
    return (widget.digit_x if isinstance(widget, SectionTab) else widget.region.x), widget.region.y
