"""Figures of embedders: rankings by hand, judged collections as they are read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import SettingsError
from edgerag_export.measure.ranking import ndcg
from edgerag_export.measure.trial import read_beir


def test_ndcg_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], np.float32)

    # First query: the only relevant document is second, 1 / log2(3). Second: the ideal order.
    assert ndcg(scores, [{1: 1}, {2: 2, 1: 1}]) == pytest.approx((0.63093 + 1) / 2, abs=1e-5)


def _beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": str(number), "title": f"T{number}", "text": f"text {number}"} for number in range(5)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "queries.test.jsonl").write_text('{"_id": "q", "text": "what"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t3\t1\n", encoding="utf-8")
    return folder


def test_judged_documents_stay_when_the_rest_is_cut(tmp_path: Path) -> None:
    trial = read_beir(_beir(tmp_path / "beir"), max_documents=3)

    assert trial.documents == ("T0 text 0", "T1 text 1", "T3 text 3")
    assert trial.queries == ("what",)
    assert trial.judgements == ({2: 1},)


def test_folder_that_is_not_beir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no BEIR folder"):
        read_beir(tmp_path)
