"""Where questions are typed: several lines if need be, with the questions of before one key away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import TextArea

from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.strings import tr

MOST_HISTORY = 500


class QuestionBox(TextArea):
    """Enter asks, Ctrl+J (and where the terminal tells it apart, Shift+Enter) begins a new line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bind("enter", "submit", "question.submit", priority=True),
        bind("ctrl+j,shift+enter", "newline", "question.newline", priority=True),
    ]

    @dataclass
    class Submitted(Message):
        question: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, soft_wrap=True, tab_behavior="focus", placeholder=tr("ask.placeholder"), compact=True)
        self.history_texts: list[str] = []
        """Oldest first."""
        self._place = 0
        self._kept = ""

    # Bindings with priority are acted upon at once, while characters wait in this widget's queue: where somebody types
    # faster than the screen follows, Enter would overtake the end of the question. Hence both go through the queue.

    def action_submit(self) -> None:
        self.call_later(self._submit)

    def action_newline(self) -> None:
        self.call_later(self.insert, "\n")

    def _submit(self) -> None:
        question = safe.plain(self.text).strip()
        if question:
            self.remember(question)
            self.text = ""
            self.post_message(self.Submitted(question))

    def remember(self, question: str) -> None:
        """Put a question at the end of the history, which has it only there."""
        others = [text for text in self.history_texts if text != question]
        self.history_texts = [*others[-(MOST_HISTORY - 1) :], question]
        self._place = len(self.history_texts)

    def fill_history(self, questions: Sequence[str]) -> None:
        """Put questions of earlier sessions before those of this one, keeping the place of who is recalling one."""
        texts = [safe.plain(text).strip() for text in questions]
        new = [text for text in dict.fromkeys(texts) if text and text not in self.history_texts]
        new = new[max(0, len(new) + len(self.history_texts) - MOST_HISTORY) :]
        self.history_texts = [*new, *self.history_texts]
        self._place += len(new)

    def action_cursor_up(self, select: bool = False) -> None:
        if select or self.cursor_location[0] > 0 or not self._recall(-1):
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        if select or self.cursor_location[0] < self.document.line_count - 1 or not self._recall(1):
            super().action_cursor_down(select)

    def _recall(self, step: int) -> bool:
        place = self._place + step
        if not 0 <= place <= len(self.history_texts):
            return False
        if self._place == len(self.history_texts):
            self._kept = self.text
        self._place = place
        self.text = self._kept if place == len(self.history_texts) else self.history_texts[place]
        self.move_cursor(self.document.end)
        return True

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual calls the handlers of all classes, this one first: the text area then pastes what is left here.
        event.text = safe.plain(event.text.replace("\r\n", "\n").replace("\r", "\n"))
