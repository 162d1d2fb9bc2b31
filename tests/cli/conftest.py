"""The program, and one whose library has two documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag.inference.embedder import OnnxEmbedder
from tests.cli.program import HUT, Program


@pytest.fixture
def edgerag(tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled_embedder: OnnxEmbedder) -> Program:
    return Program(tmp_path, capsys)


@pytest.fixture
def filled(edgerag: Program) -> Program:
    edgerag.write("hut.md", HUT)
    edgerag.write("boats.txt", "Two rowing boats lie at the pier. The larger one takes six people.")
    assert edgerag("add", edgerag.documents).code == 0
    return edgerag
