"""An embedder that is opened when it is first asked to do something: a sync with nothing to do needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgerag.datatypes import Encoding
from edgerag.inference.manifest import Manifest
from edgerag.protocols import Embedder


class DeferredEmbedder:
    """What a manifest says of an embedder at once; the rest of `edgerag.protocols.Embedder` opens the model."""

    def __init__(self, manifest: Manifest, open_embedder: Callable[[], Embedder]) -> None:
        """Open nothing yet.

        Args:
            open_embedder: Returns the same embedder each time; raises ModelError.
        """
        self._manifest = manifest
        self._open = open_embedder

    @property
    def name(self) -> str:
        return self._manifest.name

    @property
    def dim(self) -> int:
        return self._manifest.dim

    @property
    def fingerprint(self) -> str:
        return self._manifest.fingerprint

    @property
    def languages(self) -> tuple[str, ...]:
        return self._manifest.languages

    @property
    def max_tokens(self) -> int:
        return self._open().max_tokens

    def token_starts(self, text: str) -> list[int]:
        return self._open().token_starts(text)

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        return self._open().encode_documents(texts)

    def encode_query(self, text: str) -> Encoding:
        return self._open().encode_query(text)
