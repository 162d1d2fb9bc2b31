"""How every step of the export side tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with a step, what is done and what there is in all (0: not known)."""
