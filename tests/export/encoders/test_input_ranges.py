"""Which values a range keeps, on distributions small enough to see."""

from __future__ import annotations

import numpy as np
import pytest

from edgerag_export.encoders.calibrate import SiteStatistics
from edgerag_export.encoders.fuse_graph import Linear
from edgerag_export.encoders.input_ranges import _divergence, entropy_range, percentile_range
from edgerag_export.encoders.quantize import quantize_linear
from edgerag_export.recipe import Quantization


def test_percentile_leaves_out_the_rarest_on_both_sides() -> None:
    values = np.arange(-100, 301, dtype=np.float32)

    assert percentile_range(values, 100.0) == (-100.0, 300.0)
    assert percentile_range(values, 99.0) == pytest.approx((-96.0, 296.0))


def test_range_always_holds_zero() -> None:
    values = np.linspace(5, 6, 1000)

    assert percentile_range(values, 99.0) == (0.0, pytest.approx(5.99))
    assert entropy_range(values)[0] == 0.0
    assert percentile_range(-values, 99.0) == (pytest.approx(-5.99), 0.0)
    assert entropy_range(-values)[1] == 0.0


def test_divergence_by_hand() -> None:
    # Two levels of two bins each: level 0 spreads 3 + 1 as 2 and 2, level 1 has one filled bin and keeps it.
    seen = np.array([3, 1, 0, 4])

    expected = 3 / 8 * np.log(3 / 2) + 1 / 8 * np.log(1 / 2)
    assert _divergence(seen, slice(0, 4), 2) == pytest.approx(expected)


def test_divergence_counts_what_is_cut_off_at_the_edge() -> None:
    # The two last bins are cut off: 1 + 2 lie in the last kept bin, whose level holds only the 1 of its own.
    seen = np.array([5, 1, 1, 1])

    exact, coarse = np.array([5, 3]) / 8, np.array([5, 1]) / 6
    assert _divergence(seen, slice(0, 2), 2) == pytest.approx(float(np.sum(exact * np.log(exact / coarse))))


def test_entropy_keeps_an_even_distribution_whole() -> None:
    values = np.repeat(np.linspace(-1, 1, 4096), 4)

    assert entropy_range(values) == pytest.approx((-1.0, 1.0), abs=0.01)


def test_entropy_cuts_off_a_lone_outlier() -> None:
    values = np.append(np.random.default_rng(0).normal(size=200_000), [40.0])

    low, high = entropy_range(values)

    assert 3 < high < 10
    assert values.min() <= low < -3


def test_values_that_never_moved_have_a_range() -> None:
    assert entropy_range(np.zeros(50)) == (0.0, 0.0)
    assert percentile_range(np.zeros(50), 99.0) == (0.0, 0.0)


@pytest.mark.parametrize(("ranges", "widest"), [("percentile", 0.04), ("entropy", 0.1)])
def test_product_gets_finer_steps_when_outliers_are_cut_off(ranges: str, widest: float) -> None:
    rows = np.random.default_rng(1).normal(size=(5000, 16)).astype(np.float32)
    rows[7, 3] = 80.0
    wide = rows.astype(np.float64)
    seen = SiteStatistics(rows.min(axis=0), rows.max(axis=0), wide.mean(axis=0), wide.T @ wide / len(wide), rows)
    linear = Linear(np.eye(16, dtype=np.float32), np.zeros(16, np.float32), "x")
    options = Quantization(calibration="", percentile=99.9)

    assert float(quantize_linear(linear, seen, options).input_scale) == pytest.approx((80 - rows.min()) / 255)
    assert float(quantize_linear(linear, seen, options, ranges).input_scale) < widest


def test_ranges_other_than_the_widest_need_rows() -> None:
    seen = SiteStatistics(np.zeros(2), np.ones(2), np.zeros(2), np.eye(2))
    linear = Linear(np.eye(2, dtype=np.float32), np.zeros(2, np.float32), "x")

    with pytest.raises(ValueError, match="entropy needs the rows"):
        quantize_linear(linear, seen, Quantization(calibration=""), "entropy")
