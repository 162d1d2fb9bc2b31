"""Figures of embedders on models small enough to work them out by hand, and judged collections as they are read."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edgerag.errors import SettingsError
from edgerag_export.measure.embedding import compare, embed_reference, measure
from edgerag_export.measure.trial import Trial, read_beir, text_trial
from tests.export.measure.small_graphs import write_embedder

EXACT = {"river": [1.0, 0.0], "bank": [0.0, 1.0], "stone": [3.0, 4.0], "water": [4.0, 3.0]}
TURNED = EXACT | {"stone": [4.0, 3.0], "water": [3.0, 4.0]}
TRIAL = Trial("by hand", ("river", "bank"), ("stone", "water"), ({1: 1}, {0: 1}))


def test_a_model_loses_nothing_against_itself(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)

    figures = measure(exact, exact, TRIAL)

    assert (figures.ndcg, figures.map, figures.ndcg_loss, figures.map_loss) == (1.0, 1.0, 0.0, 0.0)
    assert figures.cosine_mean == pytest.approx(1.0)
    assert figures.top10_overlap == 1.0
    assert (figures.batch_invariance, figures.padded_invariance) == pytest.approx((1.0, 1.0))
    assert figures.size_mb == (exact / "model.onnx").stat().st_size / 1e6


def test_losses_by_hand(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)
    turned = write_embedder(tmp_path / "turned", TURNED)

    figures = measure(turned, exact, TRIAL)

    # Both queries now find their document second: NDCG 1 / log2(3), average precision 1 / 2.
    assert figures.ndcg == pytest.approx(1 / math.log2(3))
    assert figures.ndcg_loss == pytest.approx(1 - 1 / math.log2(3))
    assert (figures.map, figures.map_loss) == (0.5, 0.5)
    assert (figures.ndcg_loss_low, figures.ndcg_loss_high) == pytest.approx((figures.ndcg_loss, figures.ndcg_loss))
    # The queries stay; (3, 4) and (4, 3) have a cosine of 24 / 25.
    assert figures.cosine_min == pytest.approx(0.96)
    assert figures.cosine_mean == pytest.approx((1 + 1 + 0.96 + 0.96) / 4)
    assert figures.cosine_deciles[0] == pytest.approx(0.96)
    assert len(figures.cosine_deciles) == 11
    assert figures.as_json()["map_loss"] == 0.5


def test_the_reference_is_embedded_once_for_all_variants(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)
    turned = write_embedder(tmp_path / "turned", TURNED)
    labels: list[str] = []

    def progress(label: str, done: int, total: int) -> None:
        labels.append(label)
        assert (done, total) == (4, 4)

    reference = embed_reference(exact, TRIAL, progress=progress)
    figures = [compare(folder, reference, progress=progress) for folder in (exact, turned)]

    assert labels == ["float32", "exact", "turned"]
    assert figures[1] == measure(turned, exact, TRIAL)


def test_without_judgements_there_is_no_ndcg(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)

    figures = measure(exact, exact, text_trial("texts", ["river bank", "stone", "water river"]))

    assert (figures.ndcg, figures.map, figures.ndcg_loss, figures.map_loss) == (None, None, None, None)
    assert figures.num_queries == 3


def test_a_graph_whose_batch_changes_a_text_is_found_out(tmp_path: Path) -> None:
    wary = write_embedder(tmp_path / "wary", EXACT, depends_on_batch=True)
    documents = ["river", "bank river stone water river bank stone water river bank stone water"]

    figures = measure(wary, wary, text_trial("texts", documents))

    # One text a run, as the runtime has it: nothing changes. In one padded batch the short text is shifted more.
    assert figures.batch_invariance == pytest.approx(1.0)
    assert figures.padded_invariance < 0.9999


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


def test_folder_without_a_judged_query_is_refused(tmp_path: Path) -> None:
    folder = _beir(tmp_path / "beir")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nother\t3\t1\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"no query of queries\.test\.jsonl is judged"):
        read_beir(folder)
