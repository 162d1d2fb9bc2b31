"""Choose the range that a product's uint8 inputs stand for: wide ranges lose precision, narrow ones cut values off."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

INPUT_MAX = 255
"""Inputs are uint8, weights int8: the pair for which every x86 and ARM kernel of onnxruntime is made."""
BINS = 4096
"""Of the histogram for `entropy`: sixteen to a step of the widest range."""
_STRIDE = 16
_TINY = 1e-12
_UNSEEN = 1e-4
"""Counts that a bin is taken to hold where the quantised distribution has none."""

Values = NDArray[Any]


def percentile_range(values: Values, percentile: float) -> tuple[float, float]:
    """Return the range that leaves out the rarest values on both sides.

    Args:
        values: What was seen, any shape.
        percentile: Share in percent, 50 to 100: that many of the values are not above the range, and as many not below.
    """
    low, high = np.percentile(values, [100 - percentile, percentile])
    return min(0.0, float(low)), max(0.0, float(high))


def entropy_range(values: Values, *, levels: int = INPUT_MAX + 1, bins: int = BINS) -> tuple[float, float]:
    """Return the range whose quantised distribution tells least apart from what was seen (Kullback-Leibler).

    The range holds 0. Its upper and its lower end are moved in by turns, each to where the loss is least; what is cut
    off counts at the edge.

    Source: TensorRT's calibration, S. Migacz, "8-bit Inference with TensorRT", GTC 2017, for ranges that are not
    symmetric, the two ends on their own.

    Args:
        values: What was seen, any shape.
        levels: Of a quantised value.
        bins: Of the histogram; several to a level.
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    if high - low < _TINY:
        return low, high
    seen, edges = np.histogram(values, bins=bins, range=(low, high))
    zero = min(int(-low / (high - low) * bins), bins - 1)
    kept = slice(0, bins)
    for _ in range(2):
        stops = range(bins, max(kept.start + levels, zero + 1) - 1, -_STRIDE)
        kept = _best([slice(kept.start, stop) for stop in stops], seen, levels)
        starts = range(0, min(kept.stop - levels, zero) + 1, _STRIDE)
        kept = _best([slice(start, kept.stop) for start in starts], seen, levels)
    return min(0.0, float(edges[kept.start])), max(0.0, float(edges[kept.stop]))


def _best(candidates: list[slice], seen: Values, levels: int) -> slice:
    return min(candidates, key=lambda kept: _divergence(seen, kept, levels))


def _divergence(seen: Values, kept: slice, levels: int) -> float:
    inside = seen[kept].astype(np.float64)
    clipped = inside.copy()
    clipped[0] += seen[: kept.start].sum()
    clipped[-1] += seen[kept.stop :].sum()
    # Each level spreads what it holds evenly over those of its bins that held anything.
    level = np.arange(len(inside)) * levels // len(inside)
    filled = clipped > 0
    held = np.bincount(level, inside, levels)
    shared = np.bincount(level, filled.astype(np.float64), levels)
    quantized = np.where(filled, (held / np.maximum(shared, 1))[level], 0)
    exact, coarse = clipped[filled], np.maximum(quantized[filled], _UNSEEN)
    exact, coarse = exact / exact.sum(), coarse / coarse.sum()
    return float(np.sum(exact * np.log(exact / coarse)))
