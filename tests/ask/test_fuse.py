"""Fusing ranked lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerag.ask.fuse import fuse_convex, fuse_rerank, min_max
from edgerag.datatypes import Hit

SCORES = st.dictionaries(st.integers(1, 50), st.floats(-100, 100), max_size=20)


def hits(scores: dict[int, float]) -> list[Hit]:
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [Hit(chunk_id, score, rank) for rank, (chunk_id, score) in enumerate(ordered, start=1)]


def test_convex_mean_of_normalised_scores() -> None:
    fused = fuse_convex(hits({1: 10.0, 2: 5.0, 3: 0.0}), hits({2: 0.9, 4: 0.5, 1: 0.1}), vector_weight=0.5)
    assert fused == pytest.approx({2: 0.75, 1: 0.5, 4: 0.25, 3: 0.0})
    assert list(fused) == [2, 1, 4, 3]


def test_weight_moves_the_best_from_one_list_to_the_other() -> None:
    lexical, vector = hits({1: 2.0, 2: 1.0}), hits({2: 0.9, 1: 0.1})
    assert next(iter(fuse_convex(lexical, vector, vector_weight=0.2))) == 1
    assert next(iter(fuse_convex(lexical, vector, vector_weight=0.8))) == 2


def test_one_empty_list_leaves_the_other_at_full_weight() -> None:
    assert fuse_convex([], hits({1: 0.9, 2: 0.1}), vector_weight=0.1) == {1: 1.0, 2: 0.0}
    assert fuse_convex(hits({1: 3.0}), [], vector_weight=1.0) == {1: 1.0}
    assert fuse_convex([], [], vector_weight=0.5) == {}


@given(SCORES)
def test_fusing_one_list_changes_no_order(scores: dict[int, float]) -> None:
    ranked = hits(scores)
    normalised = min_max(scores)
    expected = sorted(normalised, key=lambda key: (-normalised[key], key))
    assert list(fuse_convex(ranked, [], vector_weight=0.5)) == expected


@given(SCORES, SCORES, st.floats(0, 1))
def test_every_id_seen_is_kept_and_scores_stay_in_range(
    first: dict[int, float], second: dict[int, float], weight: float
) -> None:
    fused = fuse_convex(hits(first), hits(second), vector_weight=weight)
    assert set(fused) == set(first) | set(second)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in fused.values())
    assert list(fused.values()) == sorted(fused.values(), reverse=True)


def test_rerank_reorders_and_leaves_the_rest_behind() -> None:
    final = fuse_rerank({1: 0.9, 2: 0.8, 3: 0.7}, {1: -5.0, 2: 5.0}, rerank_weight=0.5)
    assert list(final) == [2, 1, 3]
    assert final == pytest.approx({2: 0.9, 1: 0.45, 3: 0.35})


def test_rerank_of_nothing_changes_nothing() -> None:
    assert fuse_rerank({1: 0.9, 2: 0.8}, {}, rerank_weight=0.0) == {1: 0.9, 2: 0.8}
