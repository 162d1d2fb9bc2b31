"""English follow-ups: pronouns get what they stand for, fragments the question they continue."""

from __future__ import annotations

import re
from collections.abc import Sequence

from edgerag.answers import Exchange
from edgerag.ask.phrases import (
    BE_LIKE,
    COMMANDS,
    DO_LIKE,
    PREPOSITIONS,
    WH,
    WORD,
    Phrase,
    noun_phrases,
)
from edgerag.ask.references_en import fill_references, without_one

Rewritten = tuple[str, str]
"""The stand-alone question, and what was carried over, in words."""

LONGEST_FRAGMENT_WORDS = 6
_LEAD = re.compile(r"\s*(?:(?:and|but|or|so|also|then|ok|okay|well)\b[\s,]*)+", re.IGNORECASE)
_ABOUT = re.compile(r"\s*(?:and\s+|but\s+|so\s+|then\s+)*(?:what|how)\s+about\s+(.+)", re.IGNORECASE | re.DOTALL)
_ONLY_QUESTION_WORD = re.compile(
    r"(?:why(?: not| so)?|how come|when|where|who|whom|how"
    r"|how (?:much|many|long|often|far|old|big|high|large|deep|fast)"
    r"|since when|until when|till when|(?:by|for|with|from|to) whom|(?:for|with|from) (?:what|where)|what for"
    r"|from when|by when|at what time|in what year|which|which ones?)",
    re.IGNORECASE,
)
_QUESTION_HEAD = re.compile(
    r"\s*(?:(?:in|on|at|by|for|from|to|since|until|with)\s+)?"
    r"(?:(?:what|which|whose)(?:\s+(?!(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b)\w+){0,3}"
    r"|how(?:\s+(?!(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b)\w+){0,3}"
    r"|who|whom|when|where|why)\s+(?=(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|had)\b)",
    re.IGNORECASE,
)
_TIMES = (
    re.compile(r"(?:in |on |at |during )?\b(?:1\d{3}|20\d{2})\b"),
    re.compile(r"(?:in |during |the )*\b(?:spring|summer|autumn|fall|winter)s?\b", re.IGNORECASE),
    re.compile(
        r"(?:on )?\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|(?:on )?\b(?:weekdays?|weekends?)\b", re.IGNORECASE
    ),
    re.compile(
        r"(?:in )?\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"
    ),
    re.compile(r"(?:in the |at )?\b(?:morning|afternoon|evening|night|noon|midnight|dawn)s?\b", re.IGNORECASE),
)
_TIME_PREPOSITIONS = ("in", "in", "on", "in", "at")
_DENIES = re.compile(r"\b(?:not|no|never|none|nothing|nobody|cannot)\b|n['’]t\b", re.IGNORECASE)
_SUBJECT_PRONOUNS = frozenset("i you he she it we they one there".split())
_LIKE_THE_ONE = re.compile(r"the ones? ((?:in|on|at|for|of|from|near|with|by)\s.+)", re.IGNORECASE)


def looks_english(question: str) -> bool:
    """Whether an English question word, auxiliary, preposition or conjunction stands in it."""
    words = {word.lower() for word in WORD.findall(question)}
    return bool(words & (WH | DO_LIKE | BE_LIKE | COMMANDS)) or is_fragment(question)


def is_fragment(question: str) -> bool:
    """Whether it is no whole question: `and in winter?`, `what about members?`, `why?`, `the cellar?`"""
    return _fragment(question) is not None


def rewrite_english(question: str, history: Sequence[Exchange]) -> Rewritten | None:
    """Make a follow-up stand alone; None where it already does, or nothing fits what it leaves out."""
    previous = history[-1].question
    fragment = _fragment(question)
    if fragment is not None:
        is_shouted = fragment.isupper() and not question.isupper()  # `what about IT?`: no pronoun
        if not is_shouted and (filled := fill_references(fragment, history, takes_one=False)):
            # `what about its height?` names the thing itself.
            return f"{_sentence_case(filled[0])}?", filled[1]
        return _continued(previous, fragment), f'continues "{previous}"'
    bare = _LEAD.sub("", question, count=1) if _LEAD.match(question) else question
    filled = fill_references(bare, history)
    return None if filled is None else (_sentence_case(filled[0]), filled[1])


def _fragment(question: str) -> str | None:
    """What a fragment adds to the question before, without the words that only link; None for a whole question."""
    asks = question.rstrip().endswith(("?", "？"))
    bare = question.strip().rstrip("?？!. ")
    about = _ABOUT.fullmatch(bare)
    if about:
        return about[1].strip()
    led = _LEAD.match(bare)
    rest = bare[led.end() :] if led else bare
    if _ONLY_QUESTION_WORD.fullmatch(rest):
        return rest
    words = [word.lower() for word in WORD.findall(rest)]
    if not words or len(words) > LONGEST_FRAGMENT_WORDS or set(words) & (WH | DO_LIKE | BE_LIKE):
        return None
    if led and led[0].strip().lower() not in ("so", "also", "ok", "okay", "well"):
        return rest
    is_short = len(words) <= 4 if words[0] in PREPOSITIONS else len(words) <= 3
    return rest if asks and is_short and not question.strip()[:1].isupper() else None


