"""What a sentence asserts that can be looked up: its numbers, its names, its quoted terms."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from edgerag.ask.numbers import Number, find_numbers
from edgerag.ask.terms import STOP_WORDS, stem
from edgerag.scripts import segment_scripts


@dataclass(frozen=True, slots=True)
class Claims:
    numbers: dict[Number, str]
    """With the text of each."""
    names: tuple[tuple[str, ...], ...]
    """Runs of capitalised words, each word case-folded without its possessive."""
    quoted: tuple[str, ...]
    """What stands in quotation marks, case-folded, spaces unified."""


def claims_of(text: str) -> Claims:
    """Find all that must occur in the passage that supports a sentence."""
    return Claims(find_numbers(text, for_claims=True), _names(text), _quoted(text))


# --- names and quoted terms -----------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_NO_NAMES = STOP_WORDS | frozenset(
    """yes no answer question according based additionally furthermore moreover finally first second third last overall
    instead similarly specifically generally usually often sometimes today currently recently later earlier once
    several various another together despite unlike like given including among around since through throughout against
    next still even yet again perhaps people important i""".split()
)
_QUOTED = re.compile(
    r"[\"“„«「『《]([^\"“”„«»「」『』《》]{2,80})[\"”“»」』》]|(?<!\w)['‘]([^'‘’]{2,80})['’](?!\w)|`([^`]{2,80})`"
)


def _names(text: str) -> tuple[tuple[str, ...], ...]:
    runs = (run for run, is_cjk_run in segment_scripts(text) if not is_cjk_run)
    return tuple(dict.fromkeys(name for run in runs for name in _names_of_run(run)))


def _names_of_run(text: str) -> list[tuple[str, ...]]:
    names: list[tuple[str, ...]] = []
    current: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        word = match[0]
        gap = text[end : match.start()]
        if current and gap not in (" ", "-", "/"):
            names.append(tuple(current))
            current = []
        if any(character.isupper() for character in word) and bare(word) not in _NO_NAMES:
            current.append(bare(word))
        elif current:
            names.append(tuple(current))
            current = []
        end = match.end()
    if current:
        names.append(tuple(current))
    return names


def bare(word: str) -> str:
    """A word as names are compared: case-folded, without `'s`."""
    return re.sub(r"['’]s?$", "", word.casefold())


def name_words(text: str) -> frozenset[str]:
    """Every word of a text as names are compared, whole and in its hyphenated parts, and stemmed."""
    words: set[str] = set()
    normal = unicodedata.normalize("NFKC", text)
    spaced = "".join(" " if is_cjk_run else run for run, is_cjk_run in segment_scripts(normal))
    for match in _WORD.finditer(spaced):
        whole = bare(match[0])
        parts = [whole, *re.split(r"['’.&-]", whole), whole.replace(".", "")]
        words.update(parts, map(stem, parts))
    return frozenset(words)


def _quoted(text: str) -> tuple[str, ...]:
    found = (next(group for group in match.groups() if group) for match in _QUOTED.finditer(text))
    return tuple(dict.fromkeys(unified(term).strip(" .,;:!?，。；：！？") for term in found))


def unified(text: str) -> str:
    """A text as quoted terms are compared."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("’", "'").split())
