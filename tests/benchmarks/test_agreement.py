"""Which texts are embedded on two processors, and what is said of the embeddings."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import agreement

MAKER = agreement.Maker(
    model="m", fingerprint="f", texts="t", texts_sha256="0", cpu="c", machine="aarch64", features=[],
    emulated="cortex-a53", onnxruntime="1", numpy="2", python="3.11", seconds=1.0,
)  # fmt: skip


@pytest.fixture
def squad(tmp_path: Path) -> Path:
    paragraphs = [
        {
            "context": f"Paragraph {p}.",
            "qas": [{"id": f"{p}-{q}", "question": f"Question {q} of {p}?"} for q in (1, 2, 3)],
        }
        for p in "abcd"
    ]
    path = tmp_path / "squad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return path


def test_each_paragraph_brings_its_first_question(squad: Path) -> None:
    texts = agreement.judged_texts(squad, 2)
    assert texts.documents == ["Paragraph a.", "Paragraph c."]
    assert texts.queries == ["Question 1 of a?", "Question 1 of c?"]


def test_or_all_of_its_questions(squad: Path) -> None:
    texts = agreement.judged_texts(squad, 0, all_questions=True)
    assert len(texts.documents) == 4
    assert len(texts.queries) == 12
    assert texts.queries[:4] == ["Question 1 of a?", "Question 2 of a?", "Question 3 of a?", "Question 1 of b?"]


def _write(path: Path, documents: np.ndarray, queries: np.ndarray, maker: agreement.Maker = MAKER) -> Path:
    np.savez(path, documents=documents, queries=queries, maker=np.array(json.dumps(asdict(maker))))
    return path


def test_the_overlap_counts_the_nearest_documents_that_both_find(tmp_path: Path) -> None:
    documents = np.eye(12, dtype=np.float32)
    towards_first = np.linspace(1, 0.01, 12, dtype=np.float32)
    question = (towards_first / np.linalg.norm(towards_first))[None]
    other = question.copy()
    other[0, 9], other[0, 11] = question[0, 11], question[0, 9]  # the tenth gives way to the twelfth
    compared = agreement.compare(
        _write(tmp_path / "a.npz", documents, question), _write(tmp_path / "b.npz", documents, other)
    )
    assert compared["top10_overlap"] == 0.9
    assert compared["bit_equal"] == round(12 / 13, 4)
    assert compared["a"] == "m on aarch64, cortex-a53 (emulated), onnxruntime 1"


def test_other_texts_are_not_compared(tmp_path: Path) -> None:
    rows = np.eye(2, dtype=np.float32)
    first = _write(tmp_path / "a.npz", rows, rows)
    second = _write(tmp_path / "b.npz", rows, rows, replace(MAKER, texts_sha256="1"))
    with pytest.raises(ValueError, match="not the same texts"):
        agreement.compare(first, second)
