"""Text in columns, counted in cells: wide characters take two."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from edgerag_tui import safe


def fit(text: Content | str, width: int) -> Content:
    """Cut off or filled up to a width; a `str` must be the program's own."""
    shown = (text if isinstance(text, Content) else Content(text)).truncate(width, ellipsis=True)
    return Content.assemble(shown, " " * (width - shown.cell_length))


def right(text: Content | str, width: int) -> Content:
    """The same at the right of a column."""
    shown = (text if isinstance(text, Content) else Content(text)).truncate(width, ellipsis=True)
    return Content.assemble(" " * (width - shown.cell_length), shown)


def middle(text: str, width: int) -> Content:
    """A text of any origin, on one line; cut in the middle where it is too long, as both ends of a name tell."""
    shown = safe.content_line(text)
    if shown.cell_length <= width:
        return shown
    tail = Content("")
    for start in range(len(shown.plain) - 1, -1, -1):
        longer = shown[start:]
        if longer.cell_length > (width - 1) // 2:
            break
        tail = longer
    return Content.assemble(shown.truncate(width - 1 - tail.cell_length), "…", tail)


def hanging(head: Content, text: Content, width: int) -> Content:
    """A text wrapped beside what stands before it."""
    indent = head.cell_length
    lines = list(text.wrap(max(10, width - indent))) or [Content("")]
    return Content("\n").join([head + lines[0], *(Content.assemble(" " * indent, line) for line in lines[1:])])


def facts(entries: Sequence[tuple[str, str]], width: int) -> list[Content]:
    """Lines of a label (ours) and a text of any origin each; what is empty is left out."""
    label_width = max((Content(label).cell_length for label, _ in entries), default=0) + 2
    return [
        hanging(fit(Content.styled(label, "$muted"), label_width), safe.content_line(text), width)
        for label, text in entries
        if text
    ]
