"""Rows side by side in one padded batch: what other programs force on a graph, and the runtime does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerag.inference.tokenizer import TokenRow

BATCH = 8
"""Texts that are put side by side to see whether they change one another."""


def padded_inputs(rows: Sequence[TokenRow]) -> dict[str, NDArray[np.int64]]:
    """Put rows side by side, the shorter ones padded with id 0 and masked.

    Returns:
        Shape (rows, longest row) by the names graphs use.
    """
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, kinds, mask = (np.zeros(shape, np.int64) for _ in range(3))
    for place, row in enumerate(rows):
        length = len(row.ids)
        ids[place, :length], kinds[place, :length], mask[place, :length] = row.ids, row.type_ids, 1
    places = np.broadcast_to(np.arange(shape[1], dtype=np.int64), shape)
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds, "position_ids": places}


def spread(texts: Sequence[str], count: int = BATCH) -> list[str]:
    """Choose texts from the shortest to the longest, evenly over their order by length.

    Short beside long: padding is what moves a result, and the longest text sets how much of it there is.
    """
    by_length = sorted(texts, key=lambda text: (len(text), text))
    return [by_length[round(place * (len(by_length) - 1) / (count - 1))] for place in range(count)]
