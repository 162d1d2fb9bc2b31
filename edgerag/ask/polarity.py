"""Which words a sentence denies: a generated `is supported` must not be backed by a written `is not supported`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edgerag.ask.terms import content_terms
from edgerag.scripts import segment_scripts

SCOPE_WORDS = 4
"""Words after a negation that are taken as denied, unless punctuation or `but` comes first."""
SCOPE_CHARS = 4
"""The same in Chinese characters."""

_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*|[,;:.!?()]")
_APOSTROPHES = re.compile("(?<=\\w)[’‘´`ʼ](?=\\w)")
_TYPED_IN_A_HURRY = """isnt arent wasnt werent dont doesnt didnt hasnt havent hadnt cant couldnt wont wouldnt shouldnt
    mustnt neednt""".split()
_NEGATIONS = frozenset("not never no without neither nor cannot none hardly nobody nothing".split()) | frozenset(
    _TYPED_IN_A_HURRY
)
_PREFIX = "non"
"""It denies the one word that hangs on it: `non-members pay` is about those who pay."""
PLAIN_NEGATIONS = frozenset({"cannot", _PREFIX, *_TYPED_IN_A_HURRY})
"""Terms that say no more than `not`, a function word: `cannot carry over` is as near to `can no longer carry over`."""
_BREAKS = frozenset(",;:.!?()") | {"but", "however", "although", "though"}
# `not only ... but also` and `no less than` and the like deny nothing.
_NO_NEGATION_BEFORE = frozenset("only just merely less fewer later doubt matter".split())
_COMPARATIVES = frozenset({"longer", "more"})
"""`no longer than` is a limit, `no longer offers` a negation."""
# What may be done is part of the negation, and takes none of its reach.
_CJK_NEGATION = re.compile(
    r"(?:不(?![同仅僅但断斷过過久少足论論管止妨料])|没(?!收)|沒(?!收)|未(?![来來])|无(?![论数])|無(?![論數])|并非|並非|并不|並不|从不|從不"
    r"|禁止|[严嚴]禁|勿(?!忘我))有?(?P<modal>能够|能夠|可以|允许|允許|应该|應該|[能得可会會许許准要应應])?"
)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one negation denies."""

    terms: tuple[str, ...]
    is_prefix: bool = False


def denied_terms(text: str) -> frozenset[str]:
    """Content terms in the scope of a negation."""
    return _terms_of(_scopes(text))


def _terms_of(scopes: Iterable[_Scope]) -> frozenset[str]:
    return frozenset(term for scope in scopes for term in scope.terms)


def _scopes(text: str) -> list[_Scope]:
    scopes: list[_Scope] = []
    for run, is_cjk_run in segment_scripts(text):
        if is_cjk_run:
            for match in _CJK_NEGATION.finditer(run):
                start = match.start("modal") if match["modal"] else match.end()
                scopes.append(_Scope(content_terms(run[start : match.end() + SCOPE_CHARS])))
        else:
            scopes += _scopes_of_words(run)
    return scopes


def _scopes_of_words(text: str) -> list[_Scope]:
    scopes: list[_Scope] = []
    words = [word.casefold() for word in _WORDS.findall(_APOSTROPHES.sub("'", text))]
    for position, word in enumerate(words):
        if word == _PREFIX:
            scopes.append(_Scope(_reached(words[position + 1 : position + 2]), is_prefix=True))
        elif (word in _NEGATIONS or word.endswith("n't")) and _denies(words[position + 1 : position + 3]):
            after = words[position + 1 :] or [""]
            scopes.append(_Scope(_reached(after[1:] if after[0] in _COMPARATIVES else after)))
    return scopes


def _denies(following: list[str]) -> bool:
    """Whether a negation denies what follows, by the next two words."""
    word, after = (*following, "", "")[:2]
    if word in _COMPARATIVES:
        return after not in _BREAKS | {"than", ""}
    return word not in _NO_NEGATION_BEFORE


def _reached(words: list[str]) -> tuple[str, ...]:
    """The terms of the words that a negation before them denies."""
    denied: list[str] = []
    for word in words[:SCOPE_WORDS]:
        if word in _BREAKS:
            break
        if word not in _NEGATIONS:  # it has a reach of its own
            denied += content_terms(word)
    return tuple(denied)


def contradicts(text: str, other: str) -> str:
    """A term that one of the texts denies and the other asserts, or nothing."""
    scopes, other_scopes = _scopes(text), _scopes(other)
    denied = _terms_of(_widened(scopes, other_scopes))
    other_denied = _terms_of(_widened(other_scopes, scopes))
    if denied == other_denied:
        return ""
    terms, other_terms = set(content_terms(text)), set(content_terms(other))
    # Function words are no evidence either way: they survive in `content_terms` only where nothing else stands.
    clash = ((denied & other_terms) - other_denied) | ((other_denied & terms) - denied)
    return min(clash, default="")


def _widened(scopes: list[_Scope], others: list[_Scope]) -> list[_Scope]:
    """Give `non-refundable for members` the reach of the other text's `not refundable for members`."""
    prefixed = {term for scope in scopes if scope.is_prefix for term in scope.terms}
    return scopes + [scope for scope in others if prefixed.intersection(scope.terms[:1])]
