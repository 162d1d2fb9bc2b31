"""A generator's raw text, cleaned as it comes, cut into sentences as soon as each is complete."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from edgerag.sentences import split_sentences

# What a model writes to look as if it cited: it is taken out, citations come from checking alone. A bare number in
# brackets or behind a caret is taken for that only where citations stand, since `10^6` and `clause [12]` say something.
_NUMBERS = r"#?(?:[1-4]\d|[1-9])(?!\d)(?:\s*[,;，、-]\s*#?\d{1,2})*"
_BARE = rf"[\[【]\s*\^?{_NUMBERS}\s*[\]】]"
_ENDS_CLAUSE = (
    rf"(?=(?:\s*{_BARE})*\s*"
    r"(?:$|[.,;:!?)\"”’。，；：！？、）」』—–]|(?:and|but|or|so|then|while|which|who|where|because)\b|[而和与并且但]))"
)
_NAMED = r"(?:source|passage|fact|evidence|sentence|ref|资料|来源)s?\s*#?\d{1,2}(?:\s*[,;，、-]\s*#?\d{1,2})*"
_MARKER = re.compile(
    rf"\s*(?:[\[【（(]\s*{_NAMED}\s*[\]】）)]|(?:^{_BARE}|{_BARE}{_ENDS_CLAUSE}"
    rf"|(?<![\w)\]}}])(?<![\d)]\s)\^\d{{1,2}}(?!\d){_ENDS_CLAUSE}))",
    re.IGNORECASE,
)
_TAKES_A_NUMBER = re.compile(
    r"(?:\b(?:clause|section|article|annex|appendix|page|chapter|figure|fig\.|table|step|note|footnote|item|paragraph|"
    r"equation|eq\.|line|row|part|volume|reference|see|no\.|number)s?|[第见見])$",
    re.IGNORECASE,
)
_POINTER = re.compile(
    r"\b(?:according to|based on|as (?:stated|mentioned) in|in|from) (?:the )?"
    r"(?:source|passage|fact|evidence|sentence|document)s?"
    r"(?: (?:number )?#?\d{1,2}| above| given| provided)?\s*[,:]\s*",
    re.IGNORECASE,
)
# A dash before a number may be its sign.
_LIST_MARK = re.compile(r"^\s*(?:[*•·]\s+|[-–]\s+(?!\d)|\(?\d{1,2}[.)]\s+|#+\s+)+")
_LABEL = re.compile(
    r"^\s*(?:(?:the )?(?:answer|response)(?: to (?:this|the|your) question)?\s*(?:is\s*)?[:：]"
    r"|(?:回答|答案|答)(?:是)?\s*[:：])\s*",
    re.IGNORECASE,
)
# `2**3`, `2 ** 3` and `__init__` are no emphasis.
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9)])\*\*(?!\s)|(?<!\s)\*\*(?![A-Za-z0-9(-])|`")
_UNDERLINED = re.compile(r"(?<!\w)__(?![a-z0-9_]+__)(?=\S)(.+?)(?<=\S)__(?!\w)")
_THOUGHT_OPEN, _THOUGHT_CLOSE = "<think>", "</think>"
# A model that says so is believed in this alone.
_DECLINES = re.compile(
    r"\b(?:i (?:do not|don['’]t|cannot|can['’]t|am unable to|am not able to) "
    r"(?:know|answer|find|provide|determine|help)"
    r"|(?:i am|i'm) sorry|(?:cannot|can['’]t|could not) be (?:answered|determined|found)"
    r"|(?:no|not enough|insufficient) information|(?:facts?|text|passages?|context|documents?|information) "
    r"(?:given |provided |above )?(?:do|does)(?: not|n['’]t) (?:say|mention|state|provide|contain|specify|include)"
    r"|(?:is|are) not (?:mentioned|stated|provided|specified|given) in)\b"
    r"|不知道|无法(?:回答|确定|得知)|無法(?:回答|確定|得知)|(?:没有|沒有|未)(?:提到|提及|说明|說明|提供)",
    re.IGNORECASE,
)


_KEPT_FORMAT_CHARS = "\u200c\u200d"
"""Joiners, without which Persian, Hindi and some emoji are misspelt."""
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean_text(text: str) -> str:
    """Take out what could steer a terminal or hide text: control, format and private characters, lone surrogates.

    Newlines stay, in the form `\\n`.
    """
    if text.isascii() and text.isprintable():
        return text
    unified = re.sub("\r\n?|[\u2028\u2029\x0b\x0c\x85]", "\n", text).replace("\t", " ")
    return "".join(
        character
        for character in unified
        if character == "\n"
        or character in _KEPT_FORMAT_CHARS
        or unicodedata.category(character) not in _DROPPED_CATEGORIES
    )


def clean_sentence(text: str) -> str:
    """A sentence as it is checked and shown: one line, without markers, list marks and labels of the model's own."""
    line = " ".join(clean_text(text).split())
    line = _LABEL.sub("", _LIST_MARK.sub("", _UNDERLINED.sub(r"\1", _EMPHASIS.sub("", line))))
    line = _MARKER.sub(_without_marker, line)
    without_pointer = _POINTER.sub("", line)
    if without_pointer != line and without_pointer:
        line = without_pointer[0].upper() + without_pointer[1:]
    return re.sub(r"\s+([.,;:!?])(?!\w)", r"\1", line).strip()


