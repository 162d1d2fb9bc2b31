"""Figures of a ranking: NDCG@10 and MAP as trec_eval defines them, shares of equal places, correlations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]
Judgements = dict[int, int]
"""Relevance by position of the document; 0 or less is not relevant."""

TOP_K = 10
_RESAMPLES = 2000


def best(scores: Scores, top_k: int = TOP_K) -> list[int]:
    """Positions of the highest scores, best first; of equal ones the first."""
    order: list[int] = np.argsort(-scores, kind="stable")[:top_k].tolist()
    return order


def ndcg_by_query(scores: Sequence[Scores], judgements: Sequence[Judgements]) -> NDArray[np.float64]:
    """NDCG@10 of each query, with the gain linear in the relevance as in trec_eval; 0 where nothing is relevant.

    Args:
        scores: By query: one score for each document.
        judgements: By query.
    """
    discounts = 1 / np.log2(np.arange(2, TOP_K + 2))
    values = []
    for row, relevance in zip(scores, judgements, strict=True):
        found = np.array([max(0, relevance.get(index, 0)) for index in best(row)], dtype=float)
        ideal = np.array(sorted((max(0, value) for value in relevance.values()), reverse=True)[:TOP_K], dtype=float)
        perfect = float(ideal @ discounts[: len(ideal)])
        values.append(float(found @ discounts[: len(found)]) / perfect if perfect else 0.0)
    return np.array(values)


def ndcg(scores: Sequence[Scores], judgements: Sequence[Judgements]) -> float:
    """Mean NDCG@10 over the queries; see `ndcg_by_query`."""
    return float(ndcg_by_query(scores, judgements).mean())


def average_precision_by_query(scores: Sequence[Scores], judgements: Sequence[Judgements]) -> NDArray[np.float64]:
    """Average precision of each query over the whole ranking, as trec_eval's `map`; 0 where nothing is relevant.

    The precision at each relevant document's rank, summed up and divided by the number of relevant documents.
    """
    values = []
    for row, relevance in zip(scores, judgements, strict=True):
        relevant = {index for index, value in relevance.items() if value > 0}
        ranks = [rank for rank, index in enumerate(best(row, len(row)), start=1) if index in relevant]
        precisions = [count / rank for count, rank in enumerate(ranks, start=1)]
        values.append(sum(precisions) / len(relevant) if relevant else 0.0)
    return np.array(values)


def mean_average_precision(scores: Sequence[Scores], judgements: Sequence[Judgements]) -> float:
    """MAP over the whole ranking; see `average_precision_by_query`."""
    return float(average_precision_by_query(scores, judgements).mean())


def relative_loss(exact: float | None, small: float | None) -> float | None:
    """Share of `exact` that was lost, negative when there was a gain; None where there is nothing to compare."""
    return None if small is None or not exact else 1 - small / exact


def loss_interval(exact: NDArray[np.float64], small: NDArray[np.float64]) -> tuple[float, float] | None:
    """Range in which the relative loss of the mean lies with a probability of 95 %, were other queries asked.

    Args:
        exact: A figure of each query with float32.
        small: The same of the variant, same queries.

    Returns:
        Low and high end by a paired bootstrap with a fixed seed; None where the figure is 0 for all queries.

    Source: Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006.
    """
    if not exact.any():
        return None
    chosen = np.random.default_rng(0).integers(0, len(exact), (_RESAMPLES, len(exact)))
    base = exact[chosen].mean(axis=1)
    losses = 1 - small[chosen].mean(axis=1)[base > 0] / base[base > 0]
    low, high = np.quantile(losses, (0.025, 0.975))
    return float(low), float(high)


def overlap(exact: Sequence[Scores], small: Sequence[Scores], top_k: int = TOP_K) -> float:
    """Mean share of the `top_k` best of one ranking that the other has among its best too."""
    shared = [
        len(set(best(left, top_k)) & set(best(right, top_k))) / min(top_k, len(left))
        for left, right in zip(exact, small, strict=True)
    ]
    return float(np.mean(shared))


def pearson(left: Scores, right: Scores) -> float:
    """Linear correlation, -1 to 1; not a number where one side does not vary."""
    a, b = left - np.mean(left, dtype=float), right - np.mean(right, dtype=float)
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm else float("nan")


def spearman(left: Scores, right: Scores) -> float:
    """Correlation of the ranks, equal values sharing their mean rank."""
    return pearson(_ranks(left), _ranks(right))


def _ranks(values: Scores) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return ranks
