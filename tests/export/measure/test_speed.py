"""What is timed, in which order, and what is said when the time does not suffice; never how fast this machine is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.tokenizer import ModelTokenizer
from edgerag.paths import BUNDLED_MODELS
from edgerag_export.measure.exact_texts import ExactTexts
from edgerag_export.measure.int8_peak import PeakMeter
from edgerag_export.measure.speed import BATCH_SIZES, measure_speed
from tests.export.measure.small_graphs import write_embedder, write_judge

ROWS = {"river": [1.0, 0.0], "bank": [0.0, 1.0], "stone": [1.0, 1.0], "water": [2.0, 1.0],
        "cell": [1.0, 3.0], "gene": [1.0, 4.0], "mouse": [1.0, 5.0], "protein": [1.0, 6.0]}  # fmt: skip


def _clock(step_s: float) -> Callable[[], float]:
    """A clock on which every look costs the same, so that every run lasts `step_s`."""
    now = 0.0

    def tell() -> float:
        nonlocal now
        now += step_s
        return now

    return tell


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(embedder, number of texts) of each call."""
    made: list[tuple[int, int]] = []
    original = OnnxEmbedder.encode_documents

    def recorded(self: OnnxEmbedder, texts: Sequence[str]) -> Any:
        made.append((id(self), len(texts)))
        return original(self, texts)

    monkeypatch.setattr(OnnxEmbedder, "encode_documents", recorded)
    return made


def test_lengths_and_batches_are_those_asked_for(tmp_path: Path) -> None:
    folder = write_embedder(tmp_path / "m", ROWS, max_tokens=48)

    figures, peak = measure_speed({"a": folder}, budget_s=0.3, clock=_clock(0.001))

    assert [point.num_tokens for point in figures["a"].latencies] == [16, 32, 48]
    fixed = [point for point in figures["a"].throughputs if point.num_tokens == 48]
    assert tuple(point.batch_size for point in fixed) == BATCH_SIZES
    assert [point.batch_size for point in figures["a"].throughputs if not point.num_tokens] == [16, 32, 64, 128, 256]
    assert figures["a"].left_out == ()
    # On this clock each run lasts a millisecond, however many texts it holds.
    assert figures["a"].latencies[0].p50_ms == pytest.approx(1.0)
    assert fixed[-1].texts_per_s == pytest.approx(256_000)
    assert fixed[-1].tokens_per_s == pytest.approx(48 * 256_000)
    assert peak.int8_gops > 0
    assert peak.float32_gops > 0


def test_variants_take_turns_and_run_equally_often(tmp_path: Path, calls: list[tuple[int, int]]) -> None:
    folders = {name: write_embedder(tmp_path / name, ROWS) for name in ("a", "b")}

    figures, _ = measure_speed(folders, budget_s=0.3, clock=_clock(0.001))

    for first, second in zip(figures["a"].latencies, figures["b"].latencies, strict=True):
        assert first.num_runs == second.num_runs >= 2
    timed = calls[4:]  # two calls each to warm up
    assert len(timed) % 2 == 0
    for one, other in zip(timed[::2], timed[1::2], strict=True):
        assert one[0] != other[0]
        assert one[1] == other[1]
    assert {turn[0] for turn in timed[::2]} == {turn[0] for turn in timed[1::2]}, "the same variant always came first"


def test_what_there_was_no_time_for_is_named(tmp_path: Path) -> None:
    folder = write_embedder(tmp_path / "m", ROWS)

    figures, _ = measure_speed({"a": folder}, budget_s=0.05, clock=_clock(0.01))

    assert [point.num_tokens for point in figures["a"].latencies] == [16]
    assert [point.batch_size for point in figures["a"].throughputs] == [1]
    assert figures["a"].left_out == (
        "latency by length in tokens: 24",
        "throughput by number of texts of 24 tokens: 4, 8, 16, 32, 64, 128, 256",
        "throughput by number of texts of mixed length: 16, 32, 64, 128, 256",
    )


def test_cross_encoders_are_timed_with_pairs(tmp_path: Path) -> None:
    folder = write_judge(tmp_path / "m", {"river": 1.0})

    figures, _ = measure_speed({"a": folder}, budget_s=0.1, clock=_clock(0.001))

    assert [point.num_tokens for point in figures["a"].latencies] == [16, 24]


@pytest.mark.parametrize("num_tokens", [16, 33, 256])
def test_texts_have_exactly_so_many_tokens(num_tokens: int) -> None:
    folder = BUNDLED_MODELS / "all-MiniLM-L6-v2"
    manifest = read_manifest(folder)
    tokenizer = ModelTokenizer.open(folder, manifest)

    texts = ExactTexts(folder).make(num_tokens, 3)

    assert [len(tokenizer.encode(text, max_tokens=10_000).ids) for text in texts] == [num_tokens] * 3
    assert len(set(texts)) == 3
    pair = ExactTexts(folder, question="How long?").make(num_tokens, 1)[0]
    assert len(tokenizer.encode_pair("How long?", pair, max_tokens=10_000).ids) == num_tokens


def test_a_prefix_that_ends_in_a_space_is_counted_right(tmp_path: Path) -> None:
    folder = write_embedder(tmp_path / "m", ROWS, document_prefix="bank ", marked=True)
    tokenizer = ModelTokenizer.open(folder, read_manifest(folder))

    text = ExactTexts(folder).make(16, 1)[0]

    assert len(tokenizer.encode("bank " + text, max_tokens=100).ids) == 16
    assert set(text.split()) <= set(ROWS)


def test_peak_is_that_of_the_best_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = PeakMeter()
    meter.sample()
    first = meter.peak
    # From here on every product takes an hour.
    monkeypatch.setattr("edgerag_export.measure.int8_peak._repeat", lambda session, feeds: (1, 3600.0))
    meter.sample()

    assert meter.peak == first
    assert first.cores >= 1
