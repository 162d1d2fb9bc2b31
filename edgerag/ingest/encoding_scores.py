"""Tells legacy encodings apart by how ordinary the text is that each would make.

charset-normalizer errs on a few lines of Chinese or Japanese (`tests/ingest/test_encodings.py` holds the
cases), so the encodings people meet are scored here; it is asked only when none of them gives ordinary text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

# The characters that make up roughly half of running text in each script.
_SIMPLIFIED = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全"
    "三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任"
    "常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场"
    "件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求"
    "据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔测试中文件料库检索问题答案。，、；：？！（）《》“”"
)
_TRADITIONAL = frozenset(
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經"
    "麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使情明性知全"
    "三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化老給世位次度門任"
    "常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反受目太量再感建務做接必場"
    "件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且權思王象完設式色路記南品住告類求"
    "據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運筆測試檔案資料庫檢索答。，、；：？！（）「」《》"
)
_JAPANESE = frozenset(
    "のにはをたがでてとしれさるいもなっかすらこんまりうあ日一人年大国会本中出者時行分生見上自事社的後前間合方東長学月部場市力地定内同立業"
    "動発手高目小最新対明全金入主実法体性今物理文代関数通回度化気表変用作家教意当連取成話野思名外下不持女三使度言力問題知書文字"
    "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモラリルレロンッャュョーデドバパグジズブプ。、「」・くけそちつねほみむめやよわえおきせだどじばべげぎござずびぶぼ"
)
_KOREAN = frozenset(
    "이다는을의에고가하한지도로기사를리은서어나자시인대그아해과일있있니라스정수으만들부여게전장상보제성주요년국위오면공동한유구연원조세용문"
    "미생간화신회학경우소관것되방개등발명중적과내무선치실적법의물와계모안당분산민입습까때말람된데진행했었않없같우여"
)
_WESTERN = frozenset("éèêëàâäáãåæçñöôóòõøüûùúîïíìßœÉÈÀÄÖÜÇÑÅØÆ’‘“”„–—…«»°§©®€£·¿¡ªº\xa0")
_CENTRAL = frozenset("ąćęłńóśźżěščřžýáíéúůďťňőűäöüôĺľŕăâîșțşţđĄĆĘŁŃÓŚŹŻŠČŘŽ„”“’–—…§°\xa0")
_CYRILLIC = frozenset("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёОЕАИНТСРВЛКМДПУБГЗКЧЭ«»–—„“…№іїєґ\xa0")
_GREEK = frozenset("αοιετσνηυρπκμλςωόίάέήύώθδγφχβξψζΑΟΙΕΤΣΝΗΥΡΠΚΜΛ΄’“”«»–—\xa0")


@dataclass(frozen=True, slots=True)
class _Candidate:
    encoding: str
    common: frozenset[str]
    scripts: tuple[tuple[str, str], ...]
    """Ranges of characters that are possible in such text, though not common."""
    first_level: str = ""
    """Where its makers put the common characters: encoding and lead bytes, as `name:first:last`."""
    is_latin: bool = False


_HAN = ("\u4e00", "\u9fff")
_PUNCTUATION = ("\u3000", "\u303f")
_FULL_WIDTH = ("\uff01", "\uff5e")
_KANA = ("\u3041", "\u30fe")
_CHINESE = (_HAN, _PUNCTUATION, _FULL_WIDTH, ("\u2014", "\u2026"))
_CANDIDATES = (
    _Candidate("gb18030", _SIMPLIFIED, _CHINESE, first_level="gb2312:b0:d7"),
    _Candidate("big5hkscs", _TRADITIONAL, _CHINESE, first_level="big5:a4:c6"),
    _Candidate("cp932", _JAPANESE, (*_CHINESE, _KANA), first_level="euc_jp:b0:cf"),
    _Candidate("euc_jp", _JAPANESE, (*_CHINESE, _KANA), first_level="euc_jp:b0:cf"),
    _Candidate("cp949", _KOREAN, (("\uac00", "\ud7a3"), _PUNCTUATION, _FULL_WIDTH), first_level="euc_kr:b0:c8"),
    _Candidate("cp1252", _WESTERN, (("\xa1", "\xff"),), is_latin=True),
    _Candidate("cp1250", _CENTRAL, (("\xa1", "\u017f"),), is_latin=True),
    _Candidate("cp1251", _CYRILLIC, (("\u0400", "\u045f"),)),
    _Candidate("koi8_r", _CYRILLIC, (("\u0430", "\u0451"),)),
    _Candidate("cp1253", _GREEK, (("\u0384", "\u03ce"),)),
)
_COMMON, _FIRST_LEVEL, _POSSIBLE, _STRANGE = 1.0, 0.4, 0.0, -1.0
_WIDE_BONUS = 0.15
"""Two bytes that make one ordinary character say more than one byte does."""
_GOOD_SCORE = 0.4
"""Below this charset-normalizer is asked."""


def best_legacy_encoding(sample: bytes) -> str:
    """The encoding in which a sample that is not UTF-8 reads as the most ordinary text.

    Returns:
        A codec name; `cp1252` when nothing fits better.
    """
    scored = [(_score(sample, candidate), candidate.encoding) for candidate in _CANDIDATES]
    score, encoding = max(scored, key=lambda pair: pair[0])  # of equals the first in the table
    if score >= _GOOD_SCORE:
        return encoding
    import charset_normalizer  # deferred: 0.1 s, and almost no file gets here

    guess = charset_normalizer.from_bytes(sample).best()
    if guess is not None and guess.encoding not in {"ascii", "utf_8"}:
        return guess.encoding
    return encoding if score > 0 else "cp1252"


def _score(sample: bytes, candidate: _Candidate) -> float:
    """Mean over the characters beyond ASCII: 1 for a common one, negative for what such text never holds."""
    text = sample.decode(candidate.encoding, "replace")
    first_level = _characters_of(candidate.first_level) if candidate.first_level else frozenset[str]()
    is_single_byte = not candidate.first_level
    total, num_unusual = 0.0, 0
    before = " "
    for index, character in enumerate(text):
        if character >= "\x80":
            num_unusual += 1
            if is_single_byte and _is_out_of_place(character, before, text[index + 1 : index + 2], candidate):
                total += _STRANGE
            elif character in candidate.common:
                total += _COMMON
            elif character in first_level:
                total += _FIRST_LEVEL
            elif any(low <= character <= high for low, high in candidate.scripts):
                total += _POSSIBLE
            else:
                total += _STRANGE
        before = character
    if not num_unusual:
        return 0.0
    mean = total / num_unusual
    if not is_single_byte:
        return mean + _WIDE_BONUS
    return mean - _run_penalty(sample) if candidate.is_latin else mean


def _is_out_of_place(character: str, before: str, after: str, candidate: _Candidate) -> bool:
    """Signs inside a word of a Latin script; letters of another script next to Latin ones."""
    if candidate.is_latin:
        return not character.isalpha() and before.isalpha() and after.isalpha() and character not in "’·\xad"
    return character.isalpha() and (_is_ascii_letter(before) or _is_ascii_letter(after))


def _is_ascii_letter(character: str) -> bool:
    return character.isascii() and character.isalpha()


@functools.cache
def _characters_of(level: str) -> frozenset[str]:
    encoding, first, last = level.split(":")
    rows = range(int(first, 16), int(last, 16) + 1)
    cells = [*range(0x40, 0x7F), *range(0xA1, 0xFF)] if encoding == "big5" else range(0xA1, 0xFF)
    return frozenset("".join(bytes((row, cell)).decode(encoding, "ignore") for row in rows for cell in cells))


def _run_penalty(sample: bytes) -> float:
    """Latin scripts have their special letters one or two at a time; long runs are another encoding."""
    high = sample.translate(bytes(128) + b"\x01" * 128)
    num_runs = high.count(b"\x00\x01") + (high[:1] == b"\x01")
    return max(0.0, high.count(1) / max(num_runs, 1) - 1.5)


@functools.cache
def _ordinary_characters() -> frozenset[str]:
    levels = {candidate.first_level for candidate in _CANDIDATES} - {""}
    common = frozenset[str]().union(*(candidate.common for candidate in _CANDIDATES))
    return common.union(*(_characters_of(level) for level in levels))


def looks_like_text(text: str) -> bool:
    """Whether text decoded as UTF-16 or UTF-32 is language rather than bytes that happen to decode."""
    if not text:
        return False
    num_plain = sum((" " <= character <= "~") or character in "\t\n\r\f" for character in text)
    if num_plain >= 0.7 * len(text):
        return not any(character < " " and character not in "\t\n\r\f\x1b\v\b" for character in text)
    ordinary = _ordinary_characters()
    num_ordinary = sum(character >= "\x80" and character in ordinary for character in text)
    return num_plain + num_ordinary >= 0.8 * len(text)
