"""CJK text is recognised, and becomes words that a lexical index can find."""

from __future__ import annotations

import itertools
import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.scripts import cjk_share, has_cjk, is_cjk, lexical_tokens_text, segment_scripts

MIXED_TEXT = st.text(alphabet="ab 1.é漢字かなカナ한국ーﾊﾟＡ　々\u3099𠮷\n")


@pytest.mark.parametrize("ch", list("漢㐀𠮷あアー々〇한ㄱㄅﾊ豈⼈ヽゝ"))
def test_cjk_letters_are_cjk(ch: str) -> None:
    assert is_cjk(ch)


@pytest.mark.parametrize("ch", [*"aé1я・。、「　Ａ！अ ‑", "", "漢字"])
def test_other_characters_are_not_cjk(ch: str) -> None:
    assert not is_cjk(ch)


def test_share_counts_letters_only() -> None:
    assert cjk_share("汉字 ab, 12!") == 0.5
    assert cjk_share("plain text") == 0.0
    assert cjk_share("数据库") == 1.0
    assert cjk_share("éà 123") == 0.0
    assert has_cjk("see 表 4") and not has_cjk("naïve")


def test_runs_alternate_between_scripts() -> None:
    assert list(segment_scripts("用GPU加速 2x。")) == [
        ("用", True),
        ("GPU", False),
        ("加速", True),
        (" 2x。", False),
    ]


def test_runs_become_bigrams_apart_from_their_neighbours() -> None:
    assert lexical_tokens_text("重建索引").split() == ["重建", "建索", "索引"]
    assert lexical_tokens_text("用GPU加速").split() == ["用", "GPU", "加速"]
    assert lexical_tokens_text("한국어 검색").split() == ["한국", "국어", "검색"]
    assert lexical_tokens_text("The café's index") == "The café's index"


def test_other_forms_of_the_same_characters_become_equal() -> None:
    assert lexical_tokens_text("ＡＢＣ１２　ｘ") == "ABC12 x"
    assert lexical_tokens_text("ﾃﾞｰﾀ") == lexical_tokens_text("データ")
    assert lexical_tokens_text(unicodedata.normalize("NFD", "がっこう")) == lexical_tokens_text("がっこう")
    assert lexical_tokens_text(unicodedata.normalize("NFD", "검색")) == lexical_tokens_text("검색")
    assert lexical_tokens_text("⼈⼝") == lexical_tokens_text("人口")
    assert lexical_tokens_text("葛\U000e0100城") == lexical_tokens_text("葛城")


def test_fts5_finds_every_word_of_a_chinese_sentence() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (text, tokenize = 'porter unicode61 remove_diacritics 2')")
    sentence = "增量重建索引的成本很高，知识库越大越明显。"
    connection.execute("INSERT INTO t (text) VALUES (?)", (lexical_tokens_text(sentence),))
    for word in ("增量", "索引", "重建索引", "知识库", "成本很高"):
        query = " ".join(f'"{part}"' for part in lexical_tokens_text(word).split())
        assert connection.execute("SELECT count(*) FROM t WHERE t MATCH ?", (query,)).fetchone() == (1,), word
    connection.close()


@given(MIXED_TEXT)
def test_runs_cover_the_text(text: str) -> None:
    assert "".join(run for run, _ in segment_scripts(text)) == text
    flags = [flag for _, flag in segment_scripts(text)]
    assert all(first != second for first, second in itertools.pairwise(flags))


@given(MIXED_TEXT)
def test_no_word_of_the_lexical_text_is_a_long_cjk_run(text: str) -> None:
    for word in lexical_tokens_text(text).split():
        if any(map(is_cjk, word)):
            assert len(word) <= 2
