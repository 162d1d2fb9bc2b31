"""Which words a sentence denies: a generated `is supported` must not be backed by a written `is not supported`."""

from __future__ import annotations

import re

from edgerag.ask.terms import content_terms
from edgerag.scripts import segment_scripts

SCOPE_WORDS = 4
"""Words after a negation that are taken as denied, unless punctuation or `but` comes first."""
SCOPE_CHARS = 4
"""The same in Chinese characters."""

_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;:.!?()]")
_NEGATIONS = frozenset("not never no without neither nor cannot none hardly nobody nothing".split())
_BREAKS = frozenset(",;:.!?()") | {"but", "however", "although", "though"}
# `not only ... but also` and `no longer than` and the like deny nothing.
_NO_NEGATION_BEFORE = frozenset("only just merely less more fewer later longer doubt matter".split())
_CJK_NEGATION = re.compile(
    r"(?:不(?![同仅僅但断斷过過久少足论論管止妨料])|没(?!收)|沒(?!收)|未(?![来來])|无(?![论数])|無(?![論數])|并非|並非|并不|並不|从不|從不)有?"
)


def denied_terms(text: str) -> frozenset[str]:
    """Content terms in the scope of a negation."""
    denied: set[str] = set()
    for run, is_cjk_run in segment_scripts(text):
        if is_cjk_run:
            for match in _CJK_NEGATION.finditer(run):
                denied.update(content_terms(run[match.end() : match.end() + SCOPE_CHARS]))
        else:
            denied.update(_denied_words(run))
    return frozenset(denied)


def _denied_words(text: str) -> set[str]:
    denied: set[str] = set()
    remaining = 0
    words = [word.casefold().replace("’", "'") for word in _WORDS.findall(text)]
    for position, word in enumerate(words):
        following = words[position + 1] if position + 1 < len(words) else ""
        if (word in _NEGATIONS or word.endswith("n't")) and following not in _NO_NEGATION_BEFORE:
            remaining = SCOPE_WORDS
        elif word in _BREAKS:
            remaining = 0
        elif remaining:
            denied.update(content_terms(word))
            remaining -= 1
    return denied


def contradicts(text: str, other: str) -> str:
    """A term that one of the texts denies and the other asserts, or nothing."""
    denied, other_denied = denied_terms(text), denied_terms(other)
    if denied == other_denied:
        return ""
    terms, other_terms = set(content_terms(text)), set(content_terms(other))
    # Function words are no evidence either way: they survive in `content_terms` only where nothing else stands.
    clash = ((denied & other_terms) - other_denied) | ((other_denied & terms) - denied)
    return min(clash, default="")
