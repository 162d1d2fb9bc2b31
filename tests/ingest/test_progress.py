"""How far an ingest says it is."""

from __future__ import annotations

import pytest

from edgerag.ingest.progress import ESTIMATE_AFTER_S, ProgressMeter


def test_share_counts_bytes_and_what_is_being_embedded() -> None:
    meter = ProgressMeter(total_files=2, total_bytes=1000, done_files=1, done_bytes=200)
    meter.embedding_bytes = 300.0
    event = meter.event("ingest", "a.pdf", always=True)
    assert event is not None
    assert event.done_share == pytest.approx(0.5)


def test_time_left_follows_the_share_once_there_is_enough_to_estimate_from() -> None:
    meter = ProgressMeter(total_bytes=1000, done_bytes=250)
    assert meter.event("ingest", "", always=True).eta_s is None  # type: ignore[union-attr]
    meter.started -= 10 * ESTIMATE_AFTER_S
    assert meter.event("ingest", "", always=True).eta_s == pytest.approx(30.0, rel=0.01)  # type: ignore[union-attr]


def test_events_come_no_closer_together_than_the_interval_unless_asked() -> None:
    meter = ProgressMeter(total_bytes=10)
    assert meter.event("scan", "a") is not None
    assert meter.event("scan", "b") is None
    assert meter.event("scan", "c", always=True) is not None