def _without_marker(match: re.Match[str]) -> str:
    return match[0] if _TAKES_A_NUMBER.search(match.string, 0, match.start()) else ""


def declines(text: str) -> bool:
    """Whether the generator seems to say that it cannot answer; a statement about the world may sound the same."""
    return bool(_DECLINES.search(text))


def cuts_short(stopped_by: str, user_stops: Sequence[str]) -> bool:
    """Whether a user's stop string ended an answer in the midst of a sentence.

    Args:
        stopped_by: The stop string that was reached, or nothing. The prompt's own end an answer where it is over.
    """
    return stopped_by in user_stops and bool(stopped_by) and not _ENDS_SENTENCE.match(stopped_by)


class SentenceStream:
    """Cuts a stream of text into sentences."""

    def __init__(self) -> None:
        self._pending = ""
        self._buffer = ""
        self._in_thought = False
        self._seen: set[str] = set()
        self.is_repeating = False
        """Whether a sentence came a second time."""

    def feed(self, delta: str) -> tuple[str, list[str]]:
        """Take the next piece.

        Returns:
            What may be shown of it, and the sentences that are complete now, cleaned; empty ones and repetitions
            are left out.
        """
        shown = clean_text(self._without_thoughts(delta))
        self._buffer += shown
        spans = split_sentences(self._buffer)
        complete: list[str] = []
        if len(spans) > 1:
            # The last one may still grow, and what follows it decides whether its full stop ends it.
            complete = [self._buffer[start:end] for start, end in spans[:-1]]
            self._buffer = self._buffer[spans[-1][0] :]
        return shown, self._cleaned(complete)

    def finish(self) -> tuple[list[str], str]:
        """End the stream.

        Returns:
            Last sentences that are complete, and the text of one that breaks off, or nothing.
        """
        if not self._in_thought:
            self._buffer += clean_text(self._pending)
        self._pending = ""
        rest = [self._buffer[start:end] for start, end in split_sentences(self._buffer)]
        self._buffer = ""
        broken = "" if not rest or _ENDS.search(rest[-1]) else rest.pop()
        return self._cleaned(rest), clean_sentence(broken)

    def _cleaned(self, sentences: list[str]) -> list[str]:
        kept: list[str] = []
        for sentence in map(clean_sentence, sentences):
            key = sentence.casefold()
            if not any(character.isalnum() for character in sentence):
                continue
            if key in self._seen:
                self.is_repeating = True
            else:
                self._seen.add(key)
                kept.append(sentence)
        return kept

    def _without_thoughts(self, delta: str) -> str:
        """Drop what stands between thought tags, however the tags are cut by the stream."""
        self._pending += delta
        shown = ""
        while True:
            tag = _THOUGHT_CLOSE if self._in_thought else _THOUGHT_OPEN
            before, found, after = self._pending.partition(tag)
            if not found:
                held = _length_of_tag_start(self._pending, tag)
                end = len(self._pending) - held
                if not self._in_thought:
                    shown += self._pending[:end]
                self._pending = self._pending[end:]
                return shown
            if not self._in_thought:
                shown += before
            self._in_thought = not self._in_thought
            self._pending = after


_ENDS_SENTENCE = re.compile(r"[^\S\n]*[\n.!?…。！？｡]")
_ENDS = re.compile(r"[.!?…。！？｡][\"'”’»」』）)\]]*$")


def _length_of_tag_start(text: str, tag: str) -> int:
    """How many characters at the end of a text could be the beginning of a tag."""
    return next((length for length in range(min(len(tag) - 1, len(text)), 0, -1) if text.endswith(tag[:length])), 0)
