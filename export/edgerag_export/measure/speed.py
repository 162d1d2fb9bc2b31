"""How fast variants load and run, as the runtime runs them, all of them in turns so that neighbours slow all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.reranker import CrossEncoderReranker
from edgerag.protocols import RerankCandidate
from edgerag_export.measure.exact_texts import ExactTexts
from edgerag_export.measure.int8_peak import Peak, PeakMeter
from edgerag_export.measure.operations import count_operations
from edgerag_export.progress import Progress

LENGTHS = (16, 32, 64, 128, 256, 512)
BATCH_SIZES = (1, 4, 8, 16, 32, 64, 128, 256)
THROUGHPUT_TOKENS = 256
MIXED = (16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 224, 256)
"""Lengths of the texts of mixed length, in turn."""
_QUESTION = "How long does it take"
_LOAD_RUNS = 3
_WARM_UP = 2
_MAX_RUNS = 200
_LATENCY_SHARE = 0.25
"""Of the time, for single texts; batches take the rest."""


@dataclass(frozen=True, slots=True)
class Latency:
    num_tokens: int
    """Special tokens and prefix included; for a cross-encoder question and passage."""
    p50_ms: float
    p95_ms: float
    best_ms: float
    num_runs: int
    """With fewer than 20, the 95th percentile is the slowest."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Of that many texts handed over at once: the runtime runs each unpadded by itself, on as many threads as cores."""

    batch_size: int
    num_tokens: int
    """Of each text; 0: mixed lengths (`MIXED`)."""
    texts_per_s: float
    """Median over the runs."""
    best_texts_per_s: float
    tokens_per_s: float
    """Median over the runs."""
    num_runs: int


@dataclass(frozen=True, slots=True)
class SpeedFigures:
    load_ms: float
    """Median: reading, checking the hash, tokenizer, session. The file was read before, so the disk is not in it."""
    latencies: tuple[Latency, ...]
    """Of one text by itself, tokenising included, on one thread."""
    throughputs: tuple[Throughput, ...]
    gops_per_text: float
    """Billions of operations for a text of `THROUGHPUT_TOKENS`, or of the model's longest input."""
    integer_share: float
    """Share of those that the graph itself names as products of bytes, 0 to 1."""
    gops_per_s: float
    """Billions of operations a second in the fastest run of texts of that length."""
    share_of_int8_peak: float
    """Of what the machine reached with one big integer product on each core, in the same rounds."""
    left_out: tuple[str, ...] = ()
    """What the time did not suffice for, e.g. `throughput by number of texts of 256 tokens: 128, 256`."""

    @property
    def best_throughput(self) -> Throughput | None:
        """The batch size with the best median among texts of one length; None where time did not suffice for any."""
        fixed = [point for point in self.throughputs if point.num_tokens]
        return max(fixed, key=lambda point: point.texts_per_s) if fixed else None


class _Runner(Protocol):
    def run(self, texts: Sequence[str]) -> None: ...

    def close(self) -> None: ...


class _Embedding:
    def __init__(self, folder: Path) -> None:
        self._model = OnnxEmbedder.open(folder)

    def run(self, texts: Sequence[str]) -> None:
        # Documents, never a query: a question's encoding is kept, and the second run would be free.
        self._model.encode_documents(texts)

    def close(self) -> None:
        self._model.close()


class _Judging:
    def __init__(self, folder: Path) -> None:
        self._model = CrossEncoderReranker.open(folder)

    def run(self, texts: Sequence[str]) -> None:
        self._model.score(_QUESTION, [RerankCandidate(text, None) for text in texts])

    def close(self) -> None:
        self._model.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """One thing to time: that many texts of that length; 0: mixed."""

    batch_size: int
    num_tokens: int
    is_latency: bool
    texts: tuple[str, ...]


_Times = dict[_Point, dict[str, list[float]]]
"""Seconds of each run, by point and variant."""


