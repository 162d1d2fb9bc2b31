"""What the pronouns of an English follow-up stand for, out of the questions and answers before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerag.answers import Exchange
from edgerag.ask.phrases import (
    BE_LIKE,
    DETERMINERS,
    DO_LIKE,
    WH,
    WORD,
    Phrase,
    is_function_word,
    noun_phrases,
    subject_first,
)

_PERSONS = frozenset("he she him his her hers himself herself".split())
_THINGS = frozenset("it its itself".split())
_MANY = frozenset("they them their theirs themselves".split())
_POSSESSIVE = frozenset("his her its their".split())
_TIME_NOUNS = frozenset("year day date month time century decade age season".split())
_PLACE_PREPOSITIONS = frozenset("in at on inside near from to".split())
_MAKING = frozenset("make makes made making find finds found consider considers considered".split())
_POINTING = frozenset("this that these those".split())
_WEATHER = frozenset(
    "rain rains rained raining snow snows snowed snowing drizzle drizzles drizzling thundering storming".split()
)
_SEASONS_AND_HOURS = frozenset("winter summer autumn noon midnight christmas easter".split())
_CONDITIONS = frozenset(
    """dark light bright hot warm mild cool cold chilly freezing freeze wet dry humid windy sunny cloudy foggy stormy
    icy rainy snowy late early darker lighter hotter warmer colder wetter drier later earlier""".split()
)
"""Said of a room as well as of the weather and the hour: only with a place or a time of its own is no room meant."""
_DEGREES = frozenset(
    "so too very still already ever always often usually sometimes normally likely not enough be been get gets".split()
)
_SETTINGS = frozenset("in at on during before after outside outdoors today tonight tomorrow yesterday now here".split())
_SOMEBODY = frozenset("who whose whom someone anyone everyone somebody anybody person people".split())
_ASKS_WHO = re.compile(r"\s*(?:\w+\s+)?who(?:m|se)?\b\W*(?P<next>\w*)", re.IGNORECASE)
_ONE = re.compile(
    r"\b(the|this|that|another)\s+((?:[\w-]+\s+){0,2}?)(ones?)(?![\w-])(?!\s+(?:of|who|that|which|whose)\b)",
    re.IGNORECASE,
)


def without_one(fragment: str, phrases: Sequence[Phrase]) -> str:
    """`the smaller one` -> `the smaller boat`, after a question about the larger boat."""
    match = _ONE.fullmatch(fragment.strip())
    nouns = [phrase for phrase in phrases if phrase.determiner or not phrase.is_name]
    if match is None or not nouns:
        return fragment
    return f"{match[1]} {match[2]}{subject_first(nouns)[0].head}"


def fill_references(question: str, history: Sequence[Exchange], *, takes_one: bool = True) -> tuple[str, str] | None:
    """Put what they stand for in the place of pronouns; None where there are none, or nothing is known."""
    words = [(match.start(), match.end(), match.group().lower()) for match in WORD.finditer(question)]
    own = noun_phrases(question)
    references = [place for place in range(len(words)) if _refers_back(question, words, place, own)]
    if any(words[place][2] == "there" for place in references):
        # `how much does it cost there?`: one thing is meant, the place.
        references = [place for place in references if words[place][2] not in _THINGS]
    changes: list[tuple[int, int, str]] = []
    told: list[str] = []
    for place in references:
        start, end, word = words[place]
        following = words[place + 1][2] if place + 1 < len(words) else ""
        antecedent = _antecedent(word, history, {phrase.text.lower() for phrase in own})
        if antecedent is None:
            continue
        text = antecedent.text
        if word == "there":
            text = f"{antecedent.preposition or 'at'} {text}"
        elif word in _POSSESSIVE and (word != "her" or (following and not is_function_word(following))):
            text += "’" if text.endswith("s") and antecedent.is_plural else "’s"
        changes.append((start, end, text))
        told.append(f'"{question[start:end]}" stands for "{antecedent.text}"')
    for match in _ONE.finditer(question) if takes_one else ():
        full = without_one(match[0], noun_phrases(history[-1].question))
        if full != match[0] and not any(is_function_word(word) for word in match[2].split()):
            changes.append((match.start(), match.end(), full))
            told.append(f'"{match[0]}" stands for "{full}"')
    if not changes:
        return None
    for start, end, text in sorted(changes, reverse=True):
        question = f"{question[:start]}{text}{question[end:]}"
    return question, ", ".join(dict.fromkeys(told))


def _refers_back(question: str, words: Sequence[tuple[int, int, str]], place: int, own: Sequence[Phrase]) -> bool:
    """Whether a word is a pronoun for something of an earlier question, and not of this one."""
    start, end, word = words[place]
    if end - start > 1 and question[start:end].isupper() and not question.isupper():
        return False  # `How does IT work?`
    before = [other for _, _, other in words[:place]]
    after = [other for _, _, other in words[place + 1 :]]
    if word in _PERSONS | _MANY:
        if any(other in _SOMEBODY for other in before):
            return False
    elif word == "there":
        if (before and before[-1] in BE_LIKE) or (after and after[0] in BE_LIKE | {"exist", "exists"}):
            return False  # `are there`, `there are`
    elif word in _POINTING:
        is_last = not after
        opens = bool(before) and before[-1] in BE_LIKE | DO_LIKE and len(before) <= 2
        if not is_last and not (opens and is_function_word(after[0])) and not (opens and after[0] == "mean"):
            return False
    elif word not in _THINGS or _is_expletive(before, after) or (word == "it" and _is_of_weather(before, after)):
        return False
    for phrase in own:
        last = next((other for _, other_end, other in reversed(words) if other_end <= phrase.start), "")
        is_clause_before = "," in question[phrase.end : start]
        if phrase.end <= start and (is_clause_before or _can_be_meant(word, phrase, last)):
            return False
    # `In his diary, what did Scott note?`, `Other than his work what was Tesla famous for?`: it comes later.
    comma = question.find(",", end)
    asked = next((other for other, _, later in words[place + 1 :] if later in WH), -1)
    border = max(comma, asked if not set(before) & (WH | DO_LIKE | BE_LIKE) else -1)
    return border < 0 or not any(phrase.start > border and (phrase.holds_name or phrase.is_definite) for phrase in own)


def _can_be_meant(word: str, phrase: Phrase, before: str) -> bool:
    """Whether a pronoun may stand for a phrase before it in its own question.

    Args:
        before: The word before the phrase.
    """
    if before == "there":
        return False  # `Is there a stove in it?`
    if word == "there":
        # `How much does a night cost there?`: a night is no place.
        return phrase.holds_name or phrase.preposition in _PLACE_PREPOSITIONS
    if word in _THINGS and phrase.is_plural and not phrase.determiner and not phrase.holds_name:
        return False  # `Can members cook in it?`
    if phrase.is_asked_for and not phrase.holds_name:
        # `Which university has its origins ...`; but `In what year was his book printed`
        return word in _POSSESSIVE and phrase.head not in _TIME_NOUNS
    return not _is_only_verb(phrase)


def _is_only_verb(phrase: Phrase) -> bool:
    """`wrote` of `who wrote it`: nothing that a pronoun could stand for."""
    return not (phrase.determiner or phrase.holds_name or phrase.is_plural or phrase.preposition)


def _is_expletive(before: Sequence[str], after: Sequence[str]) -> bool:
    """`Why is it important to ...`, `What does it mean when ...`, `What time is it in ...`"""
    if "time" in before and before[-1:] == ["is"]:
        return True
    if before and before[-1] in _MAKING and after:
        return True  # `What makes it a good idea ...`
    if before and before[-1] in BE_LIKE and after[1:2] == ["for"]:
        return True  # `is it common for ...`
    if after[:1] and after[0] in ("take", "takes", "took") and {"for", "a"} & set(after[1:]):
        return True
    for place, word in enumerate(after[:7]):
        if word in ("that", "if", "whether") or (word in WH and place < 3):
            return True
        if word == "to" and place + 1 < len(after) and after[place + 1] not in DETERMINERS | _PERSONS | _MANY:
            return True
    return False


def _is_of_weather(before: Sequence[str], after: Sequence[str]) -> bool:
    """`Is it raining?`, `Is it dark in December?`, `How far is it to the pass?`; not `is it dark?`, of a cellar."""
    said = [other for other in after if other not in _DEGREES]
    if said and said[0] in _WEATHER | _SEASONS_AND_HOURS:
        return True
    if not before or before[-1] not in BE_LIKE | DO_LIKE:
        return False  # `Who keeps it cold in summer?`
    asked = before[-2] if before[0] == "how" else ""
    if "far" in (asked, *said[:1]) and "to" in said:
        return True
    if asked == "late" and not said:
        return True
    if asked in _CONDITIONS:
        return bool(said) and said[0] in _SETTINGS  # but `how early does it open in summer?`
    if not said or said[0] not in _CONDITIONS:
        return False
    return not _SETTINGS.isdisjoint(said) or (said in (["dark"], ["light"], ["late"]) and after[0] in ("get", "gets"))


def _antecedent(word: str, history: Sequence[Exchange], own: set[str]) -> Phrase | None:
    """What a pronoun stands for: out of the last question that names something, or its answer."""
    for exchange in reversed(history):
        asked = [phrase for phrase in noun_phrases(exchange.question) if phrase.text.lower() not in own]
        told = _names_in(exchange)
        known = [
            phrase for phrase in asked if not phrase.is_asked_for and phrase.determiner not in ("his", "her", "its")
        ]
        if word in _PERSONS:
            asks_who = _ASKS_WHO.match(exchange.question)
            names = [phrase for phrase in known if phrase.is_name and not phrase.preposition]
            people = [*told, *names] if asks_who else [*names, *told]
            candidates = [*people, *subject_first(known)]
            if asks_who and asks_who["next"].lower() not in BE_LIKE | DO_LIKE:
                # `Who wrote the report?`: its writer is meant, or nobody that is known; never the report.
                return next(iter(told), None)
        elif word == "there":
            placed = [phrase for phrase in known if phrase.preposition in _PLACE_PREPOSITIONS]
            names = [phrase for phrase in known if phrase.is_name]
            candidates = [*_as_places(placed), *names, *subject_first(known), *told]
        elif word in _MANY | {"these", "those"}:
            ordered = subject_first(known)
            candidates = [*[phrase for phrase in ordered if phrase.is_plural], *ordered, *told]
        else:
            ordered = subject_first(known)
            candidates = [*[phrase for phrase in ordered if not phrase.is_plural], *ordered, *told]
        if candidates:
            return candidates[0]
        if asked:
            return asked[0]
    return None


def _as_places(phrases: Sequence[Phrase]) -> list[Phrase]:
    """Where something is, before where it comes from."""
    return sorted(phrases, key=lambda phrase: phrase.preposition in ("from", "to"))


def _names_in(exchange: Exchange) -> list[Phrase]:
    """Names of the answer's first sentence that the question has not: what the answer brought in."""
    asked = {word.lower() for word in WORD.findall(exchange.question)}
    first = exchange.answer[:300].split("\n")[0]
    names = []
    for phrase in noun_phrases(first):
        words = phrase.text.split()
        is_new = not {word.lower() for word in words} <= asked
        # A capital alone tells nothing at the start of a sentence; two in a row do.
        is_certain = phrase.start > 0 or (len(words) > 1 and all(word[:1].isupper() for word in words))
        if phrase.is_name and is_new and is_certain and not words[-1][:1].isdigit():
            names.append(phrase)
    return names
