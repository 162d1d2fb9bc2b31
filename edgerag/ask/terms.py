"""Words and bigrams for comparing a question with sentences: stemmed a little, function words told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import log

from edgerag.scripts import lexical_tokens_text

WORD = re.compile(r"[^\W_]+")

STOP_WORDS = frozenset(
    """a about after all also although am an and any are as at be because been before being both but by can could did
    do does doing done during each either for from had has have having he her here hers him his how however i if in
    into is it its itself just may me might more most much many must my no nor not now of off on one only or other our
    out over own per same she should since so some such than that the their them themselves then there therefore
    these they this those though thus to too under until up upon very was we were what when where whether which while
    who whom whose why will with within without would yes you your
    kind name named names type called
    t s re ve ll d m isn aren wasn weren don doesn didn hasn haven hadn couldn wouldn shouldn mustn""".split()
)
"""English words that say nothing about a topic. Of other languages' words the frequency weights take care."""
CJK_STOP_CHARS = frozenset(
    "的是在了和与與及或于於由被为為从從对對把将將中有也都就而以其之这這那哪谁誰么麼什吗嗎呢吧个個们們"
)
"""Chinese characters that are mostly grammar; a bigram of two of them says nothing about a topic."""
CJK_PARTICLES = frozenset("的了吗嗎呢吧么麼什哪谁誰")
"""Those that no word of meaning holds: a bigram with one of them only says where two words met."""

# (ending, what stands for it), longest first; only what leaves three letters is cut. Cruder than Porter's on purpose:
# both sides are treated alike, and on XQuAD it picked the same sentences.
_ENDINGS = (
    ("ations", ""), ("ation", ""), ("ments", "ment"), ("ings", ""), ("ing", ""), ("edly", ""), ("ies", "y"),
    ("ied", "y"), ("ers", "er"), ("ions", ""), ("ion", ""), ("ed", ""), ("es", ""), ("ly", ""), ("s", ""),
    ("e", ""),
)  # fmt: skip


def stem(word: str) -> str:
    """Cut common English endings off a lower-case word; other scripts stay as they are."""
    if not word.isascii() or len(word) < 4 or not word.isalpha():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]  # stopped -> stop
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def words_of(text: str) -> list[str]:
    """Lower-case words and CJK bigrams, in order."""
    return WORD.findall(lexical_tokens_text(text).lower())


def terms(text: str) -> list[str]:
    """Stemmed words and CJK bigrams, in order, function words included."""
    return [stem(word) for word in words_of(text)]


def content_terms(text: str) -> tuple[str, ...]:
    """The terms that carry a topic, each once, in order; all terms where none does."""
    words = words_of(text)
    kept = [stem(word) for word in words if not is_function_word(word)]
    return tuple(dict.fromkeys(kept or [stem(word) for word in words]))


def is_function_word(word: str) -> bool:
    """Whether a lower-case word, or a bigram, says nothing about a topic."""
    return (
        word in STOP_WORDS
        or all(character in CJK_STOP_CHARS for character in word)
        or (not word.isascii() and any(character in CJK_PARTICLES for character in word))
    )


def rarity(texts: Sequence[Collection[str]]) -> Callable[[str], float]:
    """Weigh terms by how few of these texts hold them.

    Args:
        texts: The set of terms of each text.

    Returns:
        The inverse document frequency of BM25, above 0, by term.
    """
    counts: Counter[str] = Counter(term for text in texts for term in set(text))
    num_texts = len(texts)

    def weight(term: str) -> float:
        return log(1.0 + (num_texts - counts[term] + 0.5) / (counts[term] + 0.5))

    return weight


def coverage(wanted: Iterable[str], found: Collection[str], weight: Callable[[str], float] | None = None) -> float:
    """Share of the wanted terms' weight that was found, 0 to 1; 0 where nothing is wanted."""
    weights: Mapping[str, float] = {term: weight(term) if weight else 1.0 for term in wanted}
    total = sum(weights.values())
    return sum(value for term, value in weights.items() if term in found) / total if total else 0.0
