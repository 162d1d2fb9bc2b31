"""Which encoding is found for text in each, short and long, and what counts as no text."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edgerag.ingest.encodings import UTF8_DAMAGED, decode_text, decode_warnings, is_binary

XQUAD_ZH = Path(__file__).parents[2].parent / "shared" / "data" / "xquad" / "xquad.zh.json"

JAPANESE = (
    "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で"
    "ニャーニャー泣いていた事だけは記憶している。\n"
)
JAPANESE_REPORT = (
    "会議は月曜日の午前十時に東京本社で開かれます。出席できない場合は、前日までに担当者へご連絡ください。\n"
    "システムの更新により、サーバーは土曜日の夜に停止します。データのバックアップを必ず行ってください。\n"
)
TRADITIONAL = (
    "這份報告說明我們在臺灣進行的研究。資料庫裡的檔案每天都會更新，因此查詢的結果可能不同。\n"
    "如果您有任何問題，請與我們聯絡。\n"
)
TRADITIONAL_SHORT = "會議時間改到下週三下午三點，請大家準時參加。\n"
SIMPLIFIED_SHORT = "明天的会议改到下午三点。\n"
SIMPLIFIED = "合同自双方签字之日起生效，有效期为两年。\n任何一方提前解除合同，应当提前三十天书面通知对方。\n"
KOREAN = "회의는 월요일 오전 열 시에 시작합니다.\n자료는 미리 읽어 오시기 바랍니다. 질문이 있으면 연락해 주세요.\n"
FRENCH = "L'été dernier, nous avons dîné près de la forêt.\nÇa a coûté très peu : la façade était déjà réparée.\n"
FRENCH_SHORT = "café crème\n"
GERMAN = "Die Größe der Tür überrascht: schöne Häuser, müde Füße.\nÄpfel kosten 3 € „im Angebot“ – täglich.\n"
GERMAN_SHORT = "Grüße aus München\n"
SPANISH = "¿Dónde está el niño? El año pasado también llovió en la región.\n"
POLISH = "Zażółć gęślą jaźń. Wszystkie książki leżą na półce, a źródło znajduje się obok łąki.\n"
RUSSIAN = "Договор вступает в силу с момента подписания.\nВсе вопросы решаются путём переговоров между сторонами.\n"
GREEK = "Η συνάντηση θα γίνει τη Δευτέρα το πρωί στο κεντρικό γραφείο της εταιρείας.\n"

CASES = [
    ("japanese", JAPANESE, ("cp932", "euc_jp", "iso2022_jp")),
    ("japanese-report", JAPANESE_REPORT, ("cp932", "euc_jp", "iso2022_jp")),
    ("traditional", TRADITIONAL, ("big5hkscs",)),
    ("traditional-short", TRADITIONAL_SHORT, ("big5hkscs",)),
    ("simplified", SIMPLIFIED, ("gb18030",)),
    ("simplified-short", SIMPLIFIED_SHORT, ("gb18030",)),
    ("korean", KOREAN, ("cp949",)),
    ("french", FRENCH, ("cp1252",)),
    ("french-short", FRENCH_SHORT, ("cp1252",)),
    ("german", GERMAN, ("cp1252",)),
    ("german-short", GERMAN_SHORT, ("cp1252",)),
    ("spanish", SPANISH, ("cp1252",)),
    ("polish", POLISH, ("cp1250",)),
    ("russian", RUSSIAN, ("cp1251", "koi8_r")),
    ("greek", GREEK, ("cp1253",)),
]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [pytest.param(text, encoding, id=f"{name}-{encoding}") for name, text, own in CASES for encoding in own],
)
def test_a_few_lines_are_read_in_the_encoding_they_were_written_in(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == (text, encoding)


@pytest.mark.parametrize("name,text", [pytest.param(name, text, id=name) for name, text, _ in CASES])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_every_unicode_encoding_is_read_with_and_without_a_mark(name: str, text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding))[0] == text


@pytest.mark.skipif(not XQUAD_ZH.exists(), reason=f"no test data at {XQUAD_ZH}")
@pytest.mark.parametrize("encoding", ["gb18030", "utf-16-le", "utf-16-be", "utf-8"])
def test_chinese_paragraphs_are_read_whole_and_line_by_line(encoding: str) -> None:
    articles = json.loads(XQUAD_ZH.read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph["context"].strip("\ufeff") for article in articles for paragraph in article["paragraphs"]]
    wrong = [text for text in paragraphs if decode_text(text.encode(encoding))[0] != text]
    assert wrong == []
    whole = "\n".join(paragraphs)
    assert decode_text(whole.encode(encoding))[0] == whole


@pytest.mark.skipif(not XQUAD_ZH.exists(), reason=f"no test data at {XQUAD_ZH}")
def test_single_chinese_questions_are_read_in_gb18030() -> None:
    articles = json.loads(XQUAD_ZH.read_text(encoding="utf-8"))["data"]
    questions = [
        question["question"]
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]
    wrong = [text for text in questions if decode_text(text.encode("gb18030"))[0] != text]
    assert len(wrong) <= len(questions) // 100, wrong[:20]


def test_utf8_with_a_few_bad_bytes_stays_utf8_and_says_so() -> None:
    data = "Überall schöne Grüße, naïve Café-Gäste. ".encode() * 3 + b"\xff and \xc3("
    text, encoding = decode_text(data)
    assert encoding == UTF8_DAMAGED
    assert text.startswith("Überall schöne Grüße")
    assert text.endswith("\ufffd and \ufffd(")
    assert decode_warnings(text, encoding) == ("2 places are not valid UTF-8; each is shown as \ufffd",)


def test_newlines_nuls_and_lone_surrogates_are_normalised() -> None:
    assert decode_text(b"a\r\nb\rc\nd") == ("a\nb\nc\nd", "utf-8")
    text, _ = decode_text("x\ud800y\x00z".encode("utf-16-le", "surrogatepass") * 20)
    assert "\x00" not in text
    assert not any("\ud800" <= character <= "\udfff" for character in text)


def test_a_text_cut_inside_a_character_is_still_read_as_utf8() -> None:
    data = "数据库的索引可以重建。".encode()[:-1]
    text, encoding = decode_text(data)
    assert encoding == UTF8_DAMAGED
    assert text == "数据库的索引可以重建\ufffd"


def test_legacy_encoding_is_named_in_a_warning() -> None:
    assert decode_warnings("café", "cp1252") == ("read as cp1252",)
    assert decode_warnings("café", "utf-8") == ()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(random.Random(1).randbytes(5000), id="random-bytes"),
        pytest.param(bytes(range(256)) * 4, id="every-byte"),
        pytest.param(b"\x7fELF\x02\x01\x01" + b"text " * 100, id="program"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + b"text " * 100, id="picture"),
        pytest.param(b"\x00" * 1000, id="zeros"),
        pytest.param(b"\x01\x00\x00\x00\x02\x00\x00\x00" * 100, id="integers"),
    ],
)
def test_junk_is_binary(data: bytes) -> None:
    assert is_binary(data)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(text, encoding, id=f"{name}-{encoding}")
        for name, text, own in CASES
        for encoding in (*own, "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
    ],
)
def test_text_is_not_binary(text: str, encoding: str) -> None:
    assert not is_binary(text.encode(encoding))


def test_terminal_colours_in_a_log_do_not_make_it_binary() -> None:
    assert not is_binary(b"\x1b[31merror\x1b[0m: disk full\n" * 50)
