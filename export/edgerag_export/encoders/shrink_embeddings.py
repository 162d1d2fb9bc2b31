"""Store the word-embedding table in int8: half of the float32 file is this table, and rows of it need no more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgerag_export.encoders.fuse_graph import Array


@dataclass(frozen=True, slots=True)
class Int8Table:
    rows: NDArray[np.int8]
    scales: Array
    """Shape (words, 1)."""


def shrink(table: Array) -> Int8Table:
    """Quantise each row with its own scale."""
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127
    return Int8Table(np.rint(table / scales).astype(np.int8), scales.astype(np.float32))
