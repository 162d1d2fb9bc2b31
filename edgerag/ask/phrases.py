"""The noun phrases of an English question, told by function words and word order: no tagger, no model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from edgerag.ask.terms import STOP_WORDS

WORD = re.compile(r"\w[\w'’.-]*\w|\w")
WH = frozenset("who whom whose what which when where why how".split())
DO_LIKE = frozenset("do does did can could will would shall should may might must".split())
BE_LIKE = frozenset("is are was were am be been has have had".split())
DETERMINERS = frozenset("the a an this that these those my our your his her its their each every another".split())
PREPOSITIONS = frozenset(
    "in on at for during with without by from to since until before after under over near per within inside outside "
    "between among about against through into onto behind beside above below around".split()
)
COMMANDS = frozenset("tell list explain describe show give name find define say please compare summarise".split())
"""Verbs with which a question begins that is none by its form."""
_OTHER_FUNCTION_WORDS = frozenset(
    "much many long often far old ago else also ever still already not again once".split()
)
_PREDICATES = frozenset(
    """open free available due possible necessary full empty ready safe legal big large small high long old far deep
    wide built made held kept written born left lost sold paid sent found known set shut cut spent bought brought taught
    thought caught fought told read led fed met won hung laid grown drawn worn torn sworn shown thrown come become begun
    gone done seen given taken""".split()
)
"""What follows the subject of `is` and says something of it, where no ending tells."""
_PARTICIPLE = re.compile(r".{2,}(?:ed|en|ing)")
_IRREGULAR_PLURALS = frozenset("people children men women feet teeth mice sheep fish cattle police".split())


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a question that names something: `question[start:end] == text`."""

    start: int
    end: int
    text: str
    preposition: str
    """The word before it, if that is one: `in` of `in the hut`; else nothing."""
    determiner: str
    """Its first word, if that is one, in lower case; else nothing."""
    is_name: bool
    """Written with capitals."""
    is_asked_for: bool = False
    """Part of the question word: `year` in `In what year ...`."""

    @property
    def head(self) -> str:
        """Its noun, more or less: the last word before an `of`, in lower case."""
        return (re.split(r"\s+(?:of|and)\s+", self.text)[0].split() or [""])[-1].lower()

    @property
    def holds_name(self) -> bool:
        return any(word[:1].isupper() for word in self.text.split()[bool(self.determiner) :])

    @property
    def is_definite(self) -> bool:
        return self.is_name or self.determiner not in ("", "a", "an", "each", "every", "another")

    @property
    def is_plural(self) -> bool:
        if " and " in self.text or self.head in _IRREGULAR_PLURALS:
            return True
        return self.head.endswith("s") and not self.head.endswith(("ss", "us", "is"))


def is_function_word(word: str) -> bool:
    lower = word.lower()
    return lower in STOP_WORDS or lower in PREPOSITIONS or lower in _OTHER_FUNCTION_WORDS


def noun_phrases(question: str) -> list[Phrase]:
    """The phrases in order, without verbs as far as word order tells them."""
    words = [(match.start(), match.end(), match.group()) for match in WORD.finditer(question)]
    return _without_verbs(question, words, _runs(question, words))


def subject_first(phrases: list[Phrase]) -> list[Phrase]:
    """What a pronoun is likely to stand for first: definite phrases before others, those asked for last."""
    return sorted(phrases, key=lambda phrase: (phrase.is_asked_for, not phrase.is_definite))


def _runs(question: str, words: list[tuple[int, int, str]]) -> list[Phrase]:
    """Content words that stand together, with the determiner before them and `of ...` after them."""
    found: list[Phrase] = []
    place = 0
    while place < len(words):
        start, _, word = words[place]
        lower = word.lower()
        is_command = place == 0 and lower in COMMANDS
        if lower in DETERMINERS and place + 1 < len(words) and _joined(question, words, place + 1):
            first = place + 1
        elif is_function_word(word) or is_command:
            place += 1
            continue
        else:
            first = place
        last = _end_of_run(question, words, first, starts_with_name=first == place and word[:1].isupper())
        if last < first:
            place += 1
            continue
        before = words[place - 1][2].lower() if place else ""
        content = words[first][2]
        found.append(
            Phrase(
                start,
                words[last][1],
                question[start : words[last][1]],
                before if before in PREPOSITIONS and _joined(question, words, place) else "",
                lower if first > place else "",
                content[:1].isupper() or content[:1].isdigit(),
                _follows_question_word(words, place),
            )
        )
        place = last + 1
    return found


