"""The two sides of `against_torch`, each in a process of its own, and the turns that they take."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Nothing of edgerag here: it sets GOMP_SPINCOUNT, which the process that runs torch would inherit. Each side imports
# what it needs in its own process.

MAX_TOKENS = 256
SETTLE_S = 0.3
"""Between turns: threads of the side that has just worked spin for a while before they sleep."""


@dataclass(frozen=True, slots=True)
class Turn:
    wall_s: float
    cpu_s: float
    """Processor time of all threads; spinning counts."""


class OurSide:
    def __init__(self, folder: str) -> None:
        from edgerag.inference.embedder import OnnxEmbedder
        from edgerag.inference.manifest import read_manifest
        from edgerag.inference.threads import worker_count
        from edgerag.inference.tokenizer import ModelTokenizer

        self._manifest = read_manifest(Path(folder))
        self._tokenizer = ModelTokenizer.open(Path(folder), self._manifest)
        self._embedder = OnnxEmbedder.open(Path(folder))
        self._cores = worker_count()

    def facts(self) -> dict[str, Any]:
        import onnxruntime

        return {
            "model": self._manifest.name,
            "precision": self._manifest.precision,
            "onnxruntime": onnxruntime.__version__,
            "cores": self._cores,
        }

    def cut(self, source: str, wanted: Sequence[int], offset: int) -> list[tuple[str, int]]:
        """Pieces of the source with about so many tokens, and how many they have, special ones included."""
        starts = self._embedder.token_starts(source)
        pieces, place = [], offset % len(starts)
        for tokens in wanted:
            length = tokens - self._tokenizer.num_special_tokens
            if place + length >= len(starts):
                place = 0
            text = source[starts[place] : starts[place + length]].strip()
            pieces.append((text, len(self._tokenizer.encode(text, max_tokens=MAX_TOKENS).ids)))
            place += length
        return pieces

    def documents(self, texts: list[str]) -> Turn:
        return _timed(lambda: self._embedder.encode_documents(texts))

    def embedding_only(self, texts: list[str]) -> Turn:
        own = self._embedder  # its parts, because no method of it leaves the token codes out
        return _timed(lambda: own._workers.map(lambda text: own._pooled(own._run(text)[0]), texts))

    def queries(self, texts: list[str]) -> list[Turn]:
        """One after the other; the texts must differ, because the last ones are remembered."""
        return [_timed(partial(self._embedder.encode_query, text)) for text in texts]

    def embeddings(self, texts: list[str]) -> list[list[float]]:
        return [encoding.embedding.tolist() for encoding in self._embedder.encode_documents(texts)]


class TheirSide:
    def __init__(self, weights: str, cores: int) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(cores)
        self._model = SentenceTransformer(weights, device="cpu")
        self._model.max_seq_length = MAX_TOKENS

    def facts(self) -> dict[str, Any]:
        import sentence_transformers
        import torch

        return {
            "sentence_transformers": sentence_transformers.__version__,
            "torch": torch.__version__,
            "torch_threads": torch.get_num_threads(),
        }

    def documents(self, texts: list[str], batch_size: int) -> Turn:
        return _timed(lambda: self._model.encode(texts, batch_size=batch_size, show_progress_bar=False))

    def queries(self, texts: list[str]) -> list[Turn]:
        return [_timed(partial(self._model.encode, text, show_progress_bar=False)) for text in texts]

    def embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = self._model.encode(texts, show_progress_bar=False).tolist()
        return rows


def _timed(call: Callable[[], object]) -> Turn:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Turn(time.perf_counter() - wall, time.process_time() - cpu)


def _serve(pipe: Connection, kind: type[Any], arguments: tuple[Any, ...]) -> None:
    """Be one side: build it, then answer (method, arguments) until the pipe closes."""
    side = kind(*arguments)
    while True:
        try:
            method, values = pipe.recv()
        except EOFError:
            return
        pipe.send(getattr(side, method)(*values))


class Side:
    """The other end of `_serve`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def call(self, method: str, *values: Any) -> Any:
        """Have it done, after the other side's threads have gone to sleep.

        Raises:
            EOFError: The process ended; it has said why on stderr.
        """
        time.sleep(SETTLE_S)
        self._pipe.send((method, values))
        return self._pipe.recv()


@contextmanager
def started(kind: type[Any], *arguments: Any) -> Iterator[Side]:
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_serve, args=(far, kind, arguments))
    process.start()
    far.close()
    try:
        yield Side(near)
    finally:
        near.close()
        process.join()
