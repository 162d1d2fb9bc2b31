"""Figures of rankings, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgerag_export.measure.ranking import (
    loss_interval,
    mean_average_precision,
    ndcg,
    overlap,
    pearson,
    relative_loss,
    spearman,
)


def test_ndcg_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], np.float32)

    # First query: the only relevant document is second, 1 / log2(3). Second: the ideal order.
    assert ndcg(list(scores), [{1: 1}, {2: 2, 1: 1}]) == pytest.approx((0.63093 + 1) / 2, abs=1e-5)


def test_ndcg_counts_ten_places() -> None:
    scores = np.arange(12, 0, -1, dtype=np.float32)

    assert ndcg([scores], [{9: 1}]) == pytest.approx(1 / math.log2(11))
    assert ndcg([scores], [{10: 1}]) == 0.0


def test_map_by_hand_over_the_whole_ranking() -> None:
    scores = np.arange(12, 0, -1, dtype=np.float32)

    # Relevant at ranks 1, 3 and 12: (1/1 + 2/3 + 3/12) / 3. A judgement of 0 is not relevant.
    assert mean_average_precision([scores], [{0: 1, 2: 2, 11: 1, 5: 0}]) == pytest.approx((1 + 2 / 3 + 0.25) / 3)
    # A second query without anything relevant counts 0, as in trec_eval.
    assert mean_average_precision([scores, scores], [{0: 1}, {1: 0}]) == 0.5


def test_of_equal_scores_the_first_comes_first() -> None:
    scores = np.array([0.5, 0.5], np.float32)

    assert mean_average_precision([scores], [{0: 1}]) == 1.0
    assert mean_average_precision([scores], [{1: 1}]) == 0.5


def test_loss_is_relative_and_a_gain_is_negative() -> None:
    assert relative_loss(0.8, 0.6) == pytest.approx(0.25)
    assert relative_loss(0.5, 0.6) == pytest.approx(-0.2)
    assert relative_loss(0.0, 0.6) is None
    assert relative_loss(0.5, None) is None


def test_loss_interval_of_equal_queries_is_a_point() -> None:
    exact, small = np.full(20, 0.8), np.full(20, 0.6)

    assert loss_interval(exact, small) == pytest.approx((0.25, 0.25))


def test_loss_interval_holds_the_loss_and_is_the_same_every_time() -> None:
    exact = np.ones(100)
    small = np.where(np.arange(100) < 10, 0.5, 1.0)  # one query in ten loses half: 5 %

    low, high = loss_interval(exact, small) or (0.0, 0.0)

    # Standard deviation of a mean of a hundred: sqrt(0.1 * 0.9) * 0.5 / 10 = 1.5 %.
    assert low == pytest.approx(0.05 - 1.96 * 0.015, abs=0.006)
    assert high == pytest.approx(0.05 + 1.96 * 0.015, abs=0.006)
    assert loss_interval(exact, small) == (low, high)
    assert loss_interval(np.zeros(3), np.zeros(3)) is None


def test_overlap_is_the_share_of_the_best_that_stay() -> None:
    exact, small = np.array([5.0, 4.0, 3.0, 2.0]), np.array([5.0, 1.0, 4.0, 3.0])

    assert overlap([exact], [small], 2) == 0.5
    assert overlap([exact], [small], 10) == 1.0


def test_correlations_by_hand() -> None:
    left, right = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 6.0])

    # Deviations (-1, 0, 1) and (-2, -1, 3): 5 / sqrt(2 * 14).
    assert pearson(left, right) == pytest.approx(5 / math.sqrt(28))
    assert spearman(left, right) == pytest.approx(1.0)
    assert spearman(left, -right) == pytest.approx(-1.0)


def test_equal_values_share_their_mean_rank() -> None:
    # Ranks (1.5, 1.5, 3) and (1, 2, 3): deviations (-0.5, -0.5, 1) and (-1, 0, 1): 1.5 / sqrt(1.5 * 2).
    assert spearman(np.array([7.0, 7.0, 9.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(1.5 / math.sqrt(3))


def test_correlation_with_what_does_not_vary_is_no_number() -> None:
    assert math.isnan(pearson(np.ones(3), np.array([1.0, 2.0, 3.0])))
