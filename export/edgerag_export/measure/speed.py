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
from edgerag_export.measure.trial import Progress

LENGTHS = (16, 32, 64, 128, 256, 512)
BATCH_SIZES = (1, 4, 8, 16, 32, 64, 128, 256)
THROUGHPUT_TOKENS = 256
MIXED = (16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 224, 256)
"""Lengths of the texts of mixed length, in turn."""
_QUESTION = "How long does it take"
_LOAD_RUNS = 3
_WARM_UP = 2


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
    """What the time did not suffice for."""

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


@dataclass(frozen=True, slots=True)
class _Point:
    """One thing to time: that many texts of that length; 0: mixed."""

    batch_size: int
    num_tokens: int
    is_latency: bool
    texts: tuple[str, ...]

    @property
    def label(self) -> str:
        length = f"{self.num_tokens} tokens" if self.num_tokens else "mixed length"
        return f"latency at {length}" if self.is_latency else f"throughput, {self.batch_size} texts of {length}"


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
    meter = PeakMeter()
    with ExitStack() as stack:
        runners = {name: stack.enter_context(closing(_open(folder))) for name, folder in folders.items()}
        for runner in runners.values():
            for _ in range(_WARM_UP):
                runner.run(points[0].texts)
        times = _rounds(runners, points, meter, budget_s, progress, clock)
    peak = meter.peak
    return {name: _figures(folder, loads[name], points, times[name], peak) for name, folder in folders.items()}, peak


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


def _rounds(
    runners: Mapping[str, _Runner],
    points: Sequence[_Point],
    meter: PeakMeter,
    budget_s: float,
    progress: Progress | None,
    clock: Callable[[], float],
) -> dict[str, dict[_Point, list[float]]]:
    """Return seconds by name and point; points that never fitted into the budget are missing."""
    times: dict[str, dict[_Point, list[float]]] = {name: {} for name in runners}
    start = clock()
    per_text: dict[str, float] = dict.fromkeys(runners, 0.0)
    names = list(runners)
    meter.sample()
    while True:
        for point in points:
            left = budget_s - (clock() - start)
            # What one run takes all variants, judged by the slowest text so far; the first point always runs.
            if sum(per_text.values()) * point.batch_size > left and any(times[names[0]].values()):
                continue
            for name in names:
                begun = clock()
                runners[name].run(point.texts)
                seconds = clock() - begun
                times[name].setdefault(point, []).append(seconds)
                if not point.is_latency or not per_text[name]:
                    per_text[name] = seconds / point.batch_size
            if progress is not None:
                progress("speed", min(round(clock() - start), round(budget_s)), round(budget_s))
        meter.sample()
        names.append(names.pop(0))  # nobody is always the one after the slowest
        cheapest = sum(min(values) for by_point in times.values() for values in [by_point[points[0]]])
        if clock() - start + max(cheapest, 0.0) >= budget_s:
            return times


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
        left_out=tuple(point.label for point in points if point not in times),
    )


def _latency(point: _Point, seconds: Sequence[float]) -> Latency:
    p50, p95 = np.quantile(seconds, (0.5, 0.95), method="higher")
    return Latency(point.num_tokens, 1000 * float(p50), 1000 * float(p95), 1000 * min(seconds), len(seconds))


def _throughput(point: _Point, seconds: Sequence[float]) -> Throughput:
    rates = point.batch_size / np.array(seconds)
    tokens = point.num_tokens or float(np.mean([MIXED[place % len(MIXED)] for place in range(point.batch_size)]))
    median = float(np.median(rates))
    return Throughput(
        point.batch_size, point.num_tokens, median, float(rates.max()), median * tokens, len(seconds)
    )
