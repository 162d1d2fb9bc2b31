"""Whether a generated sentence stands in the passages. Nothing the generator says is believed without it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgerag.ask.claims import Claims, claims_of, name_words, unified
from edgerag.ask.extract import EvidenceSentence
from edgerag.ask.measures import Measure, Moment, differ, find_measures, find_moments, misplaced
from edgerag.ask.numbers import Number, find_numbers
from edgerag.ask.polarity import PLAIN_NEGATIONS, contradicts
from edgerag.ask.terms import CJK_STOP_CHARS, content_terms, coverage, terms
from edgerag.coded_text import coded
from edgerag.scripts import cjk_share, is_cjk, segment_scripts

COVERAGE_SHARE = 0.6
"""Of the similarity; the rest is the cosine."""
TERM_FLOOR = 0.7
"""Least share of a sentence's terms that must stand in the one that supports it: `born in 1943` against `died in 1943`
has a high cosine and every number and name, and only this tells them apart."""
NOVEL_FLOOR = 0.7
"""The same for the terms that the question did not bring in: they are the answer."""
CLAUSE_FLOOR = 0.5
"""The same for each clause by itself, so that a faithful sentence does not carry an invented `, which ...` along."""
BARE_FLOOR = 0.5
"""Least share of the question's own words in the sentence that supports a bare `1943.`"""
NEAR_CHARS, NEAR_CHARS_CJK = 48, 16
"""Text around a number in which its meaning stands: what was counted, what happened in that year."""
MAX_PARTS = 4

