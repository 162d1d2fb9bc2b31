"""Packed token embeddings and late interaction over them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgerag.errors import ModelError
from edgerag.inference import token_codes
from edgerag.inference.token_codes import best_cosines, maxsim, pack_tokens, rotate, weighted_mean


def unit_rows(seed: int, length: int, dim: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).standard_normal((length, dim)).astype(np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("dim", [1, 2, 3, 7, 64, 100, 384, 768])
def test_rotation_keeps_all_lengths_and_angles(dim: int) -> None:
    matrix = rotate(np.eye(dim, dtype=np.float32))
    assert np.allclose(matrix @ matrix.T, np.eye(dim), atol=1e-5)


def test_rotation_is_the_same_in_every_release() -> None:
    """Stored codes lose their meaning when one sign of it changes."""
    assert np.sign(rotate(np.eye(384, dtype=np.float32))[0, :12]).astype(int).tolist() == [
        1,
        1,
        -1,
        -1,
        -1,
        -1,
        1,
        1,
        -1,
        1,
        1,
        -1,
    ]


def test_a_token_of_384_dimensions_takes_32_bytes() -> None:
    assert len(pack_tokens(unit_rows(0, 10, 384))) == 8 + 10 * 32


def test_a_code_does_not_depend_on_the_length_of_the_vectors() -> None:
    rows = unit_rows(0, 10, 384)
    assert pack_tokens(rows * 7) == pack_tokens(rows)


def test_cosines_are_estimated_within_five_standard_errors() -> None:
    """The error of an unrelated pair is sqrt(pi / 2 / 256 - 1 / 384) = 0.059; that of a close one is smaller."""
    rows = unit_rows(1, 400, 384)
    query = unit_rows(2, 8, 384)
    query[:4] = rows[:4] * 0.8 + query[:4] * 0.6
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    estimated = best_cosines(query, [pack_tokens(row[None, :]) for row in rows])
    errors = estimated - query @ rows.T
    assert np.abs(errors).max() < 5 * 0.059
    assert 0.055 < errors.std() < 0.063
    assert abs(errors.mean()) < 0.01


@given(
    seed=st.integers(0, 2**32 - 1),
    dim=st.integers(1, 80),
    lengths=st.lists(st.integers(0, 30), max_size=8),
    query_length=st.integers(1, 6),
    block=st.integers(1, 60),
)
def test_scores_equal_a_plain_loop_over_the_signs(
    seed: int, dim: int, lengths: list[int], query_length: int, block: int
) -> None:
    passages = [unit_rows(seed + number, length, dim) for number, length in enumerate(lengths)]
    query = unit_rows(seed + 99, query_length, dim)
    expected = np.zeros((query_length, len(passages)))
    for column, rows in enumerate(passages):
        signs = np.where(rotate(rows) > 0, 1.0, -1.0)
        for line in range(query_length):
            products = [float(rotate(query)[line] @ sign) for sign in signs]
            expected[line, column] = max(products, default=0.0) * math.sqrt(math.pi / 2 / dim)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_codes, "_BLOCK_TOKENS", block)
        estimated = best_cosines(query, [pack_tokens(rows) for rows in passages])
    assert estimated.shape == expected.shape
    assert np.allclose(estimated, expected, atol=1e-4)


def test_ranking_agrees_with_float_tokens() -> None:
    """Passages that hold noisy copies of the query's tokens, the later ones noisier."""
    query = unit_rows(5, 12, 384)
    passages = []
    for number in range(40):
        rows = unit_rows(100 + number, 120, 384)
        rows[:12] = query + unit_rows(200 + number, 12, 384) * (0.3 + 0.1 * number)
        passages.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    exact = np.array([(query @ rows.T).max(axis=1).mean() for rows in passages])
    packed = maxsim(query, [pack_tokens(rows) for rows in passages])
    assert np.corrcoef(exact, packed)[0, 1] > 0.99
    assert packed.argmax() == 0


def test_a_query_token_that_every_candidate_holds_weighs_less() -> None:
    best = np.array([[0.9, 0.8, 0.7], [0.1, 0.2, 0.6]], dtype=np.float32)
    # Means 0.8 and 0.3, hence weights 0.2 and 0.7.
    expected = [(0.2 * 0.9 + 0.7 * 0.1) / 0.9, (0.2 * 0.8 + 0.7 * 0.2) / 0.9, (0.2 * 0.7 + 0.7 * 0.6) / 0.9]
    assert np.allclose(weighted_mean(best), expected)


def test_candidates_equal_to_the_query_score_1() -> None:
    assert weighted_mean(np.ones((3, 2), dtype=np.float32)).tolist() == [1.0, 1.0]


def test_no_candidates_no_tokens_and_an_empty_query_are_legal() -> None:
    query = unit_rows(0, 3, 384)
    assert maxsim(query, []).shape == (0,)
    assert maxsim(query[:0], [pack_tokens(query)]).tolist() == [0.0]
    assert maxsim(query, [pack_tokens(query[:0])]).tolist() == [0.0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda code: code[:5], "cut off", id="header cut off"),
        pytest.param(lambda code: code[:-1], "3 tokens have 103 bytes", id="last byte missing"),
        pytest.param(lambda code: b"\x09" + code[1:], "format version 9", id="newer version"),
        pytest.param(lambda code: pack_tokens(unit_rows(0, 3, 768)), "768 dimensions, not 384", id="other width"),
    ],
)
def test_a_code_that_does_not_fit_is_refused(damage: object, message: str) -> None:
    code = damage(pack_tokens(unit_rows(0, 3, 384)))  # type: ignore[operator]
    with pytest.raises(ModelError, match=message) as caught:
        maxsim(unit_rows(1, 2, 384), [code])
    assert "remove" in caught.value.hint


@pytest.mark.parametrize("shape", [(3,), (2, 0), (1, 2, 3)])
def test_other_shapes_are_a_programming_mistake(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        pack_tokens(np.zeros(shape, dtype=np.float32))
