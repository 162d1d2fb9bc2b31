"""What a Word paragraph is by its style and numbering: a heading, an item of a list, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_HEADING_NAME = re.compile(r"^(?:heading|überschrift|titre|título|标题|見出し)\s*([1-9])$", re.IGNORECASE)
_MAX_STYLE_DEPTH = 20
_BODY_LEVEL = 9
"""`outlineLvl` of body text (ECMA-376 part 1, 17.3.1.20)."""


@dataclass(frozen=True, slots=True)
class ParagraphStyle:
    heading_level: int = 0
    """0: no heading."""
    list_id: str = ""
    list_level: int = 0


class Styles:
    """The styles of a document, with what they inherit."""

    def __init__(self, root: Any) -> None:
        self._elements: dict[str, Any] = {}
        self._resolved: dict[str, ParagraphStyle] = {}
        self._default = ""
        for style in () if root is None else root.iter(f"{W}style"):
            identifier = style.get(f"{W}styleId") or ""
            self._elements[identifier] = style
            if style.get(f"{W}type") == "paragraph" and style.get(f"{W}default") in ("1", "true"):
                self._default = identifier

    def of(self, properties: Any) -> ParagraphStyle:
        """The style of a paragraph, its own outline level counted in."""
        identifier = self._default
        if properties is not None:
            identifier = _value(properties, "pStyle") or identifier
            level = _value(properties, "outlineLvl")
            if level.isdigit() and int(level) < _BODY_LEVEL:
                return ParagraphStyle(heading_level=int(level) + 1)
        if identifier not in self._resolved:
            self._resolved[identifier] = self._resolve(identifier)
        return self._resolved[identifier]

    def _resolve(self, identifier: str) -> ParagraphStyle:
        level, list_id, list_level = 0, "", 0
        for _ in range(_MAX_STYLE_DEPTH):  # a damaged file may inherit in a circle
            style = self._elements.get(identifier)
            if style is None:
                break
            name = _value(style, "name")
            properties = style.find(f"{W}pPr")
            if not level:
                level = _level_by_name(name)
            if properties is not None:
                outline = _value(properties, "outlineLvl")
                if not level and outline.isdigit() and int(outline) < _BODY_LEVEL:
                    level = int(outline) + 1
                numbering = properties.find(f"{W}numPr")
                if not list_id and numbering is not None:
                    list_id, list_level = _value(numbering, "numId"), _whole(_value(numbering, "ilvl"))
            identifier = _value(style, "basedOn")
        return ParagraphStyle(level, list_id, list_level)


class Numbering:
    """The lists of a document; counts as paragraphs go by."""

    def __init__(self, root: Any) -> None:
        self._is_bullet: dict[tuple[str, int], bool] = {}
        self._counts: dict[tuple[str, int], int] = {}
        if root is None:
            return
        abstract: dict[str, dict[int, bool]] = {}
        for element in root.iter(f"{W}abstractNum"):
            abstract[element.get(f"{W}abstractNumId") or ""] = {
                _whole(level.get(f"{W}ilvl") or ""): _value(level, "numFmt") in ("bullet", "none", "")
                for level in element.iter(f"{W}lvl")
            }
        for number in root.iter(f"{W}num"):
            levels = abstract.get(_value(number, "abstractNumId"), {})
            for level, is_bullet in levels.items():
                self._is_bullet[number.get(f"{W}numId") or "", level] = is_bullet

    def marker(self, properties: Any, style: ParagraphStyle) -> str:
        """What stands before a list item, indented by its level; empty for other paragraphs."""
        list_id, level = style.list_id, style.list_level
        numbering = None if properties is None else properties.find(f"{W}numPr")
        if numbering is not None:
            list_id = _value(numbering, "numId") or list_id
            level = _whole(_value(numbering, "ilvl")) or level
        if list_id in ("", "0"):  # 0 takes a paragraph out of the list of its style
            return ""
        level = min(level, 8)
        if self._is_bullet.get((list_id, level), True):
            return f"{'  ' * level}- "
        count = self._counts.get((list_id, level), 0) + 1
        self._counts[list_id, level] = count
        for deeper in range(level + 1, 9):
            self._counts.pop((list_id, deeper), None)
        return f"{'  ' * level}{count}. "


def _level_by_name(name: str) -> int:
    if name.lower() == "title":
        return 1
    match = _HEADING_NAME.match(name)
    return int(match.group(1)) if match else 0


def _value(element: Any, child: str) -> str:
    found = element.find(f"{W}{child}")
    return "" if found is None else found.get(f"{W}val") or ""


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
