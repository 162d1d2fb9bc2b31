"""What the float model is run over, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerag_export.encoders.calibrate import (
    SAMPLE_ROWS,
    SiteStatistics,
    _Sample,
    calibration_pairs,
    load_statistics,
    save_statistics,
)


def test_each_question_meets_its_own_passage_and_the_next_ones() -> None:
    pairs = calibration_pairs(["q1\tpassage one", "q2\tpassage two", "q3\tpassage three"], max_tokens=100)

    assert pairs == [
        ("q1", "passage one"),
        ("q2", "passage two"),
        ("q3", "passage three"),
        ("q1", "passage two"),
        ("q2", "passage three"),
        ("q3", "passage one"),
        ("q1", "passage one passage two passage three"),
    ]


def test_text_without_a_question_is_asked_for_by_its_first_words() -> None:
    pairs = calibration_pairs(["the river bank is wet today", "水在河里"], max_tokens=100)

    assert pairs[:2] == [("the river", "the river bank is wet today"), ("水在", "水在河里")]


def test_pairs_reach_the_longest_input() -> None:
    pairs = calibration_pairs([f"q\t{'word ' * 20}"] * 8, max_tokens=40)

    assert max(len(passage) for _, passage in pairs) > 40 * 5


@pytest.mark.parametrize("count", [1, 7, SAMPLE_ROWS, 2 * SAMPLE_ROWS + 1, 9 * SAMPLE_ROWS + 5])
def test_sample_is_bounded_and_evenly_spread(count: int) -> None:
    rows = np.arange(count, dtype=np.float32)[:, None]
    sample = _Sample(SAMPLE_ROWS)

    for start in range(0, count, 37):
        sample.add(rows[start : start + 37])
    kept = sample.rows()[:, 0]

    assert min(count, SAMPLE_ROWS // 2) <= len(kept) <= SAMPLE_ROWS
    assert kept[0] == 0
    assert len(set(np.diff(kept))) <= 1
    assert kept[-1] > 0.99 * (count - 1) - np.diff(kept, append=kept[-1] + 1).max()


def test_statistics_are_read_back_bit_by_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(9, 4)).astype(np.float32)
    seen = {
        name: SiteStatistics(
            rows.min(axis=0), rows.max(axis=0), random.normal(size=4), random.normal(size=(4, 4)), rows
        )
        for name in ("/layer.0/output", "b")
    }

    save_statistics(tmp_path / "s.npz", seen)
    back = load_statistics(tmp_path / "s.npz")

    assert list(back) == ["/layer.0/output", "b"]
    for name, site in seen.items():
        for part in ("low", "high", "mean", "moment", "rows"):
            assert getattr(back[name], part).dtype == getattr(site, part).dtype
            assert np.array_equal(getattr(back[name], part), getattr(site, part))
