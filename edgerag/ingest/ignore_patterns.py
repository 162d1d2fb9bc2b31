"""Git's ignore patterns: which entry of a folder a pattern means.

pathspec was tried and lost: its patterns also match everything below what they match, so that with `build`
and `!docs` it includes `docs/build`, which git excludes (its property test found it). Rules:
https://git-scm.com/docs/gitignore#_pattern_format
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_FLAGS = re.IGNORECASE if sys.platform in ("win32", "darwin") else re.NOFLAG
"""As git's own `core.ignoreCase`, which it sets on these systems."""
_MAX_DOUBLE_STARS = 4
"""Each multiplies the ways to match a deep path; real patterns have one or two."""
_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\s", "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}  # fmt: skip
_BRACKET = re.compile(r"\[([!^]?)(\]?(?:\[:\w+:\]|\\.|[^\]\\])*)\]")


@dataclass(frozen=True, slots=True)
class IgnorePattern:
    is_negated: bool
    is_for_folders: bool
    is_anchored: bool
    """Matched against the path from the ignore file's folder; otherwise against the name alone."""
    regex: re.Pattern[str]


def read_patterns(lines: Iterable[str]) -> Iterator[IgnorePattern]:
    """The patterns of an ignore file, in order; what git takes for invalid is left out."""
    for line in lines:
        text = _strip_spaces(line.removesuffix("\r"))
        if not text or text.startswith("#"):
            continue
        is_negated = text.startswith("!")
        text = text.removeprefix("!")
        is_for_folders = text.endswith("/")
        text = text.removesuffix("/")
        is_anchored = "/" in text
        text = text.removeprefix("/")
        if text and (regex := _translate(text)) is not None:
            yield IgnorePattern(is_negated, is_for_folders, is_anchored, re.compile(regex, _FLAGS))


def decide(patterns: tuple[IgnorePattern, ...], path: str, name: str, *, is_folder: bool) -> bool | None:
    """Whether one ignore file excludes an entry (True), includes it (False) or has no opinion (None).

    Args:
        patterns: In the order of the file; the last that matches decides.
        path: From the ignore file's folder, parted by `/`.
        name: The last part of it.
        is_folder: Patterns that end in `/` match folders only.
    """
    for pattern in reversed(patterns):
        if pattern.is_for_folders and not is_folder:
            continue
        if pattern.regex.fullmatch(path if pattern.is_anchored else name):
            return not pattern.is_negated
    return None


def _strip_spaces(line: str) -> str:
    """Trailing spaces do not count unless a backslash stands before them."""
    stripped = line.rstrip(" ")
    num_backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if num_backslashes % 2 and stripped != line else stripped


def _translate(pattern: str) -> str | None:
    segments: list[str] = []
    for segment in pattern.split("/"):
        if segment != "**" or segments[-1:] != ["**"]:
            segments.append(segment)
    if segments.count("**") > _MAX_DOUBLE_STARS:
        return None
    regex = ""
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        if segment == "**":
            regex += ".+" if is_last else "(?:.*/)?"
            continue
        translated = _translate_segment(segment)
        if translated is None:
            return None
        regex += translated if is_last else f"{translated}/"
    return regex


def _translate_segment(segment: str) -> str | None:
    """One name of a pattern; None if git would take it for invalid."""
    pieces = [""]
    position = 0
    while position < len(segment):
        character = segment[position]
        position += 1
        if character == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        elif character == "?":
            pieces[-1] += "[^/]"
        elif character == "[":
            bracket = _BRACKET.match(segment, position - 1)
            if bracket is None:
                return None
            pieces[-1] += _translate_bracket(bracket.group(1), bracket.group(2))
            position = bracket.end()
        elif character == "\\":
            if position == len(segment):
                return None
            pieces[-1] += re.escape(segment[position])
            position += 1
        else:
            pieces[-1] += re.escape(character)
    if len(pieces) == 1:
        return pieces[0]
    # The first place where a piece fits is as good as any later one: atomic groups keep many stars from
    # multiplying the work (as in the standard library's fnmatch).
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1])
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}"


def _translate_bracket(negation: str, content: str) -> str:
    content = re.sub(r"\\(.)", lambda match: f"\x00{ord(match.group(1)):x};", content)
    parts = re.split(r"\[:(\w+):\]", content)
    inside = ""
    for index, part in enumerate(parts):
        if index % 2:
            inside += _CLASSES.get(part, "")
        else:
            inside += re.sub(r"([\[\]\\^&~|])", r"\\\1", part)
    inside = re.sub(r"\x00([0-9a-f]+);", lambda match: re.escape(chr(int(match.group(1), 16))), inside)
    try:
        re.compile(f"[{inside}]")
    except re.error:  # an empty class, or a range that runs backwards
        return "(?!)" if not negation else "[^/]"
    return f"(?![/])[{'^' if negation else ''}{inside}]"
