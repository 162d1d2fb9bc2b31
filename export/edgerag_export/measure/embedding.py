"""What a variant lost against float32: both are run by the program's own embedder, never by a second loader."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgerag.errors import SettingsError
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.onnx_model import OnnxModel
from edgerag.inference.tokenizer import ModelTokenizer

logger = logging.getLogger(__name__)

Array = NDArray[np.float32]
TOP_K = 10
_BATCH = 8
"""Texts that are put side by side, padded, for the second figure of batch invariance."""
_STEP = 64


@dataclass(frozen=True, slots=True)
class Trial:
    """The texts on which a variant is compared with float32."""

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    judgements: tuple[dict[int, int], ...] = ()
    """By query: relevance by position of the document. Empty: nothing was judged, and NDCG is not measured."""


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

    @property
    def ndcg_loss(self) -> float | None:
        """Share of float32's NDCG@10 that was lost; negative when there was a gain."""
        if self.ndcg is None or not self.ndcg_float32:
            return None
        return 1 - self.ndcg / self.ndcg_float32

    def as_json(self) -> dict[str, Any]:
        """For `report.json`."""
        return asdict(self) | {"ndcg_loss": self.ndcg_loss}


def read_beir(folder: Path, *, max_documents: int = 0) -> Trial:
    """Read `corpus.jsonl`, `queries.test.jsonl` (or `queries.jsonl`) and `qrels/test.tsv`.

    Args:
        folder: In BEIR's form.
        max_documents: Keep the judged documents and fill up with others in the file's order; 0: all.

    Raises:
        SettingsError: A file is missing or not in this form.
    """
    try:
        corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
        named = folder / "queries.test.jsonl"
        path = named if named.is_file() else folder / "queries.jsonl"
        texts = {str(row["_id"]): str(row["text"]) for row in map(json.loads, path.read_text("utf-8").splitlines())}
        judged: dict[str, dict[str, int]] = {}
        with (folder / "qrels" / "test.tsv").open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                judged.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
        relevant = {document for scores in judged.values() for document in scores}
        if max_documents:
            spare = max(0, max_documents - len(relevant))
            others = [row for row in corpus if str(row["_id"]) not in relevant][:spare]
            kept = {str(row["_id"]) for row in others} | relevant
            corpus = [row for row in corpus if str(row["_id"]) in kept]
        place = {str(row["_id"]): index for index, row in enumerate(corpus)}
        queries = [name for name in judged if name in texts]
        return Trial(
            folder.name,
            tuple(texts[name] for name in queries),
            tuple(f"{row.get('title', '')} {row['text']}".strip() for row in corpus),
            tuple({place[doc]: score for doc, score in judged[name].items() if doc in place} for name in queries),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{folder} is no BEIR folder: {error}.", hint="corpus.jsonl, queries.test.jsonl, qrels/test.tsv."
        ) from error


def text_trial(name: str, texts: Sequence[str]) -> Trial:
    """A trial without judgements: every text is query and document."""
    return Trial(name, tuple(texts), tuple(texts))


def measure(
    variant: Path, reference: Path, trial: Trial, *, progress: Callable[[str, int, int], None] | None = None
) -> Figures:
    """Compare two model folders on a trial.

    Args:
        variant: The folder that may be shipped.
        reference: The same model in float32.
        trial: The texts.
        progress: Called with what is being embedded, texts done and texts in all.
    """
    exact = _embed(reference, trial, "float32", progress)
    small = _embed(variant, trial, variant.name, progress)
    cosines = np.concatenate([np.sum(a * b, axis=1) for a, b in zip(exact, small, strict=True)])
    exact_scores, small_scores = exact[0] @ exact[1].T, small[0] @ small[1].T
    alone, padded = _invariance(variant, trial.documents)
    judged = bool(trial.judgements)
    return Figures(
        trial=trial.name,
        num_queries=len(trial.queries),
        num_documents=len(trial.documents),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        top10_overlap=_overlap(exact_scores, small_scores),
        batch_invariance=alone,
        padded_invariance=padded,
        size_mb=read_manifest(variant).files["model"].size_bytes / 1e6,
        ndcg_float32=ndcg(exact_scores, trial.judgements) if judged else None,
        ndcg=ndcg(small_scores, trial.judgements) if judged else None,
    )


def _embed(
    folder: Path, trial: Trial, label: str, progress: Callable[[str, int, int], None] | None
) -> tuple[Array, Array]:
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


def _overlap(exact: Array, small: Array) -> float:
    shared = [
        len(set(_best(left)) & set(_best(right))) / min(TOP_K, len(left))
        for left, right in zip(exact, small, strict=True)
    ]
    return float(np.mean(shared))


def _best(scores: Array) -> list[int]:
    order: list[int] = np.argsort(-scores, kind="stable")[:TOP_K].tolist()
    return order


def ndcg(scores: Array, judgements: Sequence[dict[int, int]]) -> float:
    """Mean NDCG@10, with the gain linear in the relevance as in trec_eval.

    Args:
        scores: Shape (queries, documents).
        judgements: By query: relevance by position of the document.
    """
    discounts = 1 / np.log2(np.arange(2, TOP_K + 2))
    values = []
    for row, relevance in zip(scores, judgements, strict=True):
        found = np.array([relevance.get(index, 0) for index in _best(row)], dtype=float)
        ideal = np.array(sorted(relevance.values(), reverse=True)[:TOP_K], dtype=float)
        best = float(ideal @ discounts[: len(ideal)])
        values.append(float(found @ discounts[: len(found)]) / best if best else 0.0)
    return float(np.mean(values))


def _invariance(folder: Path, documents: Sequence[str]) -> tuple[float, float]:
    """Smallest cosines between texts alone, among others, and in one padded batch."""
    by_length = sorted(documents, key=len)
    # Short beside long: padding is what moves a vector, and the longest text sets how much of it there is.
    sample = [by_length[round(place * (len(by_length) - 1) / (_BATCH - 1))] for place in range(_BATCH)]
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
    model = OnnxModel.open(folder, manifest)
    rows = [tokenizer.encode(manifest.document_prefix + text, max_tokens=manifest.max_tokens).ids for text in texts]
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row, values in enumerate(rows):
        ids[row, : len(values)] = values
        mask[row, : len(values)] = 1
    hidden = model.run({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)})
    if manifest.pooling == "cls":
        pooled = hidden[:, 0]
    else:
        pooled = (hidden * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: Array = (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)
    return unit