_SUBORDINATE = re.compile(
    r"[,;:，；：、()（）–—]\s*|\s(?=(?:which|who|whose|where|when|that|because|but|although|while|whereas|since)\s)"
)
_PRONOUN = re.compile(r"(?:he|she|it|they|this|these|that|those|its|his|her|their)\b|[他她它这這那其]", re.IGNORECASE)
_CLAUSE = re.compile(r"\s*(?:;|；|，|,?\s+and\s+|,?\s+but\s+|,?\s+while\s+|,?\s+whereas\s+)\s*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of checking one sentence."""

    supports: tuple[EvidenceSentence, ...]
    """Sentences that support it, each a part of it or the whole; empty: unsupported."""
    reason: str = ""
    """Why it is unsupported."""
    similarity: float = 0.0
    """To the nearest sentence, 0 to 1."""


class Evidence:
    """The sentences that an answer may rest on, prepared for many checks."""

    def __init__(self, question: str, sentences: Sequence[EvidenceSentence]) -> None:
        self.question = question
        self.sentences = tuple(sentences)
        self.asked = frozenset(content_terms(question))
        asked_names = {term for name in claims_of(question).names for word in name for term in terms(word)}
        self.asked_about = frozenset(term for term in self.asked - asked_names if not term.isdigit())
        """What the question says about its names and numbers: `born` in `When was Tesla born?`"""
        self.asked_words = name_words(question)
        self.asked_numbers = frozenset(find_numbers(question))
        self._sources = [_Source(sentence) for sentence in self.sentences]

    def check(self, text: str, similarities: Sequence[float] | None, *, support_floor: float) -> Verdict:
        """Check one sentence.

        Args:
            text: Cleaned (see `answer_stream.clean_sentence`).
            similarities: Its cosine to each of the sentences; None where the embedder does not know the script.
            support_floor: Least similarity, 0 to 1, to the sentence that supports it.

        Returns:
            The one sentence that supports the whole; or, for `A, and B`, one for each part. Two sentences together
            never support one statement: `born in 1943` would stand on `born in 1856` and `died in 1943`.
        """
        whole = self._check_statement(text, similarities, support_floor)
        if whole.supports:
            return whole
        parts = [part for part in _CLAUSE.split(text.rstrip(" .。!！")) if part]
        if (
            not 1 < len(parts) <= MAX_PARTS
            or any(len(content_terms(part)) < 3 for part in parts)
            # Whom `they` means is another sentence's business.
            or any(_PRONOUN.match(part) for part in parts[1:])
        ):
            return whole
        supports: dict[int, EvidenceSentence] = {}
        for part in parts:
            # The cosine of the whole says little about a part.
            verdict = self._check_statement(part, None, support_floor)
            if not verdict.supports:
                return whole
            supports |= {id(sentence): sentence for sentence in verdict.supports}
        return Verdict(tuple(supports.values()), "", whole.similarity)

    def _check_statement(self, text: str, similarities: Sequence[float] | None, support_floor: float) -> Verdict:
        statement = _Statement(text, self)
        if not statement.terms:
            return Verdict((), coded("unsupported.nothing", "it states nothing that can be checked"))
        if statement.only_repeats:
            return Verdict((), coded("unsupported.repeats", "it only repeats the question"))
        ranked: list[tuple[float, int]] = []
        for row, source in enumerate(self._sources):
            covered = statement.coverage_by(source)
            cosine = covered if similarities is None else max(similarities[row], 0.0)
            ranked.append((COVERAGE_SHARE * covered + (1 - COVERAGE_SHARE) * cosine, row))
        ranked.sort(key=lambda item: (-item[0], item[1]))
        reason = ""
        for similarity, row in ranked:
            problem = statement.problem_with(self._sources[row])
            reason = reason or problem or coded("unsupported.no_resemblance", "it resembles no passage")
            if similarity < support_floor:
                break
            if not problem:
                return Verdict((self.sentences[row],), "", similarity)
        return Verdict(
            (), reason or coded("unsupported.no_passage", "there is no passage"), ranked[0][0] if ranked else 0.0
        )


class _Source:
    """A sentence of a passage with all that statements are compared with, each made when first needed."""

    def __init__(self, sentence: EvidenceSentence) -> None:
        chunk, document = sentence.passage.chunk, sentence.passage.document
        self.text = sentence.text
        self._around = f"{document.title}\n{chunk.heading or ''}\n{chunk.text}"

    @cached_property
    def terms(self) -> frozenset[str]:
        return frozenset(terms(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        return name_words(self.text)

    @cached_property
    def numbers(self) -> dict[Number, str]:
        return find_numbers(self.text)

    @cached_property
    def measures(self) -> dict[Number, list[Measure]]:
        return find_measures(self.text)

    @cached_property
    def moments(self) -> dict[Moment, str]:
        return find_moments(self.text)

    @cached_property
    def unified(self) -> str:
        return unified(self.text)

    # What the question named already may stand anywhere in the passage: `He was born in 1856` under `Tesla`.

    @cached_property
    def terms_around(self) -> frozenset[str]:
        return frozenset(terms(self._around))

    @cached_property
    def words_around(self) -> frozenset[str]:
        return name_words(self._around)

    @cached_property
    def numbers_around(self) -> dict[Number, str]:
        return find_numbers(self._around)


class _Statement:
    """What a sentence says, ready to be compared with sources."""

    def __init__(self, text: str, evidence: Evidence) -> None:
        self.text = text
        self._evidence = evidence
        self._claims: Claims = claims_of(text)
        self._measures = find_measures(text) if self._claims.numbers else {}
        self._moments = find_moments(text) if self._claims.numbers else {}
        self._name_terms = {term for name in self._claims.names for word in name for term in terms(word)}
        number_terms = {term for written in self._claims.numbers.values() for term in terms(written)}
        every = content_terms(text) if any(character.isalnum() for character in text) else ()
        # Numbers are compared by value, since `32` and `三十二` share no term.
        self.terms = tuple(term for term in every if term not in number_terms | PLAIN_NEGATIONS) or every
        self._is_bare = not set(self.terms) - self._name_terms - number_terms
        """Whether it gives names and numbers alone, and leaves to the question what they are."""
        self.only_repeats = (
            self._is_bare and set(every) <= evidence.asked and not set(self._claims.numbers) - evidence.asked_numbers
        )
        self._novel = [term for term in self.terms if term not in evidence.asked]

    def coverage_by(self, source: _Source) -> float:
        return coverage(self.terms, self._found_in(source))

    def _found_in(self, source: _Source) -> frozenset[str]:
        # A lone character is the rest of a bigram that a digit or a stop cut off.
        lone = {term for term in self.terms if len(term) == 1 and is_cjk(term) and term in source.text}
        return source.terms | self._topic_terms(source) | lone | self._unit_terms(source)

    def _unit_terms(self, source: _Source) -> set[str]:
        """Words of units that the source writes in another way: `300 euros` for `€300`."""
        return {
            term
            for number, stated in self._measures.items()
            for measure in stated
            if measure.units and number in source.numbers
            if any(measure.units & other.units for other in source.measures.get(number, ()))
            for term in terms(measure.written)
        }

    def _topic_terms(self, source: _Source) -> frozenset[str]:
        """Names of the question's that the passage holds elsewhere."""
        topic = self._name_terms | {term for term in self.terms if term.isdigit()}
        return frozenset(topic & self._evidence.asked & source.terms_around)

    def problem_with(self, source: _Source) -> str:
        """Why this source does not support the statement, or nothing."""
        for number, written in self._claims.numbers.items():
            in_topic = number in self._evidence.asked_numbers and number in source.numbers_around
            if number not in source.numbers and not in_topic:
                return coded("unsupported.number", "number {number} does not occur in the passage", number=written)
            if number in source.numbers and not self._means_the_same(written, source, source.numbers[number]):
                return coded(
                    "unsupported.number_meaning",
                    "number {number} stands for something else in the passage",
                    number=written,
                )
            if differ(self._measures.get(number, ()), source.measures.get(number, ())):
                return coded("unsupported.unit", "{number} stands with another unit in the passage", number=written)
        if moment := misplaced(self._moments, source.moments):
            return coded("unsupported.number", "number {number} does not occur in the passage", number=moment)
        for name in self._claims.names:
            for word in name:
                in_topic = word in self._evidence.asked_words and word in source.words_around
                # `Newcastle-based` is found as Newcastle and base.
                parts = set(terms(word))
                if word not in source.words and not in_topic and not (parts and parts <= self._found_in(source)):
                    return coded("unsupported.name", "name {name} does not occur in the passage", name=" ".join(name))
        for term in self._claims.quoted:
            if term not in source.unified:
                return coded("unsupported.quoted", "quoted term {term} does not occur in the passage", term=term)
        if missing := _missing_cjk(self.text, source, self._evidence.asked):
            return coded("unsupported.word", "{word} does not occur in the passage", word=missing)
        if self.coverage_by(source) < TERM_FLOOR or (
            self._novel and coverage(self._novel, self._found_in(source)) < NOVEL_FLOOR
        ):
            return coded("unsupported.says_else", "the passage says something else")
        for clause in _SUBORDINATE.split(self.text):
            clause_terms = set(content_terms(clause)) & set(self.terms)
            if len(clause_terms) > 1 and coverage(clause_terms, self._found_in(source)) < CLAUSE_FLOOR:
                return coded("unsupported.clause", "the passage does not say `{clause}`", clause=clause.strip())
        about = self._evidence.asked_about
        if self._is_bare and about and coverage(about, source.terms) < BARE_FLOOR:
            return coded("unsupported.speaks_else", "the passage speaks of something else there")
        if term := contradicts(self.text, source.text):
            return coded(
                "unsupported.negation", "the passage and the sentence disagree on whether `{term}` is denied", term=term
            )
        return ""

    def _means_the_same(self, written: str, source: _Source, source_written: str) -> bool:
        """Whether a word that stands near a number also stands near it in the source."""
        width = NEAR_CHARS_CJK if cjk_share(self.text) > 0.5 else NEAR_CHARS
        near = set(_near(self.text, written, width)) - self._name_terms - set(terms(written))
        near &= set(self.terms)
        if not near:
            return True
        # Twice as wide: the source says in a subordinate clause what the answer says in three words.
        found = _near(source.text, source_written, 2 * width)
        return not found or bool(near & set(found))


def _near(text: str, written: str, width: int) -> list[str]:
    found: list[str] = []
    for match in re.finditer(re.escape(written), text):
        start, end = max(0, match.start() - width), match.end() + width
        found += terms(text[start : match.start()]) + terms(text[match.end() : end])
    return found


def _missing_cjk(text: str, source: _Source, asked: frozenset[str]) -> str:
    """A word of a CJK text that the source has not; Chinese has no capitals to tell names by.

    A foreign word of two characters leaves two bigrams in a row without a match at the end of a stretch, and three
    within it; a single one is where two words of the source meet in another way.
    """
    for run, is_cjk_run in segment_scripts(text):
        if not is_cjk_run:
            continue
        for stretch in re.split(f"[{''.join(CJK_STOP_CHARS)}]", run):
            pairs = [stretch[start : start + 2] for start in range(len(stretch) - 1)]
            known = [
                pair in source.text or pair in source.terms or (pair in asked and pair in source.terms_around)
                for pair in pairs
            ]
            start = 0
            while start < len(known):
                end = start
                while end < len(known) and not known[end]:
                    end += 1
                at_edge = start == 0 or end == len(known)
                if end - start == len(known) > 0 or end - start >= (2 if at_edge else 3):
                    # The outer bigrams reach into the known words beside it.
                    return stretch[start + (start > 0) : end + (end == len(known))]
                start = max(end, start) + 1
    return ""
