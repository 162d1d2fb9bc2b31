"""Stopping is pausing: the next sync goes on, and no text is embedded twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgerag.datatypes import Encoding, IngestSummary
from tests.fakes import FakeEmbedder
from tests.ingest.ingest_bench import Bench


class StoppingEmbedder(FakeEmbedder):
    """Presses pause after so many calls."""

    def __init__(self, bench: Bench, *, after: int) -> None:
        super().__init__()
        self._bench = bench
        self._left = after

    def encode_documents(self, texts: Sequence[str]) -> list[Encoding]:
        self._left -= 1
        if self._left <= 0:
            self._bench.stop.set()
        return super().encode_documents(texts)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.library.close()


@pytest.mark.parametrize("after", [1, 2, 5])
def test_paused_and_resumed_ingest_embeds_every_text_once(bench: Bench, after: int) -> None:
    for number in range(40):
        lines = [f"Note {number}, line {line}: " + f"word{number}x{line} " * 20 for line in range(6)]
        bench.write(f"{number:02}.txt", "\n\n".join(lines))
    bench.embedder = StoppingEmbedder(bench, after=after)
    embedded: list[str] = []
    summary: IngestSummary | None = None
    for _ in range(100):
        summary = bench.sync()
        embedded += bench.embedder.embedded_texts
        if not summary.interrupted:
            break
        bench.stop.clear()
        bench.embedder = StoppingEmbedder(bench, after=after)

    assert summary is not None
    assert not summary.interrupted
    assert len(bench.paths()) == 40
    assert len(embedded) == len(set(embedded)) == summary.chunks
    assert bench.damages() == []


def test_paused_add_is_resumed_by_sync(bench: Bench) -> None:
    for number in range(5):
        bench.write(f"{number}.txt", f"Note {number}.")
    bench.stop.set()
    assert bench.sync().interrupted
    bench.stop.clear()
    assert [source.path for source in bench.library.sources()] == [str(bench.documents)]
    assert bench.sync().added == 5