def measure_speed(
    folders: Mapping[str, Path],
    *,
    budget_s: float = 60.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[dict[str, SpeedFigures], Peak]:
    """Time variants of one model.

    Each round runs every point once with every variant, so that whatever else the machine does hits all of them.

    Args:
        folders: Model folder by name, all of one model: embedders or cross-encoders.
        budget_s: For all variants together, besides loading. Points that would not fit are left out and named.
        progress: Called with "speed", seconds used and the budget.
        clock: Seconds, rising.

    Raises:
        ModelError: A folder holds no encoder that runs.
    """
    loads = {name: _load_times(folder, clock) for name, folder in folders.items()}
    first = next(iter(folders.values()))
    judges = read_manifest(first).task == "cross-encoder"
    points = _points(ExactTexts(first, question=_QUESTION if judges else ""))
    latencies = [point for point in points if point.is_latency]
    batches = [point for point in points if not point.is_latency]
    meter = PeakMeter()
    with ExitStack() as stack:
        runners = {name: stack.enter_context(closing(_open(folder))) for name, folder in folders.items()}
        for runner in runners.values():
            for _ in range(_WARM_UP):
                runner.run(points[0].texts)
        turns = _Turns(runners, clock, budget_s, progress)
        times = turns.run(latencies, until_s=budget_s * _LATENCY_SHARE, at_each_round=lambda: None)
        times |= turns.run(batches, until_s=budget_s, at_each_round=meter.sample)
        meter.sample()
    peak = meter.peak
    return {
        name: _figures(folder, loads[name], points, {point: by_name[name] for point, by_name in times.items()}, peak)
        for name, folder in folders.items()
    }, peak


def _open(folder: Path) -> _Runner:
    return _Judging(folder) if read_manifest(folder).task == "cross-encoder" else _Embedding(folder)


def _load_times(folder: Path, clock: Callable[[], float]) -> list[float]:
    times = []
    for _ in range(_LOAD_RUNS + 1):
        start = clock()
        runner = _open(folder)
        times.append(clock() - start)
        runner.close()
    return times[1:]  # the first one imports onnxruntime and reads the disk


def _points(texts: ExactTexts) -> list[_Point]:
    """Everything to time, the cheap first."""
    lengths = sorted({min(length, texts.max_tokens) for length in LENGTHS})
    latency = [_Point(1, length, True, tuple(texts.make(length, 1))) for length in lengths]
    full = min(THROUGHPUT_TOKENS, texts.max_tokens)
    many = texts.make(full, max(BATCH_SIZES))
    mixed = [texts.make(min(length, texts.max_tokens), 1)[0] for length in MIXED]
    mixed = [mixed[place % len(mixed)] for place in range(max(BATCH_SIZES))]
    batches = [_Point(size, full, False, tuple(many[:size])) for size in BATCH_SIZES]
    batches += [_Point(size, 0, False, tuple(mixed[:size])) for size in BATCH_SIZES if size >= len(MIXED)]
    return latency + sorted(batches, key=lambda point: point.batch_size)


class _Turns:
    """Runs points in rounds, every variant in turn, for as long as the time suffices."""

    def __init__(
        self,
        runners: Mapping[str, _Runner],
        clock: Callable[[], float],
        budget_s: float,
        progress: Progress | None,
    ) -> None:
        self._runners = runners
        self._names = list(runners)
        self._clock = clock
        self._start = clock()
        self._budget_s = budget_s
        self._progress = progress

    def run(self, points: Sequence[_Point], *, until_s: float, at_each_round: Callable[[], None]) -> _Times:
        """Time the points until `until_s` after the start; the point with the fewest runs comes next.

        Returns:
            Points that never fitted are missing; the first one always ran.
        """
        times: _Times = {}
        costs: dict[int, float] = {}
        at_each_round()
        while True:
            left = until_s - (self._clock() - self._start)
            fitting = [
                point
                for point in points
                if len(self._runs(times, point)) < _MAX_RUNS
                and costs.get(point.num_tokens, 0.0) * point.batch_size <= left
            ]
            if times and (left <= 0 or not fitting):
                return times
            point = min(fitting or points[:1], key=lambda point: len(self._runs(times, point)))
            if point is points[0] and times:
                at_each_round()
                self._names.append(self._names.pop(0))  # nobody always comes after the slowest
            begun = self._clock()
            for name in self._names:
                start = self._clock()
                self._runners[name].run(point.texts)
                times.setdefault(point, {}).setdefault(name, []).append(self._clock() - start)
            costs[point.num_tokens] = (self._clock() - begun) / point.batch_size
            if self._progress is not None:
                used = min(self._clock() - self._start, self._budget_s)
                self._progress("speed", round(used), round(self._budget_s))

    def _runs(self, times: _Times, point: _Point) -> list[float]:
        return times.get(point, {}).get(self._names[0], [])


def _figures(
    folder: Path, loads: Sequence[float], points: Sequence[_Point], times: Mapping[_Point, list[float]], peak: Peak
) -> SpeedFigures:
    operations = count_operations(folder)
    latencies = tuple(_latency(point, times[point]) for point in points if point.is_latency and point in times)
    batches = tuple(_throughput(point, times[point]) for point in points if not point.is_latency and point in times)
    full = max(point.num_tokens for point in points if not point.is_latency)
    rates = [point.best_texts_per_s for point in batches if point.num_tokens == full]
    gops = operations.of_text(full) / 1e9
    speed = max(rates, default=0.0) * gops
    return SpeedFigures(
        load_ms=1000 * float(np.median(loads)),
        latencies=latencies,
        throughputs=batches,
        gops_per_text=gops,
        integer_share=operations.integer_share(full),
        gops_per_s=speed,
        share_of_int8_peak=speed / peak.int8_gops if peak.int8_gops else 0.0,
        left_out=_left_out([point for point in points if point not in times]),
    )


def _latency(point: _Point, seconds: Sequence[float]) -> Latency:
    p95 = float(np.quantile(seconds, 0.95, method="higher"))
    return Latency(point.num_tokens, 1000 * float(np.median(seconds)), 1000 * p95, 1000 * min(seconds), len(seconds))


def _throughput(point: _Point, seconds: Sequence[float]) -> Throughput:
    rates = point.batch_size / np.array(seconds)
    tokens = point.num_tokens or float(np.mean([MIXED[place % len(MIXED)] for place in range(point.batch_size)]))
    median = float(np.median(rates))
    return Throughput(point.batch_size, point.num_tokens, median, float(rates.max()), median * tokens, len(seconds))


def _left_out(points: Sequence[_Point]) -> tuple[str, ...]:
    """Name points, those of one kind together."""
    kinds: dict[str, list[int]] = {}
    for point in points:
        length = f"texts of {point.num_tokens} tokens" if point.num_tokens else "texts of mixed length"
        kind = "latency by length in tokens" if point.is_latency else f"throughput by number of {length}"
        kinds.setdefault(kind, []).append(point.num_tokens if point.is_latency else point.batch_size)
    return tuple(f"{kind}: {', '.join(map(str, values))}" for kind, values in kinds.items())