def _continued(previous: str, fragment: str) -> str:
    stem = previous.strip().rstrip("?？!. ")
    if _ONLY_QUESTION_WORD.fullmatch(fragment):
        return _with_other_question_word(stem, fragment)
    if replaced := _with_other_time(stem, fragment):
        return f"{replaced}?"
    if like := _LIKE_THE_ONE.fullmatch(fragment):
        fragment = like[1]  # `the one at Kvitnes`, after a question about the lighthouse at Varn
    words = fragment.split()
    preposition = words[0].lower() if words[0].lower() in PREPOSITIONS else ""
    phrases = noun_phrases(stem)
    if preposition:
        for phrase in reversed(phrases):
            if phrase.preposition == preposition and _is_alike(phrase, " ".join(words[1:])):
                start = (
                    stem.rindex(preposition, 0, phrase.start) if preposition in stem[: phrase.start] else phrase.start
                )
                return f"{stem[:start]}{fragment}{stem[phrase.end :]}?"
        return f"{stem} {fragment}?"
    fragment = without_one(fragment, phrases)
    for phrase in _by_shared_head(phrases, fragment):
        if _is_alike(phrase, fragment) and not phrase.is_asked_for:
            return _sentence_case(f"{stem[: phrase.start]}{fragment}{stem[phrase.end :]}?")
    return f"{stem} for {fragment}?"


def _by_shared_head(phrases: Sequence[Phrase], fragment: str) -> list[Phrase]:
    """Phrases of the same noun first: `the smaller boat` takes the place of `the larger boat`."""
    head = _phrase_of(fragment).head
    return sorted(phrases, key=lambda phrase: phrase.head != head)


def _phrase_of(text: str) -> Phrase:
    """A fragment as a phrase; the word before it keeps a capital from looking like the start of a sentence."""
    found = noun_phrases(f"about {text}")
    return found[0] if found else Phrase(0, len(text), text, "", "", False)


def _is_alike(phrase: Phrase, fragment: str) -> bool:
    """Whether a fragment can stand where the phrase stands: names for names, `the` for `the`, plural for plural."""
    other = _phrase_of(fragment)
    if phrase.head == other.head:
        return True
    if phrase.is_name or other.is_name:
        return phrase.is_name and other.is_name
    if phrase.determiner or other.determiner:
        return phrase.is_definite == other.is_definite and bool(phrase.determiner) == bool(other.determiner)
    return phrase.is_plural == other.is_plural


def _with_other_time(stem: str, fragment: str) -> str | None:
    for pattern, preposition in zip(_TIMES, _TIME_PREPOSITIONS, strict=True):
        if not pattern.fullmatch(fragment):
            continue
        added = fragment if fragment.split()[0].lower() in PREPOSITIONS else f"{preposition} {fragment}"
        known = pattern.search(stem)
        if known is None:
            return f"{stem} {added}"
        has_preposition = known[0].split()[0].lower() in PREPOSITIONS
        return f"{stem[: known.start()]}{added if has_preposition else fragment}{stem[known.end() :]}"
    return None


def _with_other_question_word(stem: str, question_word: str) -> str:
    head = _QUESTION_HEAD.match(stem)
    asks_why_not = question_word.lower() == "why not" and not _DENIES.search(stem)
    question_word = re.sub(r"(?<=why) (?:not|so)$", "", question_word, flags=re.IGNORECASE)
    words = [word.lower() for word in WORD.findall(question_word)]
    first = WORD.search(stem)
    is_yes_or_no = first is not None and first[0].lower() in DO_LIKE | BE_LIKE
    asks_for_part = words[0] in ("who", "which")
    if head and not asks_for_part:
        clause = stem[head.end() :]
        return _sentence_case(f"{question_word} {_denied(clause) if asks_why_not else clause}?")
    if is_yes_or_no and not asks_for_part:
        clause = f"{stem[0].lower()}{stem[1:]}"
        return _sentence_case(f"{question_word} {_denied(clause) if asks_why_not else clause}?")
    # `Who built the stove?` - `when?`: no auxiliary tells how to turn it round, so that both are kept.
    rest = stem[head.end() :] if head else re.sub(r"^\s*(?:who|what|which)\s+", "", stem, flags=re.IGNORECASE)
    return _sentence_case(f"{question_word} ({rest})?")


def _denied(clause: str) -> str:
    """`does the lease allow dogs` -> `does the lease not allow dogs`: without its `not`, `why not?` asks the opposite.

    Args:
        clause: Begins with its auxiliary.
    """
    place = _end_of_subject(clause)
    return f"{clause[:place]} not{clause[place:]}"


def _end_of_subject(clause: str) -> int:
    """Where the subject ends; where the auxiliary does if that is uncertain, which reads stiffly but says the same."""
    words = list(WORD.finditer(clause))
    auxiliary = words[0]
    if len(words) > 1 and words[1][0].lower() in _SUBJECT_PRONOUNS:
        return words[1].end()
    subject = next(iter(noun_phrases(clause)), None)
    if subject is None or len(words) < 2 or subject.start != words[1].start():
        return auxiliary.end()
    num_content = len(subject.text.split()) - bool(subject.determiner)
    following = next((word[0].lower() for word in words if word.start() >= subject.end), "")
    if not following:
        return auxiliary.end()
    if subject.is_name or num_content == 1:
        return subject.end
    if auxiliary[0].lower() in BE_LIKE:
        return auxiliary.end() if following in PREPOSITIONS else subject.end
    if num_content == 2 and following.endswith(("s", "ing")):
        # `the lease allow` + `dogs`: the verb, which has no such ending here, is taken for part of the phrase.
        return subject.end - len(subject.text.split()[-1]) - 1
    return auxiliary.end()


def _sentence_case(text: str) -> str:
    stripped = text.strip()
    return stripped[:1].upper() + stripped[1:]
