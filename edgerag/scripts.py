"""Tells Chinese, Japanese and Korean text from spaced scripts, and makes it searchable by bigrams."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache

CJK_LANGUAGES = frozenset({"zh", "ja", "ko", "*"})
_RANGES = (
    "\u1100-\u11ff"  # Hangul Jamo: what macOS makes of Korean file names and texts
    "\u2e80-\u2fdf"  # radicals: PDF fonts often map ideographs to these
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # iteration marks, 〇, Suzhou numerals
    "\u3041-\u3096\u3099\u309a\u309d-\u309f"  # Hiragana, combining voice marks
    "\u30a1-\u30fa\u30fc-\u30ff"  # Katakana without the middle dot, which parts words
    "\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff"  # Bopomofo, compatibility Jamo, small Katakana
    "\u3400-\u4dbf\u4e00-\u9fff"  # Han
    "\ua960-\ua97f\uac00-\ud7a3\ud7b0-\ud7ff"  # Hangul
    "\uf900-\ufaff"  # compatibility ideographs
    "\uff66-\uff9f\uffa0-\uffdc"  # half-width Katakana and Hangul
    "\U0001aff0-\U0001b16f"  # Kana extensions
    "\U00020000-\U0003ffff"  # Han extensions B and later
)
_UNSPACED = _RANGES + "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""With Thai, Lao, Burmese and Khmer: scripts in which a word may begin behind any letter."""
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
"""Variation selectors choose a glyph, never another character: a search must not see them."""
_SELECTOR = re.compile(f"[{_SELECTORS}]")
_LETTERS = re.compile(r"[^\W\d_]+")
_WIDE_FORMS = re.compile("[\uff01-\uff60\uffe0-\uffe6\u3000]+")


# These take 4 ms each to compile, which a search in plain ASCII does without.
@cache
def _cjk_char() -> re.Pattern[str]:
    return re.compile(f"[{_RANGES}]")


@cache
def _unspaced_char() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _cjk_run() -> re.Pattern[str]:
    return re.compile(f"[{_RANGES}][{_RANGES}{_SELECTORS}]*")


def is_cjk(ch: str) -> bool:
    """Whether one character is a Han, Kana, Hangul or Bopomofo letter, or an iteration mark."""
    return _cjk_char().fullmatch(ch) is not None


def word_places(text: str, word: str) -> list[int]:
    """Where a word begins in a text of the same case: at the beginning of a word, or beside a script without spaces.

    "rain" begins in "rainfall" and in "下rain", not in "drained"; "港口" begins wherever it stands.
    """
    places = (match.start() for match in re.finditer(re.escape(word), text))
    if _is_unspaced(word[:1]):
        return list(places)
    return [place for place in places if not text[place - 1 : place].isalnum() or _is_unspaced(text[place - 1])]


def _is_unspaced(ch: str) -> bool:
    return not ch.isascii() and _unspaced_char().match(ch) is not None


def has_cjk(text: str) -> bool:
    """Whether any character is CJK as `is_cjk` says."""
    return not text.isascii() and _cjk_char().search(text) is not None


def cjk_share(text: str) -> float:
    """Share of a text's letters that are CJK, 0 to 1; 0 for a text without letters."""
    if text.isascii():
        return 0.0
    num_cjk = len(_cjk_char().findall(text))
    num_letters = sum(len(run) for run in _LETTERS.findall(_cjk_char().sub(" ", text)))
    return num_cjk / (num_cjk + num_letters) if num_cjk else 0.0


def knows_script(languages: Collection[str], text: str) -> bool:
    """Whether a model of these languages (ISO 639-1, or `*`) was trained on the script of a text.

    Only CJK is told from the rest: for it, the cosines of an English embedder are close to noise and the sentences of a
    small English generator are garbled.
    """
    return cjk_share(text) <= 0.5 or not CJK_LANGUAGES.isdisjoint(languages)


def segment_scripts(text: str) -> Iterator[tuple[str, bool]]:
    """Cut a text into runs, in order and without gaps, each with whether it is CJK."""
    end = 0
    for match in _cjk_run().finditer(text):
        if match.start() > end:
            yield text[end : match.start()], False
        yield match.group(), True
        end = match.end()
    if end < len(text):
        yield text[end:], False


def lexical_tokens_text(text: str) -> str:
    """Rewrite a text so that FTS5's `unicode61`, which splits at spaces, finds words in any script.

    A CJK run becomes its bigrams parted by spaces (a single character stays itself): `unicode61` takes a
    whole Chinese sentence for one word. Full-width forms and compatibility characters become ordinary ones.
    The same function is used when a chunk is indexed and when it is searched for.
    """
    if text.isascii():
        return text
    text = _WIDE_FORMS.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return _cjk_run().sub(_bigrams, text)


def _bigrams(match: re.Match[str]) -> str:
    run = _SELECTOR.sub("", unicodedata.normalize("NFKC", match.group()))
    if len(run) == 1:
        return f" {run} "
    return f" {' '.join(map(str.__add__, run, run[1:]))} "
