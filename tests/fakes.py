"""Models for tests: deterministic, instant, without weights; they fulfil `edgerag.protocols`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgerag.datatypes import Encoding, PromptPart, Sampling
from edgerag.errors import ModelError
from edgerag.inference.token_codes import pack_tokens
from edgerag.protocols import RerankCandidate, StopFlag

_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\w\s]")
"""A word, one CJK character, or one punctuation mark."""


class FakeEmbedder:
    """Hashed bag of words: texts that share words have a higher cosine, equal texts have the same vector."""

    def __init__(self, *, dim: int = 64, max_tokens: int = 254, name: str = "fake-embedder") -> None:
        self._dim = dim
        self._max_tokens = max_tokens
        self._name = name
        self.document_calls: list[tuple[str, ...]] = []
        """The texts of each call of `encode_documents`."""
        self.queries: list[str] = []
        self.fail_after: int | None = None
        """Texts encoded before `encode_documents` raises ModelError; None: never."""
        self._words: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        return self._name

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self._name}\0{self._dim}\0{self._max_tokens}".encode()).hexdigest()[:32]

    @property
    def languages(self) -> tuple[str, ...]:
        return ("*",)

    @property
    def max_tokens(self) -> int:
        return self._max_tokens

    @property
    def embedded_texts(self) -> list[str]:
        """Every text that went through `encode_documents`, in order."""
        return [text for call in self.document_calls for text in call]

    def token_starts(self, text: str) -> list[int]:
        return [match.start() for match in _TOKEN.finditer(text)]

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        if self.fail_after is not None and len(self.embedded_texts) + len(texts) > self.fail_after:
            raise ModelError("The fake embedder was told to fail.", hint="Set `fail_after` to None.")
        self.document_calls.append(tuple(texts))
        return [self._encode(text) for text in texts]

    def encode_query(self, text: str) -> Encoding:
        self.queries.append(text)
        return self._encode(text)

    def query_token_embeddings(self, text: str) -> NDArray[np.float32]:
        """Shape (length, dim), unit rows; one fixed row for a text without tokens."""
        return self._token_vectors(text)

    def token_embeddings(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        return [self._token_vectors(text) for text in texts]

    def _token_vectors(self, text: str) -> NDArray[np.float32]:
        words = _TOKEN.findall(text.casefold())[: self._max_tokens] or [""]
        return np.stack([self._word_vector(word) for word in words])

    def _encode(self, text: str) -> Encoding:
        tokens = self._token_vectors(text)
        embedding = tokens.sum(axis=0)
        embedding /= np.linalg.norm(embedding)
        return Encoding(embedding.astype(np.float32), pack_tokens(tokens))

    def _word_vector(self, word: str) -> NDArray[np.float32]:
        if word not in self._words:
            seed = int.from_bytes(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "big")
            vector = np.random.default_rng(seed).standard_normal(self._dim)
            self._words[word] = (vector / np.linalg.norm(vector)).astype(np.float32)
        return self._words[word]


class FakeReranker:
    """Scores a candidate by the share of the question's words that it holds."""

    name = "fake-reranker"

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[RerankCandidate, ...]]] = []
        self.error: Exception | None = None
        """Raised by `score` when set."""

    def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
        if self.error is not None:
            raise self.error
        self.calls.append((question, tuple(candidates)))
        wanted = set(_TOKEN.findall(question.casefold()))
        shares = [
            len(wanted & set(_TOKEN.findall(candidate.text.casefold()))) / max(1, len(wanted))
            for candidate in candidates
        ]
        return np.array(shares, dtype=np.float32)


class FakeGenerator:
    """Says the same scripted text to every prompt, a few characters at a time."""

    name = "fake-generator"
    family = "chatml"

    def __init__(
        self,
        text: str = "It is so.",
        *,
        piece_chars: int = 4,
        context_tokens: int = 2048,
        family: str = "chatml",
    ) -> None:
        self.text = text
        self.family = family
        self._piece_chars = piece_chars
        self._context_tokens = context_tokens
        self.prompts: list[tuple[PromptPart, ...]] = []
        self.samplings: list[Sampling] = []
        self.error_after: int | None = None
        """Pieces yielded before `stream` raises ModelError; None: never."""

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    def count_tokens(self, text: str) -> int:
        return len(_TOKEN.findall(text))

    def stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        self.prompts.append(tuple(prompt))
        self.samplings.append(sampling)
        length = sum(self.count_tokens(part.text) for part in prompt)
        if length + sampling.max_tokens > self._context_tokens:
            raise ModelError(f"The prompt has {length} tokens.", hint="Ask with less evidence.")
        text = self.text
        for mark in sampling.stop:
            text = text.split(mark, 1)[0]
        starts = range(0, len(text), self._piece_chars)
        for number, start in enumerate(starts):
            if stop.is_set() or number >= sampling.max_tokens:
                return
            if self.error_after is not None and number >= self.error_after:
                raise ModelError("The fake generator was told to fail.", hint="Set `error_after` to None.")
            yield text[start : start + self._piece_chars]
