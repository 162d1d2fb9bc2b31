"""Walks an HTML tree and writes its visible text as readable blocks."""

from __future__ import annotations

from typing import Any

from edgerag.ingest.parsers.builder import TextBuilder, one_line

_INVISIBLE = frozenset(
    """
    script style head title template noscript svg math object embed applet iframe canvas audio video map
    button select option input textarea datalist dialog meter progress link meta base source track
    """.split()
)
_FURNITURE = frozenset(("nav",))
_FURNITURE_ROLES = frozenset(("navigation", "banner", "search", "contentinfo", "menu", "menubar", "toolbar"))
_FURNITURE_CLASSES = frozenset(("navheader", "navfooter", "breadcrumb", "breadcrumbs", "sphinxsidebar"))
"""Of DocBook, Sphinx and Bootstrap pages, which say it by class alone."""
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARAGRAPHS = frozenset(
    """
    p div section article main header footer aside body html blockquote figure figcaption address fieldset
    form details summary center hgroup legend caption ul ol dl menu dir table thead tbody tfoot hr
    """.split()
)
_LINES = frozenset(("li", "dt", "dd", "tr"))
_CELLS = frozenset(("td", "th"))
_PREFORMATTED = frozenset(("pre", "listing", "xmp", "plaintext"))


class HtmlBlocks:
    """Writes one tree; keeps the state of the walk."""

    def __init__(self, builder: TextBuilder, *, keeps_furniture: bool) -> None:
        self._builder = builder
        self._keeps_furniture = keeps_furniture
        self._inline: list[str] = []
        self._prefix = ""
        self._lists: list[int | None] = []
        """One entry for each open list: the next number, or None for bullets."""
        self._num_preformatted = 0
        self._num_table_rows = 0

    def write(self, root: Any) -> None:
        """Append the text of an element and everything below it (without recursion: pages nest deeply)."""
        import lxml.etree

        walk = lxml.etree.iterwalk(root, events=("start", "end"))
        skipped = None
        for event, element in walk:
            if event == "start":
                if self._is_skipped(element, is_root=element is root):
                    skipped = element
                    walk.skip_subtree()
                    continue
                self._open(element)
                if element.text:
                    self._inline.append(element.text)
            else:
                if element is skipped:
                    skipped = None
                else:
                    self._close(element)
                if element.tail and element is not root:
                    self._inline.append(element.tail)
        self._flush()

    def _is_skipped(self, element: Any, *, is_root: bool) -> bool:
        tag = element.tag
        if not isinstance(tag, str) or tag in _INVISIBLE:  # comments and processing instructions have no name
            return True
        if is_root or not element.attrib:
            return tag in _FURNITURE and not self._keeps_furniture and not is_root
        get = element.get
        if get("hidden") is not None or get("aria-hidden") == "true":
            return True
        style = get("style")
        if style and "display:none" in style.replace(" ", "").lower():
            return True
        if self._keeps_furniture:
            return False
        classes = (get("class") or "").split()
        # Anchors that only show on hover, as Sphinx and many wikis append to headings.
        if (tag == "a" and "headerlink" in classes) or not _FURNITURE_CLASSES.isdisjoint(classes):
            return True
        return tag in _FURNITURE or get("role") in _FURNITURE_ROLES

    def _open(self, element: Any) -> None:
        tag = element.tag
        if self._num_table_rows:
            if tag in _CELLS:
                self._inline.append("\v")
            elif tag == "br" or tag in _PARAGRAPHS or tag in _LINES:
                self._inline.append(" ")
            if tag != "tr":
                return
        if tag == "br":
            self._break_line()
        elif tag in _HEADINGS or tag in _PARAGRAPHS or tag in _PREFORMATTED:
            self._flush()
            if not self._lists or tag in _PREFORMATTED:
                self._builder.gap()
            if tag in ("ol", "ul", "menu", "dir"):
                self._lists.append(_first_number(element) if tag == "ol" else None)
            elif tag in _PREFORMATTED:
                self._num_preformatted += 1
        elif tag in _LINES:
            self._flush()
            if tag == "tr":
                self._num_table_rows += 1
            elif tag == "li":
                self._prefix = self._list_marker()

    def _close(self, element: Any) -> None:
        tag = element.tag
        if self._num_table_rows:
            if tag == "tr":
                self._flush_row()
                self._num_table_rows -= 1
            return
        if tag in _HEADINGS:
            text = one_line("".join(self._inline)).rstrip("¶").rstrip()
            self._inline = []
            self._builder.heading(_HEADINGS[tag], text)
        elif tag in _PREFORMATTED:
            self._flush()
            self._num_preformatted -= 1
            self._builder.gap()
        elif tag in _PARAGRAPHS:
            self._flush()
            if tag in ("ol", "ul", "menu", "dir") and self._lists:
                self._lists.pop()
            if not self._lists:
                self._builder.gap()
        elif tag in _LINES:
            self._flush()
            self._prefix = ""

    def _list_marker(self) -> str:
        indent = "  " * max(len(self._lists) - 1, 0)
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number + 1
            return f"{indent}{number}. "
        return f"{indent}- "

    def _break_line(self) -> None:
        if self._num_preformatted:
            self._inline.append("\n")
        else:
            self._flush()

    def _flush(self) -> None:
        """Write the text collected so far as one line (or as it stands, inside `pre`)."""
        if not self._inline:
            return
        text = "".join(self._inline)
        self._inline = []
        if self._num_preformatted:
            text = text.strip("\n")
            if text.strip():
                self._builder.line(text)
            return
        text = one_line(text)
        if text:
            self._builder.line(self._prefix + text)
            self._prefix = ""

    def _flush_row(self) -> None:
        """Write the row of a table as `a | b`; nested tables run into the outer row's cells."""
        cells = [one_line(cell) for cell in "".join(self._inline).split("\v")]
        self._inline = []
        row = " | ".join(cell for cell in cells[1:] if cell)
        if row:
            self._builder.line(row)


def _first_number(element: Any) -> int:
    start = element.get("start") or "1"
    return int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1
