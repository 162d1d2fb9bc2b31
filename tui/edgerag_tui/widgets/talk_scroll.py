"""A scroll view that follows what is added at its end, unless someone has scrolled up to read."""

from __future__ import annotations

from textual.containers import VerticalScroll


class TalkScroll(VerticalScroll, can_focus=True):
    """Textual's own `anchor` is not used: in 8.2 it scrolls to negative places while the content is short."""

    is_following = True

    def follow(self, *, again: bool = False) -> None:
        """Scroll to the end once what was just added has been laid out.

        Args:
            again: Also where someone has scrolled up.
        """
        self.is_following = self.is_following or again
        if self.is_following:
            self.call_after_refresh(self._to_end)

    def _to_end(self) -> None:
        if self.is_following:
            self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self.is_following = new_value >= self.max_scroll_y - 1
