"""RTF: the running text, without fonts, pictures and fields' instructions."""

from __future__ import annotations

import re

from edgerag.coded_text import coded
from edgerag.datatypes import ParsedDocument
from edgerag.errors import DocumentError
from edgerag.ingest.parsers.builder import Source, TextBuilder
from edgerag.ingest.parsers.refusals import no_text, too_long

# Control words: Rich Text Format Specification 1.9.1.
_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)",
    re.IGNORECASE,
)
_SKIPPED = frozenset(
    """
    fonttbl colortbl stylesheet info pict object header headerl headerr headerf footer footerl footerr footerf
    fldinst listtable listoverridetable rsidtbl generator themedata colorschememapping latentstyles datastore
    xmlnstbl filetbl revtbl bkmkstart bkmkend nonshppict mmathPr
    """.split()
)
_CHARACTERS = {
    b"par": "\n", b"line": "\n", b"sect": "\n\n", b"page": "\n\n", b"tab": "\t", b"cell": " | ", b"row": "\n",
    b"emdash": "—", b"endash": "–", b"bullet": "•", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“",
    b"rdblquote": "”", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
_SYMBOLS = {b"~": "\u00a0", b"_": "-", b"{": "{", b"}": "}", b"\\": "\\", b"\n": "\n", b"\r": "\n"}
_FONT_CHARSETS = {
    128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253", 162: "cp1254", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_TITLE = re.compile(rb"\{\\title ([^\\{}]{1,300})\}")


def parse(source: Source) -> ParsedDocument:
    if source.data[:5].lower() != b"{\\rtf":
        raise DocumentError(
            coded("file.no_rtf", "is no RTF file"),
            hint=coded("hint.save_again", "Open it in its own program and save it again."),
        )
    builder = TextBuilder(source)
    text = _plain_text(source)
    for block in re.split(r"\n\s*\n", text):
        builder.block("\n".join(line.strip(" |\t") for line in block.split("\n")))
    if builder.is_empty:
        raise no_text()
    title = _TITLE.search(source.data[:20_000])
    return builder.build("rtf", title.group(1).decode("cp1252", "replace") if title else "")


class _State:
    """What a group inherits and restores."""

    __slots__ = ("is_skipped", "num_fallback", "encoding")  # noqa: RUF023

    def __init__(self, is_skipped: bool, num_fallback: int, encoding: str) -> None:
        self.is_skipped = is_skipped
        self.num_fallback = num_fallback
        self.encoding = encoding


def _plain_text(source: Source) -> str:
    parts: list[str] = []
    pending = bytearray()
    """Bytes of the current code page, decoded together: a character may take two."""
    state = _State(is_skipped=False, num_fallback=1, encoding="cp1252")
    stack: list[_State] = []
    fonts = _font_encodings(source.data)
    num_to_drop = 0
    length_chars = 0

    def flush() -> None:
        if pending:
            parts.append(pending.decode(state.encoding, "replace"))
            pending.clear()

    for match in _TOKEN.finditer(source.data):
        word, number, byte, symbol, brace, run = match.groups()
        if brace == b"{":
            flush()
            stack.append(state)
            state = _State(state.is_skipped, state.num_fallback, state.encoding)
            num_to_drop = 0
        elif brace == b"}":
            flush()
            state = stack.pop() if stack else state
            num_to_drop = 0
        elif word is not None:
            word = word.lower()
            if word == b"ansicpg" and number:
                state.encoding = _code_page(int(number), state.encoding)
            elif word == b"uc" and number:
                state.num_fallback = max(0, min(int(number), 8))
            elif word == b"f" and number:
                flush()
                state.encoding = fonts.get(int(number), state.encoding)
            elif word == b"bin" and number:
                state.is_skipped = True  # raw bytes follow; they belong to a picture or object
            elif word.decode() in _SKIPPED:
                flush()
                state.is_skipped = True
            elif not state.is_skipped:
                if word == b"u" and number:
                    flush()
                    parts.append(chr(int(number) % 0x10000))
                    num_to_drop = state.num_fallback
                elif word in _CHARACTERS:
                    flush()
                    parts.append(_CHARACTERS[word])
        elif symbol == b"*":
            state.is_skipped = True  # a destination that old readers are told to leave out
        elif state.is_skipped:
            continue
        elif byte is not None:
            if num_to_drop:
                num_to_drop -= 1
            else:
                pending.append(int(byte, 16))
        elif symbol is not None and symbol in _SYMBOLS:
            flush()
            parts.append(_SYMBOLS[symbol])
        elif run is not None:
            kept = run[num_to_drop:]
            num_to_drop = max(0, num_to_drop - len(run))
            pending += kept
            length_chars += len(kept)
            if length_chars > source.max_text_chars:
                raise too_long(source.max_text_chars)
    flush()
    # \u gives UTF-16 code units; pairs of them are one character.
    return "".join(parts).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _font_encodings(data: bytes) -> dict[int, str]:
    found = re.findall(rb"\\f(\d{1,5})[^{}\\]*(?:\\(?!fcharset)[a-z]+-?\d* ?)*\\fcharset(\d{1,3})", data[:200_000])
    return {int(font): _FONT_CHARSETS[int(number)] for font, number in found if int(number) in _FONT_CHARSETS}


def _code_page(number: int, fallback: str) -> str:
    name = {936: "gb18030", 950: "big5hkscs", 65001: "utf-8"}.get(number, f"cp{number}")
    try:
        b"".decode(name)
    except LookupError:
        return fallback
    return name
