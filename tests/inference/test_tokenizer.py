"""Token offsets, limits and templates of a model's tokenizer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.errors import ModelError
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.tokenizer import ModelTokenizer, text_pieces, word_mask
from tests.inference.small_models import bert_tokenizer, unigram_tokenizer

SMALL = ModelTokenizer(bert_tokenizer().to_str().encode(), name="small")
UNIGRAM = ModelTokenizer(unigram_tokenizer().to_str().encode(), name="unigram")
MIXED = st.text(
    st.sampled_from(list("the cats. [SEP]é\u0301中国語ひらがな한국😀👩\u200d👩 \n\t\u00a0\u3000ﬁßİ\x00\x85")),
    max_size=60,
)


def test_offsets_count_code_points_in_mixed_scripts() -> None:
    #        0123 4 5678 9
    text = "the 😀 cat中文,e\u0301 mat"
    assert SMALL.token_starts(text) == [0, 4, 6, 9, 10, 11, 12, 15]


def test_offsets_are_not_cut_by_the_truncation_in_the_file() -> None:
    assert len(SMALL.token_starts("the cat " * 50)) == 100


def test_special_tokens_in_a_text_stay_text() -> None:
    row = SMALL.encode("cat [SEP] dog", max_tokens=32)
    assert row.ids.tolist().count(3) == 1
    assert SMALL.token_starts("[SEP]") == [0, 1, 4]


def test_a_text_without_tokens_has_no_starts() -> None:
    assert SMALL.token_starts("") == []
    assert SMALL.token_starts(" \n\t ") == []


def test_a_lone_surrogate_does_not_move_offsets() -> None:
    assert SMALL.token_starts("cat \ud800 dog") == [0, 6]


@given(MIXED)
def test_each_start_lies_on_a_character_that_is_no_space(text: str) -> None:
    starts = SMALL.token_starts(text)
    assert starts == sorted(starts)
    assert all(0 <= start < len(text) and not text[start].isspace() for start in starts)


@given(text=MIXED, times=st.integers(1, 40), piece_chars=st.integers(80, 200))
def test_offsets_do_not_depend_on_where_a_text_is_cut(text: str, times: int, piece_chars: int) -> None:
    text = (text + " ") * times
    whole = [start for start, _ in SMALL._tokenizer.encode(text, add_special_tokens=False).offsets]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgerag.inference.tokenizer.PIECE_CHARS", piece_chars)
        assert SMALL.token_starts(text) == whole


def test_a_text_is_not_cut_at_a_character_that_the_tokenizer_deletes() -> None:
    """BERT's clean-up drops U+0085, so that `ab` and `cd` are one word although Python calls it white space."""
    assert list(text_pieces("xy ab\x85cd ef", 7)) == [(0, 3), (3, 9), (9, 11)]


@given(st.text(st.sampled_from("ab \n\u3000"), max_size=80), st.integers(1, 20))
def test_pieces_cover_the_text_in_order_and_end_after_white_space(text: str, piece_chars: int) -> None:
    pieces = list(text_pieces(text, piece_chars))
    assert "".join(text[begin:end] for begin, end in pieces) == text
    for begin, end in pieces[:-1]:
        assert 0 < end - begin <= piece_chars
        assert text[end - 1].isspace() or not set(text[begin:end]) & set(" \n\u3000")


def test_a_row_is_cut_to_the_limit_and_keeps_its_template() -> None:
    row = SMALL.encode("the cat sat on the mat", max_tokens=5)
    assert row.ids.tolist() == [2, 4, 5, 7, 3]


def test_a_row_is_never_padded() -> None:
    assert SMALL.encode("cat", max_tokens=32).ids.tolist() == [2, 5, 3]


def test_an_empty_text_is_its_template() -> None:
    assert SMALL.encode("", max_tokens=32).ids.tolist() == [2, 3]


def test_a_row_is_filled_from_beyond_the_first_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long white space in front: the tokens are far into the text."""
    monkeypatch.setattr("edgerag.inference.tokenizer.PIECE_CHARS", 16)
    assert SMALL.encode(" " * 1000 + "the cat sat", max_tokens=4).ids.tolist() == [2, 4, 5, 3]


def test_only_the_passage_of_a_pair_is_shortened() -> None:
    row = SMALL.encode_pair("the cat", "dog sat on mat", max_tokens=7)
    assert row.ids.tolist() == [2, 4, 5, 3, 6, 7, 3]
    assert row.type_ids.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_a_question_too_long_for_the_row_leaves_half_of_it_to_the_passage() -> None:
    row = SMALL.encode_pair("the " * 50, "dog " * 50, max_tokens=11)
    assert row.ids.tolist() == [2, 4, 4, 4, 4, 3, 6, 6, 6, 6, 3]


def test_pairs_of_a_model_without_types_are_all_of_type_0() -> None:
    row = UNIGRAM.encode_pair("the", "cat", max_tokens=16)
    assert row.ids.tolist() == [0, 3, 1, 1, 4, 1]
    assert row.type_ids.tolist() == [0] * 6


def test_words_are_told_from_punctuation_and_template() -> None:
    text = "the cat, 中 ? 😀"
    mask = word_mask(text, SMALL.encode(text, max_tokens=32))
    assert mask.tolist() == [False, True, True, False, True, False, False, False]


def test_where_no_token_is_a_word_all_count() -> None:
    assert word_mask("?", SMALL.encode("?", max_tokens=32)).tolist() == [True, True, True]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{}", b'{"version": "1.0", "model": {"type": "new"}}'])
def test_a_file_that_is_no_tokenizer_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"tokenizer of broken cannot be read") as caught:
        ModelTokenizer(content, name="broken")
    assert caught.value.hint


def test_a_panic_inside_the_tokenizer_becomes_a_model_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As pyo3 raises it."""

    class Panics:
        def encode(self, text: str, *, add_special_tokens: bool) -> None:
            raise PanicException("index out of bounds")

    tokenizer = ModelTokenizer(bert_tokenizer().to_str().encode(), name="small")
    monkeypatch.setattr(tokenizer, "_tokenizer", Panics())
    with pytest.raises(ModelError, match="index out of bounds"):
        tokenizer.token_starts("cat")


def test_ctrl_c_inside_the_tokenizer_stays_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def encode(self, text: str, *, add_special_tokens: bool) -> None:
            raise KeyboardInterrupt

    tokenizer = ModelTokenizer(bert_tokenizer().to_str().encode(), name="small")
    monkeypatch.setattr(tokenizer, "_tokenizer", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        tokenizer.token_starts("cat")


@pytest.mark.models
def test_offsets_of_the_packaged_model_are_those_of_the_library(bundled_embedder: OnnxEmbedder) -> None:
    text = "Über 3,5 Millionen naïve cafés; 東京タワー 😀 e\u0301te\u0301 कार्यक्रम unbelievably. " * 3000
    tokenizer = bundled_embedder._tokenizer._tokenizer
    whole = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
    assert len(text) > 3 * 65_536
    assert np.array_equal(bundled_embedder.token_starts(text), whole)


@pytest.mark.models
def test_cut_and_finished_rows_equal_those_of_the_library(bundled_embedder: OnnxEmbedder) -> None:
    own = bundled_embedder._tokenizer
    for text in ("", "What is it?", "one two three " * 200):
        expected = own._tokenizer.encode(text).ids
        assert own.encode(text, max_tokens=10_000).ids.tolist() == expected
        assert own.encode(text, max_tokens=20).ids.tolist() == (
            expected if len(expected) <= 20 else [*expected[:19], expected[-1]]
        )
