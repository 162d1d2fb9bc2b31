"""Fusing ranked lists. Pure: scores in, scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgerag.datatypes import Hit


def min_max(scores: Mapping[int, float]) -> dict[int, float]:
    """Scale scores to 0..1; where all are equal (one hit, say) each becomes 1."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    if high <= low:
        return dict.fromkeys(scores, 1.0)
    return {key: (score - low) / (high - low) for key, score in scores.items()}


def fuse_convex(lexical: Sequence[Hit], vector: Sequence[Hit], *, vector_weight: float) -> dict[int, float]:
    """Fuse two searches by a weighted mean of their min-max normalised scores.

    Args:
        lexical: Best first; may be empty.
        vector: The same for vector search; the scales need not agree.
        vector_weight: Share of the vector score, 0 to 1.

    Returns:
        Score by chunk id, 0 to 1, best first, ties by id; a score that is missing counts as 0. Where one of the
        searches found nothing at all the other counts fully.

    Source: Bruch, Gai and Ingber, ACM TOIS 2023, https://arxiv.org/abs/2210.11934
    """
    if not lexical or not vector:
        vector_weight = 1.0 if vector else 0.0
    lexical_scores = min_max({hit.chunk_id: hit.score for hit in lexical})
    vector_scores = min_max({hit.chunk_id: hit.score for hit in vector})
    fused = {
        chunk_id: (1.0 - vector_weight) * lexical_scores.get(chunk_id, 0.0)
        + vector_weight * vector_scores.get(chunk_id, 0.0)
        for chunk_id in lexical_scores | vector_scores
    }
    return dict(sorted(fused.items(), key=lambda item: (-item[1], item[0])))


def fuse_rerank(fused: Mapping[int, float], rerank: Mapping[int, float], *, rerank_weight: float) -> dict[int, float]:
    """Mix a reranker's scores into the fused ones: it corrects the first stage, it does not replace it.

    On some sets a cross-encoder alone makes things worse than the first stage (BEIR: FiQA, SCIDOCS).

    Args:
        fused: Score by chunk id, 0 to 1.
        rerank: The reranker's score for some of them, on its own scale.
        rerank_weight: Share of the reranker, 0 to 1.

    Returns:
        Final score by chunk id, best first: those that were reranked before those that were not.
    """
    scaled = min_max(rerank)
    final = {
        chunk_id: (1.0 - rerank_weight) * score + rerank_weight * scaled.get(chunk_id, 0.0)
        for chunk_id, score in fused.items()
    }
    return dict(sorted(final.items(), key=lambda item: (item[0] not in scaled, -item[1], item[0])))
