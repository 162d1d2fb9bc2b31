"""Figures of cross-encoders whose score is the sum of their words' weights, and the trials they are measured on."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edgerag.errors import SettingsError
from edgerag_export.measure.rerank import measure_rerank
from edgerag_export.measure.rerank_trial import RerankTrial, pair_trial, read_rerank_trial
from tests.export.measure.small_graphs import write_embedder, write_judge

EXACT = {"river": 1.0, "bank": 2.0, "stone": 3.0, "water": 4.0}
SWAPPED = EXACT | {"stone": 4.0, "water": 3.0}
TRIAL = RerankTrial(
    "by hand",
    ("cell", "gene"),
    (("river", "bank", "stone", "water"), ("water", "stone")),
    ({3: 1}, {0: 1, 1: 0}),
)


def test_losses_by_hand(tmp_path: Path) -> None:
    exact, small = write_judge(tmp_path / "exact", EXACT), write_judge(tmp_path / "small", SWAPPED)

    figures = measure_rerank(small, exact, TRIAL)

    # Both relevant passages fall from first to second.
    assert (figures.map_float32, figures.map, figures.map_loss) == (1.0, 0.5, 0.5)
    assert (figures.ndcg_float32, figures.ndcg) == pytest.approx((1.0, 1 / math.log2(3)))
    assert (figures.map_loss_low, figures.map_loss_high) == pytest.approx((0.5, 0.5))
    # Scores 1 2 3 4 4 3 against 1 2 4 3 3 4: mean 17/6, squares 41/6, products 32 + ... by hand 53 - 289/6.
    assert figures.score_correlation == pytest.approx((53 - 289 / 6) / (55 - 289 / 6))
    # Ranks 1 2 3 4 against 1 2 4 3: 0.8; two passages turned round: -1.
    assert figures.rank_correlation == pytest.approx((0.8 - 1) / 2)
    assert figures.top1_agreement == 0.0
    assert figures.top5_overlap == 1.0
    assert (figures.num_queries, figures.num_pairs) == (2, 6)
    assert figures.as_json()["map_loss"] == 0.5


def test_without_judgements_there_is_no_map(tmp_path: Path) -> None:
    exact = write_judge(tmp_path / "exact", EXACT)

    figures = measure_rerank(exact, exact, RerankTrial("pairs", TRIAL.queries, TRIAL.candidates))

    assert (figures.map, figures.map_loss, figures.ndcg) == (None, None, None)
    assert (figures.score_correlation, figures.rank_correlation) == pytest.approx((1.0, 1.0))
    assert figures.top1_agreement == 1.0
    assert (figures.batch_invariance, figures.padded_invariance) == pytest.approx((1.0, 1.0))


def test_a_graph_whose_batch_changes_a_score_is_found_out(tmp_path: Path) -> None:
    wary = write_judge(tmp_path / "wary", EXACT, depends_on_batch=True)
    trial = RerankTrial("pairs", ("cell",), (("river", "bank", "stone water river bank stone water"),))

    figures = measure_rerank(wary, wary, trial)

    assert figures.batch_invariance == pytest.approx(1.0)
    assert figures.padded_invariance < 0.999


def test_pairs_become_questions_with_other_passages_among_their_own() -> None:
    trial = pair_trial("pairs", [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")], num_candidates=3)

    assert trial.queries == ("a", "b", "c")
    assert trial.candidates == (("1", "3", "2"), ("2", "3", "4"), ("4", "1", "2"))
    assert trial.judgements == ()


def test_no_pairs_are_refused() -> None:
    with pytest.raises(SettingsError, match="holds no pairs"):
        pair_trial("nothing", [])


def _beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    texts = ["river bank", "stone water", "river river", "gene cell", "protein mouse"]
    rows = [{"_id": f"d{number}", "text": text} for number, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    queries = [{"_id": "q1", "text": 'river "AND" (?'}, {"_id": "q2", "text": "nothing of this kind"}]
    (folder / "queries.test.jsonl").write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td4\t1\nq1\td0\t2\nq2\td3\t1\n", encoding="utf-8"
    )
    return folder


def test_candidates_are_the_judged_documents_and_those_of_a_lexical_search(tmp_path: Path) -> None:
    trial = read_rerank_trial(_beir(tmp_path / "beir"), num_candidates=2)

    # Found by the word: d0 and d2; judged besides: d4. In the collection's order, so that ties favour nobody.
    assert trial.candidates == (("river bank", "river river", "protein mouse"), ("gene cell",))
    assert trial.judgements == ({2: 1, 0: 2}, {0: 1})


def test_candidates_may_come_from_an_embedder(tmp_path: Path) -> None:
    rows = {"river": [1.0, 0.0], "stone": [0.9, 0.1], "water": [0.9, 0.1]}
    rest = {word: [0.0, 1.0] for word in ("bank", "cell", "gene", "mouse", "protein")}
    embedder = write_embedder(tmp_path / "embedder", rows | rest)

    trial = read_rerank_trial(_beir(tmp_path / "beir"), num_candidates=2, max_queries=1, embedder=embedder)

    assert trial.queries == ('river "AND" (?',)
    # Nearest to "river": d2, then d1; judged besides: d0 and d4.
    assert trial.candidates == (("river bank", "stone water", "river river", "protein mouse"),)
    assert trial.judgements == ({0: 2, 3: 1},)
