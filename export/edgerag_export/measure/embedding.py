"""What an embedder lost against float32; both are run by the program's own embedder, never by a second loader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.onnx_model import OnnxModel
from edgerag.inference.tokenizer import ModelTokenizer
from edgerag_export.measure.padding import padded_inputs, spread
from edgerag_export.measure.ranking import (
    average_precision_by_query,
    loss_interval,
    ndcg_by_query,
    overlap,
    relative_loss,
)
from edgerag_export.measure.trial import Trial
from edgerag_export.progress import Progress

Array = NDArray[np.float32]
_STEP = 64


@dataclass(frozen=True, slots=True)
class Figures:
    trial: str
    num_queries: int
    num_documents: int
    cosine_mean: float
    cosine_min: float
    top10_overlap: float
    """Mean share of the ten nearest documents that float32 names too."""
    batch_invariance: float
    """Smallest cosine between a text alone and the same text among others, as the runtime runs them."""
    padded_invariance: float
    """The same when one padded batch is forced on the graph."""
    size_mb: float
    ndcg_float32: float | None = None
    ndcg: float | None = None
    """NDCG@10."""
    map_float32: float | None = None
    map: float | None = None
    """Mean average precision over the whole ranking, as trec_eval's `map`."""
    ndcg_loss_low: float | None = None
    """Lower end of the 95 % interval of `ndcg_loss`, were other queries asked (`ranking.loss_interval`)."""
    ndcg_loss_high: float | None = None
    cosine_deciles: tuple[float, ...] = ()
    """Eleven quantiles of the cosines, from the smallest to the largest."""

    @property
    def ndcg_loss(self) -> float | None:
        """Share of float32's NDCG@10 that was lost; negative when there was a gain."""
        return relative_loss(self.ndcg_float32, self.ndcg)

    @property
    def map_loss(self) -> float | None:
        """Share of float32's MAP that was lost; negative when there was a gain."""
        return relative_loss(self.map_float32, self.map)

    def as_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self) | {"ndcg_loss": self.ndcg_loss, "map_loss": self.map_loss}


@dataclass(frozen=True, slots=True)
class Reference:
    """A trial and its embeddings by the float32 model, computed once for all variants."""

    trial: Trial
    queries: Array
    """Shape (queries, dim), unit rows."""
    documents: Array
    """Shape (documents, dim), unit rows."""


def embed_reference(folder: Path, trial: Trial, *, progress: Progress | None = None) -> Reference:
    """Embed a trial with the float32 model.

    Raises:
        ModelError: The folder holds no embedding model that runs.
    """
    return Reference(trial, *_embed(folder, trial, "float32", progress))


def compare(variant: Path, reference: Reference, *, progress: Progress | None = None) -> Figures:
    """Compare a model folder with float32 embeddings.

    Args:
        variant: The folder that may be shipped.
        reference: Of `embed_reference`.
        progress: Called with the folder's name, texts done and texts in all.

    Raises:
        ModelError: The folder holds no embedding model that runs.
    """
    trial = reference.trial
    queries, documents = _embed(variant, trial, variant.name, progress)
    pairs = ((reference.queries, queries), (reference.documents, documents))
    cosines = np.concatenate([np.sum(exact * small, axis=1) for exact, small in pairs])
    exact_scores, small_scores = reference.queries @ reference.documents.T, queries @ documents.T
    alone, padded = _invariance(variant, trial.documents)
    return Figures(
        trial=trial.name,
        num_queries=len(trial.queries),
        num_documents=len(trial.documents),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        top10_overlap=overlap(list(exact_scores), list(small_scores)),
        batch_invariance=alone,
        padded_invariance=padded,
        size_mb=read_manifest(variant).files["model"].size_bytes / 1e6,
        cosine_deciles=tuple(float(value) for value in np.quantile(cosines, np.linspace(0, 1, 11))),
        **_judged(exact_scores, small_scores, trial),
    )


def measure(variant: Path, reference: Path, trial: Trial, *, progress: Progress | None = None) -> Figures:
    """Compare two model folders on a trial.

    Args:
        variant: The folder that may be shipped.
        reference: The same model in float32.
        trial: The texts.
        progress: Called with what is being embedded, texts done and texts in all.
    """
    return compare(variant, embed_reference(reference, trial, progress=progress), progress=progress)


def _judged(exact: Array, small: Array, trial: Trial) -> dict[str, float]:
    if not trial.judgements:
        return {}
    exact_ndcg, small_ndcg = (ndcg_by_query(list(scores), trial.judgements) for scores in (exact, small))
    exact_map, small_map = (average_precision_by_query(list(scores), trial.judgements) for scores in (exact, small))
    values = {
        "ndcg_float32": float(exact_ndcg.mean()),
        "ndcg": float(small_ndcg.mean()),
        "map_float32": float(exact_map.mean()),
        "map": float(small_map.mean()),
    }
    if (interval := loss_interval(exact_ndcg, small_ndcg)) is not None:
        values["ndcg_loss_low"], values["ndcg_loss_high"] = interval
    return values


def _embed(folder: Path, trial: Trial, label: str, progress: Progress | None) -> tuple[Array, Array]:
    """Return the embeddings of queries and documents, one row each."""
    embedder = OnnxEmbedder.open(folder)
    total = len(trial.queries) + len(trial.documents)
    try:
        queries = [embedder.encode_query(text).embedding for text in trial.queries]
        rows: list[Array] = []
        for start in range(0, len(trial.documents), _STEP):
            rows += [item.embedding for item in embedder.encode_documents(trial.documents[start : start + _STEP])]
            if progress is not None:
                progress(label, len(queries) + len(rows), total)
    finally:
        embedder.close()
    return np.stack(queries), np.stack(rows)


def _invariance(folder: Path, documents: Sequence[str]) -> tuple[float, float]:
    """Smallest cosines between texts alone, among others, and in one padded batch."""
    sample = spread(documents)
    embedder = OnnxEmbedder.open(folder, threads=2)
    try:
        together = np.stack([item.embedding for item in embedder.encode_documents(sample)])
        alone = np.stack([embedder.encode_documents([text])[0].embedding for text in sample])
    finally:
        embedder.close()
    padded = _padded_embeddings(folder, sample)
    return float(np.sum(alone * together, axis=1).min()), float(np.sum(alone * padded, axis=1).min())


def _padded_embeddings(folder: Path, texts: Sequence[str]) -> Array:
    manifest = read_manifest(folder)
    tokenizer = ModelTokenizer.open(folder, manifest)
    rows = [tokenizer.encode(manifest.document_prefix + text, max_tokens=manifest.max_tokens) for text in texts]
    inputs = padded_inputs(rows)
    hidden, mask = OnnxModel.open(folder, manifest).run(inputs), inputs["attention_mask"]
    if manifest.pooling == "cls":
        pooled = hidden[:, 0]
    else:
        pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: Array = (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)
    return unit
