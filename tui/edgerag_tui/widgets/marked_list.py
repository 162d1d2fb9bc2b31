"""A list whose cursor has a sign, so that its colour is not all that tells where it is."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widgets import OptionList
from textual.widgets.option_list import Option

CURSOR = "›"


class MarkedList(OptionList):
    """The sign stands at the left of the first line of what is under the cursor, in a column of its own."""

    DEFAULT_CSS = """
    MarkedList { padding: 0 1 0 0; }
    """

    def __init__(self, *options: Option, id: str | None = None, only_focused: bool = False, gutter: int = 2) -> None:
        """
        Args:
            only_focused: No sign while the keys go elsewhere: where the cursor then means nothing.
            gutter: Cells for the sign; 1 where each row begins with a column for signs of its own.
        """
        super().__init__(*options, id=id, markup=False)
        self._only_focused = only_focused
        self._gutter = gutter

    def _get_left_gutter_width(self) -> int:  # as textual's own SelectionList does for its boxes
        return self._gutter

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        row = round(self.scroll_offset.y) + y
        place, line_of_option = self._lines[row] if row < len(self._lines) else (None, 0)
        is_here = place is not None and place == self.highlighted and line_of_option == 0
        is_here = is_here and (self.has_focus or not self._only_focused)
        first = next(iter(line), None)
        style = first.style if first is not None and first.style is not None else Style()
        # Only the colours: the text's own first word may be underlined.
        shown = (CURSOR if is_here else " ").ljust(self._gutter)
        sign = Segment(shown, Style(color=style.color, bgcolor=style.bgcolor, bold=True))
        return Strip([sign, *line], self._gutter + line.cell_length)
