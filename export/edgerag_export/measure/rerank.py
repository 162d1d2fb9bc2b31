"""What a cross-encoder's variant lost against float32; both are run by the program's own reranker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.inference.manifest import read_manifest
from edgerag.inference.onnx_model import OnnxModel
from edgerag.inference.reranker import CrossEncoderReranker
from edgerag.inference.tokenizer import ModelTokenizer
from edgerag.protocols import RerankCandidate
from edgerag_export.measure.padding import padded_inputs, spread
from edgerag_export.measure.ranking import (
    average_precision_by_query,
    best,
    loss_interval,
    ndcg_by_query,
    overlap,
    pearson,
    relative_loss,
    spearman,
)
from edgerag_export.measure.rerank_trial import RerankTrial
from edgerag_export.progress import Progress

Array = NDArray[np.float32]
TOP_K = 5


@dataclass(frozen=True, slots=True)
class RerankFigures:
    """No `ndcg_loss` and no `top10_overlap`: a tolerance bounds those of embedders."""

    trial: str
    num_queries: int
    num_pairs: int
    score_correlation: float
    """Pearson's, of all scores with those of float32."""
    rank_correlation: float
    """Spearman's, of the scores of one query; mean over the queries."""
    top1_agreement: float
    """Share of queries whose best passage is float32's."""
    top5_overlap: float
    """Mean share of the five best passages that float32 names too."""
    batch_invariance: float
    """1 - the largest difference between a pair's score alone and among others, as the runtime runs them; in standard
    deviations of float32's scores."""
    padded_invariance: float
    """The same when one padded batch is forced on the graph."""
    size_mb: float
    ndcg_float32: float | None = None
    ndcg: float | None = None
    """NDCG@10."""
    map_float32: float | None = None
    map: float | None = None
    """Mean average precision over all candidates, as trec_eval's `map`."""
    map_loss_low: float | None = None
    """Lower end of the 95 % interval of `map_loss`, were other queries asked (`ranking.loss_interval`)."""
    map_loss_high: float | None = None

    @property
    def map_loss(self) -> float | None:
        """Share of float32's MAP that was lost; negative when there was a gain."""
        return relative_loss(self.map_float32, self.map)

    def as_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self) | {"map_loss": self.map_loss}


@dataclass(frozen=True, slots=True)
class RerankReference:
    """A trial and its scores by the float32 model, computed once for all variants."""

    trial: RerankTrial
    scores: tuple[Array, ...]
    """By query: shape (candidates,)."""


def score_reference(folder: Path, trial: RerankTrial, *, progress: Progress | None = None) -> RerankReference:
    """Score a trial with the float32 model.

    Raises:
        ModelError: The folder holds no cross-encoder that runs.
    """
    return RerankReference(trial, _score(folder, trial, "float32", progress))


def compare_rerank(variant: Path, reference: RerankReference, *, progress: Progress | None = None) -> RerankFigures:
    """Compare a model folder with float32 scores.

    Args:
        variant: The folder that may be shipped.
        reference: Of `score_reference`.
        progress: Called with the folder's name, queries done and queries in all.

    Raises:
        ModelError: The folder holds no cross-encoder that runs.
    """
    trial = reference.trial
    exact, small = reference.scores, _score(variant, trial, variant.name, progress)
    width = float(np.concatenate(exact).std()) or 1.0
    alone, padded = _invariance(variant, trial, width)
    several = [(a, b) for a, b in zip(exact, small, strict=True) if len(a) > 1]
    return RerankFigures(
        trial=trial.name,
        num_queries=len(trial.queries),
        num_pairs=sum(map(len, trial.candidates)),
        score_correlation=pearson(np.concatenate(exact), np.concatenate(small)),
        rank_correlation=float(np.mean([spearman(a, b) for a, b in several])) if several else float("nan"),
        top1_agreement=float(np.mean([best(a, 1) == best(b, 1) for a, b in zip(exact, small, strict=True)])),
        top5_overlap=overlap(exact, small, TOP_K),
        batch_invariance=alone,
        padded_invariance=padded,
        size_mb=read_manifest(variant).files["model"].size_bytes / 1e6,
        **_judged(exact, small, trial),
    )


def measure_rerank(
    variant: Path, reference: Path, trial: RerankTrial, *, progress: Progress | None = None
) -> RerankFigures:
    """Compare two model folders on a trial; see `compare_rerank`."""
    return compare_rerank(variant, score_reference(reference, trial, progress=progress), progress=progress)


def _judged(exact: Sequence[Array], small: Sequence[Array], trial: RerankTrial) -> dict[str, float]:
    if not trial.judgements:
        return {}
    exact_map, small_map = (average_precision_by_query(scores, trial.judgements) for scores in (exact, small))
    values = {
        "ndcg_float32": float(ndcg_by_query(exact, trial.judgements).mean()),
        "ndcg": float(ndcg_by_query(small, trial.judgements).mean()),
        "map_float32": float(exact_map.mean()),
        "map": float(small_map.mean()),
    }
    if (interval := loss_interval(exact_map, small_map)) is not None:
        values["map_loss_low"], values["map_loss_high"] = interval
    return values


def _score(folder: Path, trial: RerankTrial, label: str, progress: Progress | None) -> tuple[Array, ...]:
    reranker = CrossEncoderReranker.open(folder)
    rows: list[Array] = []
    try:
        for question, passages in zip(trial.queries, trial.candidates, strict=True):
            rows.append(reranker.score(question, _candidates(passages)))
            if progress is not None:
                progress(label, len(rows), len(trial.queries))
    finally:
        reranker.close()
    return tuple(rows)


def _candidates(passages: Sequence[str]) -> list[RerankCandidate]:
    return [RerankCandidate(text, None) for text in passages]


def _invariance(folder: Path, trial: RerankTrial, width: float) -> tuple[float, float]:
    """How far scores stay the same among others on two threads, and in one padded batch."""
    question = trial.queries[0]
    sample = spread(list({text for row in trial.candidates for text in row}))
    reranker = CrossEncoderReranker.open(folder, threads=2)
    try:
        together = reranker.score(question, _candidates(sample))
        alone = np.array([reranker.score(question, _candidates([text]))[0] for text in sample])
    finally:
        reranker.close()
    padded = _padded_scores(folder, question, sample)
    return (1 - float(np.abs(alone - together).max()) / width, 1 - float(np.abs(alone - padded).max()) / width)


def _padded_scores(folder: Path, question: str, passages: Sequence[str]) -> Array:
    manifest = read_manifest(folder)
    tokenizer = ModelTokenizer.open(folder, manifest)
    rows = [
        tokenizer.encode_pair(
            manifest.query_prefix + question, manifest.document_prefix + passage, max_tokens=manifest.max_tokens
        )
        for passage in passages
    ]
    logits = OnnxModel.open(folder, manifest).run(padded_inputs(rows))
    scores: Array = logits.reshape(len(rows), -1)
    return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
