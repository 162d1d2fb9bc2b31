"""Models by names that say what they are; those with weights have one already."""

from __future__ import annotations

from edgerag_tui.strings import tr

BUILT_IN = ("maxsim", "none")
"""Rerankers that need no files, as the setting names them."""


def model_name(name: str) -> str:
    """`late interaction` for `maxsim:all-MiniLM-L6-v2`, the embedding model a second time; other names unchanged."""
    kind = name.partition(":")[0]
    return tr(f"models.name_{kind}") if kind in BUILT_IN else name
