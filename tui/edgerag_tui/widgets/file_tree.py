"""Sources and files as a tree with columns; only the rows that are seen are drawn, so 100,000 files scroll as ten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from edgerag.cli.render import format_size
from edgerag_tui import safe
from edgerag_tui.keymap import bind
from edgerag_tui.library_tree import PROBLEMS, Node, rows_of
from edgerag_tui.shown_paths import home_path
from edgerag_tui.strings import tr
from edgerag_tui.widgets.marked_list import CURSOR

STATE_KEYS = {
    "fresh": "library.state_fresh",
    "changed": "library.state_changed",
    "failed": "library.state_failed",
    "unreadable": "library.state_unreadable",
    "gone": "library.state_gone",
    "new": "library.state_new",
}
SIGNS = {"fresh": " ", "changed": "~", "failed": "!", "unreadable": "!", "gone": "-", "new": "+"}
"""So that a state is told without its colour."""
STYLES = {
    "fresh": "muted",
    "changed": "warned",
    "failed": "failed",
    "unreadable": "failed",
    "gone": "warned",
    "new": "new",
}
SIZE_CELLS = 8
CHUNK_CELLS = 7
CHUNKS_FROM_CELLS = 90
STATE_CELLS = 24
NARROW_STATE_CELLS = 18
NARROW_BELOW_CELLS = 70


class FileTree(ScrollView, can_focus=True):
    """Keeps its place and what is open when the files change under it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "file-tree--cursor",
        "file-tree--source",
        "file-tree--muted",
        "file-tree--warned",
        "file-tree--failed",
        "file-tree--new",
    }
    DEFAULT_CSS = """
    FileTree { background: $background; color: $foreground; scrollbar-size-vertical: 1; overflow-x: hidden; }
    FileTree > .file-tree--cursor { background: $cursor; text-style: bold; }
    FileTree > .file-tree--source { text-style: bold; }
    FileTree > .file-tree--muted { color: $muted; }
    FileTree > .file-tree--warned { color: $text-warning; }
    FileTree > .file-tree--failed { color: $text-error; text-style: bold; }
    FileTree > .file-tree--new { color: $text-success; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bind("up", "move(-1)", "files.up", show=False),
        bind("down", "move(1)", "files.down", show=False),
        bind("pageup", "move_page(-1)", "files.page_up", show=False),
        bind("pagedown", "move_page(1)", "files.page_down", show=False),
        bind("home", "move_to(0)", "files.top", show=False),
        bind("end", "move_to(-1)", "files.bottom", show=False),
        bind("left", "close", "files.close", show=False),
        bind("right", "open", "files.open", show=False),
        bind("enter", "choose", "files.choose"),
    ]

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or the row has changed."""

        node: Node | None

    @dataclass
    class Chosen(Message):
        """Enter on a file."""

        node: Node

    @dataclass
    class Resized(Message):
        """The columns may stand elsewhere now."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.roots: Sequence[Node] = ()
        self.rows: list[Node] = []
        self.place = 0
        self.expanded: set[str] = set()
        self.words = ""
        self.only_problems = False
        self._known_sources: set[str] = set()

    @property
    def node(self) -> Node | None:
        """What the cursor is on."""
        return self.rows[self.place] if self.place < len(self.rows) else None

    # --- what is shown ----------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return None if action == "choose" and not self.rows else True

    def load(self, roots: Sequence[Node]) -> None:
        """Replace the files; a source that was not there before is shown open."""
        self.roots = roots
        sources = {root.path for root in roots}
        self.expanded |= sources - self._known_sources
        self._known_sources |= sources
        self._show()

    def filter(self, words: str, *, only_problems: bool) -> None:
        """Show only what fits; see `rows_of`."""
        self.words = words
        self.only_problems = only_problems
        self._show()

    def _show(self) -> None:
        before = self.node
        above = self.place - round(self.scroll_offset.y)
        self.rows = rows_of(self.roots, self.expanded, words=self.words, only_problems=self.only_problems)
        if before is not None:
            same = (number for number, row in enumerate(self.rows) if row.path == before.path)
            self.place = next(same, min(self.place, max(0, len(self.rows) - 1)))
        else:
            self.place = 0
        self.virtual_size = Size(self.size.width, len(self.rows))
        # The row under the cursor stays where it is on the screen.
        self.scroll_to(y=max(0, self.place - above), animate=False, immediate=True)
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved(self.node))

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self.rows))
        self._keep_in_view()
        self.post_message(self.Resized())

    # --- moving -----------------------------------------------------------------------------------

    def _go(self, place: int) -> None:
        self.place = max(0, min(place, len(self.rows) - 1))
        self._keep_in_view()
        self.refresh()
        self.post_message(self.Moved(self.node))

    def _keep_in_view(self) -> None:
        height = max(1, self.scrollable_content_region.height)
        top = round(self.scroll_offset.y)
        if not top <= self.place < top + height:
            y = self.place if self.place < top else self.place - height + 1
            self.scroll_to(y=y, animate=False, immediate=True)

    def action_move(self, step: int) -> None:
        self._go(self.place + step)

    def action_move_page(self, step: int) -> None:
        self._go(self.place + step * max(1, self.size.height - 1))

    def action_move_to(self, place: int) -> None:
        self._go(place if place >= 0 else len(self.rows) - 1)

    def action_open(self) -> None:
        """Show what is in a folder; again: go into it."""
        node = self.node
        if node is None or not node.children:
            return
        if node.path in self.expanded:
            self._go(self.place + 1)
        else:
            self.expanded.add(node.path)
            self._show()

    def action_close(self) -> None:
        """Hide what is in a folder; again: go to the folder that holds it."""
        node = self.node
        if node is None:
            return
        if node.children and node.path in self.expanded:
            self.expanded.discard(node.path)
            self._show()
        else:
            above = (place for place in range(self.place, -1, -1) if self.rows[place].depth < node.depth)
            self._go(next(above, self.place))

    def action_choose(self) -> None:
        node = self.node
        if node is None:
            return
        if node.children:
            self.expanded ^= {node.path}
            self._show()
        elif node.file is not None:
            self.post_message(self.Chosen(node))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = round(self.scroll_offset.y) + event.y
        if row < len(self.rows):
            is_same = row == self.place
            self._go(row)
            if is_same or event.chain > 1:
                self.action_choose()

    # --- drawing ----------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        row = round(self.scroll_offset.y) + y
        if row >= len(self.rows):
            return Strip.blank(width, self.rich_style)
        line = self._line(self.rows[row], width)
        if row == self.place:
            line = Content.assemble(CURSOR, line[1:]).stylize(self.get_visual_style("file-tree--cursor"))
        segments = [Segment(*segment) for segment in line.render_segments(self.visual_style)]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _line(self, node: Node, width: int) -> Content:
        room, state_cells, chunk_cells = _columns(width)
        is_open = bool(self.words or self.only_problems) or node.path in self.expanded
        mark = ("▾ " if is_open else "▸ ") if node.children else "  "
        name = shown_name(node) + ("/" if node.kind == "folder" else "")
        style = self.get_visual_style("file-tree--source") if node.kind == "source" else ""
        shown = Content.assemble(" " + "  " * node.depth + mark, safe.content_line(name).stylize(style))
        muted = self.get_visual_style("file-tree--muted")
        parts: list[Content | str] = [_fit(shown, room), " ", _fit(self._state(node, state_cells), state_cells)]
        if chunk_cells:
            number = f"{node.num_chunks:,}" if node.num_chunks else ""
            parts.append(Content.styled(f"{number:>{chunk_cells}}", muted))
        parts.append(Content.styled(f"{format_size(node.size_bytes):>{SIZE_CELLS}}", muted))
        return Content.assemble(*parts)

    def header(self) -> Content:
        """The names of the columns, as wide as they are now."""
        room, state_cells, chunk_cells = _columns(self.size.width)
        parts: list[Content | str] = [_fit(Content("   " + tr("library.column_name")), room), " "]
        parts.append(_fit(Content("  " + tr("library.column_state")), state_cells))
        if chunk_cells:
            parts.append(_fit(Content(tr("library.column_chunks")), chunk_cells, right=True))
        parts.append(_fit(Content(tr("library.column_size")), SIZE_CELLS, right=True))
        return Content.assemble(*parts)

    def _state(self, node: Node, cells: int) -> Content:
        if node.is_missing:
            return self._marked("gone", tr("library.missing"))
        if node.file is not None:
            return self._marked(node.file.state, tr(STATE_KEYS[node.file.state]))
        states = [state for state in PROBLEMS if node.states[state]]
        if not states:
            return self._marked("fresh", files_text(node.num_files))
        long = [self._marked(state, f"{node.states[state]:,} {tr(STATE_KEYS[state])}") for state in states]
        shown = Content("  ").join(long)
        if shown.cell_length > cells:  # the gravest in words, the others by their signs
            short = [self._marked(state, f"{node.states[state]:,}") for state in states]
            shown = Content("  ").join([long[0], *short[1:]])
        return shown if shown.cell_length <= cells else Content(" ").join(short)

    def _marked(self, state: str, text: str) -> Content:
        return Content.styled(f"{SIGNS[state]} {text}", self.get_visual_style(f"file-tree--{STYLES[state]}"))


def shown_name(node: Node) -> str:
    """Of a source its path, from `~` on where it is there; of anything else its name."""
    return home_path(node.path) if node.kind == "source" else node.name


def files_text(number: int) -> str:
    """`1 file`, `2,000 files`."""
    return tr("library.one_file") if number == 1 else tr("library.files", number=f"{number:,}")


def _columns(width: int) -> tuple[int, int, int]:
    """Cells for name, state and number of chunks (0: not shown); the size takes what is left."""
    state_cells = NARROW_STATE_CELLS if width < NARROW_BELOW_CELLS else STATE_CELLS
    chunk_cells = CHUNK_CELLS if width >= CHUNKS_FROM_CELLS else 0
    return max(8, width - state_cells - chunk_cells - SIZE_CELLS - 2), state_cells, chunk_cells


def _fit(text: Content, cells: int, *, right: bool = False) -> Content:
    """Cut off or filled up to exactly this width."""
    shown = text.truncate(cells, ellipsis=True)
    fill = " " * max(0, cells - shown.cell_length)
    return Content.assemble(fill, shown) if right else Content.assemble(shown, fill)
