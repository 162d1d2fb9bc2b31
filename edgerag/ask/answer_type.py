"""What kind of answer a question asks for, told from its question word, and whether a sentence holds one."""

from __future__ import annotations

import re

_TIME = re.compile(
    r"\b(?:when|(?:what|which) (?:year|date|century|decade|month|day|time|era))\b"
    r"|何时|何時|什么时候|什麼時候|哪[一]?年|哪天|几年|幾年|いつ|언제",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"\bhow (?:many|much|long|old|far|large|big|high|tall|often|fast|deep|wide)\b"
    r"|\bwhat (?:percent|percentage|number|amount|population|share)\b"
    r"|多少|几[个個种種次人位名]|多[大长長高远遠久]|いくつ|何[人個回本]|몇",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"\b(?:who|whom|whose|where)\b|\b(?:what|which) (?:city|country|state|person|company|university|team|town|river)\b",
    re.IGNORECASE,
)
_HAS_TIME = re.compile(
    r"\b\d{3,4}s?\b|\b\d+(?:st|nd|rd|th)\b|\bcentur(?:y|ies)\b|\b(?:january|february|march|april|may|june|july|august|"
    r"september|october|november|december)\b|\d+\s*[年月日世]|世纪|世紀|\d{2}:\d{2}",
    re.IGNORECASE,
)
_HAS_COUNT = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|half|hundred|thousand|million|billion)\b"
    r"|[一二三四五六七八九十百千万萬亿億两兩]",
    re.IGNORECASE,
)
# Not at the start of a sentence, where every word has a capital.
_HAS_NAME = re.compile(r"(?<=[\w,;] )[A-Z][\w'’-]+")


def answer_type_fits(question: str, sentence: str) -> bool:
    """Whether the sentence holds what the question word asks for: a time, a count, or a name of its own.

    Returns:
        False also where the question word asks for none of them.
    """
    if _TIME.search(question):
        return bool(_HAS_TIME.search(sentence))
    if _COUNT.search(question):
        return bool(_HAS_COUNT.search(sentence))
    if _NAME.search(question):
        asked = {word.casefold() for word in re.findall(r"[\w'’-]+", question)}
        return any(name.casefold() not in asked for name in _HAS_NAME.findall(sentence))
    return False
