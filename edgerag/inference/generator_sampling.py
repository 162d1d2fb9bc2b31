"""Which token comes next, from the scores a model gives to all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgerag.datatypes import Sampling

REPEAT_WINDOW = 64
"""Tokens of the answer that count as repeated; llama.cpp's own default."""


def pick_token(
    logits: NDArray[np.float32], answer: Sequence[int], sampling: Sampling, random: np.random.Generator
) -> int:
    """Pick the next token: the best at temperature 0, else drawn after top-k, top-p and temperature.

    Done here rather than by llama.cpp's samplers, whose C signatures change between releases, and which count
    the prompt's tokens as repeated: that would keep a model from copying out of its evidence, its best habit.

    Args:
        logits: Shape (vocabulary,); not changed.
        answer: Tokens generated so far.
        random: Seeded by the caller; not used at temperature 0.
    """
    scores = logits.astype(np.float64)
    if sampling.repeat_penalty != 1.0 and answer:
        repeated = np.unique(np.asarray(answer[-REPEAT_WINDOW:]))
        seen = scores[repeated]
        # Keskar et al. 2019, https://arxiv.org/abs/1909.05858: towards smaller whatever the sign.
        scores[repeated] = np.where(seen > 0, seen / sampling.repeat_penalty, seen * sampling.repeat_penalty)
    if sampling.temperature <= 0:
        return int(scores.argmax())
    num_kept = min(sampling.top_k, len(scores)) if sampling.top_k > 0 else len(scores)
    best = np.argpartition(-scores, num_kept - 1)[:num_kept]
    best = best[np.lexsort((best, -scores[best]))]
    shares = np.exp((scores[best] - scores[best[0]]) / sampling.temperature)
    shares /= shares.sum()
    # The smallest set that holds top_p of the probability, never empty.
    num_kept = int(np.searchsorted(np.cumsum(shares), min(sampling.top_p, 1.0 - 1e-12))) + 1
    kept = shares[:num_kept] / shares[:num_kept].sum()
    return int(best[random.choice(len(kept), p=kept)])
