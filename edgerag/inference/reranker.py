"""Judges of question and passage together: late interaction over token codes, or a cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edgerag.coded_text import coded
from edgerag.datatypes import Encoding
from edgerag.errors import ModelError
from edgerag.inference.manifest import REINSTALL_HINT, Manifest, read_manifest
from edgerag.inference.onnx_model import OnnxModel
from edgerag.inference.threads import Workers, worker_count
from edgerag.inference.token_codes import maxsim, weighted_mean
from edgerag.inference.tokenizer import ModelTokenizer
from edgerag.protocols import RerankCandidate

if TYPE_CHECKING:
    from numpy.typing import NDArray  # 20 ms that only the type checker needs


class TokenEmbedder(Protocol):
    """What late interaction asks of an embedder."""

    @property
    def name(self) -> str: ...

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]: ...

    def query_token_embeddings(self, text: str) -> NDArray[np.float32]:
        """Shape (m, dim), unit rows."""

    def token_embeddings(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """For each text shape (length, dim), unit rows, length at least 1."""


class MaxSimReranker:
    """Late interaction with the embedder's own token embeddings: no further weights.

    Scores are mean cosines, mostly between 0 and 1; comparable within one call (`token_codes.weighted_mean`).
    """

    def __init__(self, embedder: TokenEmbedder) -> None:
        self._embedder = embedder

    @property
    def name(self) -> str:
        return f"maxsim:{self._embedder.name}"

    def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
        """Score each candidate from its codes; those that have none are embedded.

        Raises:
            ModelError: Codes of another embedder or format, or the embedder failed.
        """
        query = self._embedder.query_token_embeddings(question)
        if not any(candidate.token_codes for candidate in candidates):
            # Nothing stored to compare with (sentences of an answer): no reason to lose precision.
            tokens = self._embedder.token_embeddings([candidate.text for candidate in candidates])
            best = [(query @ rows.T).max(axis=1) for rows in tokens]
            return weighted_mean(np.stack(best, axis=1) if best else np.zeros((len(query), 0), dtype=np.float32))
        # Packed and unpacked scores differ by a small bias, so that all are packed as soon as one is.
        missing = [index for index, candidate in enumerate(candidates) if not candidate.token_codes]
        texts = [candidates[index].text for index in missing]
        encodings = self._embedder.encode_documents(texts) if texts else []
        embedded = dict(zip(missing, (encoding.token_codes for encoding in encodings), strict=True))
        codes = [candidate.token_codes or embedded[index] for index, candidate in enumerate(candidates)]
        return maxsim(query, codes)


class CrossEncoderReranker:
    """An ONNX classifier of (question, passage) pairs; safe to share between threads.

    One unpadded pair per run, for the reason `OnnxEmbedder` gives.
    """

    def __init__(self, manifest: Manifest, model: OnnxModel, tokenizer: ModelTokenizer, *, threads: int = 0) -> None:
        """Put the parts together; `open` reads them from a folder.

        Raises:
            ModelError: The manifest is not that of a cross-encoder.
        """
        if manifest.task != "cross-encoder":
            raise ModelError(
                coded(
                    "model.no_reranker",
                    "Model {name} is no cross-encoder (task {task}).",
                    name=manifest.name,
                    task=manifest.task,
                ),
                hint=coded("hint.choose_reranker", "Choose a reranker: `edgerag models list`."),
            )
        # Room for at least one token of each text beside the template's.
        if manifest.max_tokens < tokenizer.num_special_tokens_in_pair + 2:
            raise ModelError(f"Model {manifest.name} has no longest input.", hint=REINSTALL_HINT)
        self._manifest = manifest
        self._model = model
        self._tokenizer = tokenizer
        self._workers = Workers(worker_count(threads))

    @classmethod
    def open(cls, folder: Path, *, threads: int = 0) -> CrossEncoderReranker:
        """Open a model folder, checking every byte against its manifest.

        Args:
            folder: Holds `manifest.json`, the graph and `tokenizer.json`.
            threads: Pairs judged at the same time; 0: one for each core this process may use.

        Raises:
            ModelError: Something is missing, damaged, or not a cross-encoder.
        """
        manifest = read_manifest(folder)
        tokenizer = ModelTokenizer.open(folder, manifest)
        return cls(manifest, OnnxModel.open(folder, manifest), tokenizer, threads=threads)

    @property
    def name(self) -> str:
        return self._manifest.name

    def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
        """Score each candidate's text; passages are shortened to fit, the question is not.

        Returns:
            Shape (len(candidates),): the graph's logit for "relevant".

        Raises:
            ModelError: The graph refused a pair, or gave something else than one or two numbers.
        """
        scores = self._workers.map(lambda candidate: self._judge(question, candidate.text), candidates)
        return np.array(scores, dtype=np.float32)

    def close(self) -> None:
        """End the worker threads; they start again when needed."""
        self._workers.close()

    def _judge(self, question: str, passage: str) -> float:
        row = self._tokenizer.encode_pair(
            self._manifest.query_prefix + question,
            self._manifest.document_prefix + passage,
            max_tokens=self._manifest.max_tokens,
        )
        logits = self._model.run(row.inputs()).reshape(-1)
        if logits.size == 1:
            score = float(logits[0])
        elif logits.size == 2:  # classes "not relevant" and "relevant": their difference orders as the softmax does
            score = float(logits[1] - logits[0])
        else:
            raise ModelError(
                f"Model {self.name} gave {logits.size} numbers for a pair instead of one or two.",
                hint="It is no cross-encoder, or was exported for another task.",
            )
        if not np.isfinite(score):
            raise ModelError(f"Model {self.name} gave the score {score}.", hint=REINSTALL_HINT)
        return score