def _end_of_run(question: str, words: list[tuple[int, int, str]], first: int, *, starts_with_name: bool) -> int:
    """Place of the last word of a run; `first - 1` where there is none."""
    last = first - 1
    place = first
    while place < len(words) and (place == first or _joined(question, words, place)):
        word = words[place][2]
        if not is_function_word(word):
            if starts_with_name and place > first and not (word[:1].isupper() or word[:1].isdigit()):
                break  # `Tesla move`: a name ends where capitals end
            last = place
            place += 1
            continue
        # `head of the station`, `Battle of the Nile`, `Holm and Berg`
        after = place + 1
        if word.lower() == "of" and after < len(words) and words[after][2].lower() in DETERMINERS:
            after += 1
        joins = word.lower() == "of" or (word.lower() == "and" and starts_with_name)
        if not joins or last < first or after >= len(words) or is_function_word(words[after][2]):
            break
        if word.lower() == "and" and not words[after][2][:1].isupper():
            break
        place = after
    return last


def _joined(question: str, words: list[tuple[int, int, str]], place: int) -> bool:
    """Whether only spaces stand between a word and the one before it, or an initial's full stop: `William E. Simon`."""
    if place == 0:
        return False
    _, end, before = words[place - 1]
    between = question[end : words[place][0]].strip()
    return not between or (between == "." and len(before) == 1 and before.isupper())


def _follows_question_word(words: list[tuple[int, int, str]], place: int) -> bool:
    before = [word.lower() for _, _, word in words[max(0, place - 2) : place]]
    return bool(before) and (before[-1] in ("what", "which", "whose") or before in (["how", "many"], ["how", "much"]))


def _without_verbs(question: str, words: list[tuple[int, int, str]], phrases: list[Phrase]) -> list[Phrase]:
    auxiliary = next((word for word in words if word[2].lower() in DO_LIKE | BE_LIKE), None)
    kept: list[Phrase] = []
    is_verb_due = auxiliary is None or auxiliary[2].lower() in DO_LIKE
    asks_for_subject = auxiliary is None and bool(words) and words[0][2].lower() in ("who", "what")
    follows_name = False
    for phrase in phrases:
        is_after = auxiliary is None or phrase.start > auxiliary[1]
        if not is_after:
            kept.append(phrase)
            continue
        if auxiliary is not None and auxiliary[2].lower() in BE_LIKE:
            kept += _without_predicate(phrase, follows_name=follows_name)
            follows_name = phrase.is_name
            continue
        if is_verb_due:
            is_bare = not phrase.determiner and not phrase.is_name and not phrase.preposition
            follows_pronoun = auxiliary is not None and _word_before(words, phrase.start) in _PRONOUNS
            if is_bare and (follows_name or follows_pronoun or (asks_for_subject and phrase is phrases[0])):
                is_verb_due = False
                kept += _without_first_word(question, phrase)
                continue
            last_run = re.split(r"\s+(?:of|and)\s+", phrase.text)[-1].split()
            num_content = len(last_run) - (last_run[0].lower() in DETERMINERS)
            if num_content >= 2 and not phrase.is_name:
                is_verb_due = False
                kept.append(_without_last_word(phrase))
                continue
            follows_name = phrase.is_name or follows_name
        kept.append(phrase)
    return kept


_PRONOUNS = frozenset("i you he she it we they one".split())


def _word_before(words: list[tuple[int, int, str]], start: int) -> str:
    return next((word.lower() for _, end, word in reversed(words) if end <= start), "")


def _without_predicate(phrase: Phrase, *, follows_name: bool) -> list[Phrase]:
    last = phrase.text.split()[-1]
    if last[0].isupper() or (last not in _PREDICATES and not _PARTICIPLE.fullmatch(last)):
        return [phrase]
    if len(phrase.text.split()) > (2 if phrase.determiner else 1):
        return [_without_last_word(phrase)]
    return [] if follows_name or not phrase.determiner else [phrase]


def _without_last_word(phrase: Phrase) -> Phrase:
    text = phrase.text[: len(phrase.text) - len(phrase.text.split()[-1])].rstrip()
    return replace(phrase, text=text, end=phrase.start + len(text))


def _without_first_word(question: str, phrase: Phrase) -> list[Phrase]:
    rest = phrase.text[len(phrase.text.split()[0]) :].lstrip()
    return [replace(phrase, text=rest, start=phrase.end - len(rest))] if rest else []
