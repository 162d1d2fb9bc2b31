"""Completing a path as a person types it: `~`, spaces, quotes, any script; only what is on the disk."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from edgerag.paths import expanded
from edgerag_tui import safe
from edgerag_tui.library_tree import folded

MOST_READ = 20_000
"""Entries of one folder that are looked at."""
MOST_FOUND = 200
OFFER = re.compile(r"~/(?=['\"]?(?:/|~/|file://))")
"""The `~/` that the box offers, with a whole path typed or dropped behind it."""


@dataclass(frozen=True, slots=True)
class Completion:
    text: str
    """What the box would hold."""
    name: str
    is_folder: bool


def read_path(typed: str) -> Path | None:
    """The absolute path that someone means: as typed, quoted, escaped for a shell, or as a `file:` address.

    None where nothing was typed, or nothing between quotes: that would be the working folder, which nobody sees here.

    Terminals paste a file that is dropped on them in one of these forms.
    """
    text = typed.strip()
    if OFFER.match(text):
        text = text[2:]
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    if not text.strip():
        return None
    plain = _absolute(text)
    if os.sep == "/" and "\\" in text and not os.path.lexists(plain):
        unescaped = _absolute(re.sub(r"\\(.)", r"\1", text))
        if os.path.lexists(unescaped):
            return unescaped
    return plain


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(expanded(text)))


def complete(typed: str) -> list[Completion]:
    """What a path may become, folders first; empty where the folder cannot be read.

    Hidden entries come only for a name that begins with a dot. Names that cannot be shown as they are cannot be typed
    either, and are left out: add the folder that holds them.
    """
    if OFFER.match(typed):
        typed = typed[2:]
    if typed in ("~", "..", "."):
        typed += os.sep
    head, separator, start = typed.rpartition(os.sep)
    shown_head = head + separator
    folder = expanded(shown_head) if shown_head else Path()
    wanted = folded(start)
    found: list[Completion] = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MOST_READ:
                    break
                name = entry.name
                if name.startswith(".") and not start.startswith("."):
                    continue
                if folded(name).startswith(wanted) and safe.line(name) == name:
                    is_folder = entry.is_dir()
                    text = shown_head + name + (os.sep if is_folder else "")
                    found.append(Completion(text, name, is_folder))
    except OSError:
        return []
    found.sort(key=lambda each: (not each.is_folder, each.name.casefold(), each.name))
    return found[:MOST_FOUND]


def common_start(completions: list[Completion], typed: str) -> str:
    """The longest text that all of them begin with; what was typed where that is no longer."""
    texts = [unicodedata.normalize("NFC", each.text) for each in completions]
    common = os.path.commonprefix(texts)  # noqa: RUF071 (of characters is what is wanted)
    return common if len(common) > len(typed) else typed
