"""What a pull reports while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from edgerag.models.store import InstalledModel


@dataclass(frozen=True, slots=True)
class PullNote:
    """Something a person should read: which source is tried, what was pinned, why one failed."""

    text: str
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far one file is."""

    label: str
    done_bytes: int
    total_bytes: int
    """0 where the server does not say."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """Last event of a pull."""

    model: InstalledModel
    already_installed: bool
    """It was there before, and whole; nothing was downloaded."""
    source: str
    """Where it came from, in words."""
    pinned: tuple[str, ...] = ()
    """Files that the catalogue has no hash for, and whose hash is recorded from now on."""


PullEvent = PullNote | PullProgress | PullResult
