"""What the pipelines ask of a model. `engine.py` alone decides which model is behind each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edgerag.datatypes import Encoding, PromptPart, Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class StopFlag(Protocol):
    """Set from another thread or a signal handler to end long work early; `threading.Event` is one."""

    def is_set(self) -> bool: ...


class TokenCounter(Protocol):
    """What the chunker asks of an embedder."""

    @property
    def max_tokens(self) -> int:
        """Longest text, in tokens without the special ones, that is embedded whole."""

    def token_starts(self, text: str) -> list[int]:
        """Code point offset at which each token begins, in order, without special tokens."""


class Embedder(TokenCounter, Protocol):
    """Texts into unit vectors. A text's vector never depends on its neighbours in a call."""

    @property
    def name(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that changes an embedding's meaning; different ones never mix."""

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes the model was trained for; `("*",)` for multilingual ones."""

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        """Encode texts in order, truncating past `max_tokens`.

        Raises:
            ModelError: The graph refused the input, or gave another width than the manifest says.
        """

    def encode_query(self, text: str) -> Encoding:
        """Encode a question (with the model's query prefix, where it has one)."""


@dataclass(frozen=True, slots=True)
class RerankCandidate:
    text: str
    """What was embedded (`ChunkDraft.embedded_text`)."""
    token_codes: bytes | None
    """Stored token embeddings of the same text and embedder; None where the library has none."""


class Reranker(Protocol):
    """Judges question and passage together."""

    @property
    def name(self) -> str: ...

    def score(self, question: str, candidates: Sequence[RerankCandidate]) -> NDArray[np.float32]:
        """Score each candidate.

        Returns:
            Shape (len(candidates),), larger is better; comparable within this call only.
        """


class Generator(Protocol):
    """Continues a prompt."""

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> str:
        """Chat format, a key of `edgerag.ask.prompt.FAMILIES`: `chatml`, `llama3`, `gemma`, ..."""

    @property
    def context_tokens(self) -> int:
        """Room for prompt and answer together."""

    def count_tokens(self, text: str) -> int:
        """Tokens of plain text, control tokens off."""

    def stream(self, prompt: Sequence[PromptPart], sampling: Sampling, stop: StopFlag) -> Iterator[str]:
        """Yield text as it is generated; ends at a stop string, `max_tokens` or soon after `stop` is set.

        Raises:
            ModelError: The prompt does not fit, or the library failed.
        """
