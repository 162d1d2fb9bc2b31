"""Paths as a person reads them."""

from __future__ import annotations

from pathlib import Path

from edgerag.cli.render import shown_path
from edgerag.cli.safe_text import safe_line


def home_path(path: str) -> str:
    """With `~` for the home folder."""
    try:
        return f"~/{Path(path).relative_to(Path.home()).as_posix()}"
    except (ValueError, RuntimeError):
        return path


def short_path(path: str) -> str:
    """From the working folder where the file lies in it, otherwise with `~`."""
    shown = shown_path(path)
    return shown if not Path(shown).is_absolute() else safe_line(home_path(path))
