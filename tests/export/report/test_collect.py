"""From model folders to a report, on models small enough to know what must come out."""

from __future__ import annotations

from pathlib import Path

from edgerag_export.gate import failures
from edgerag_export.measure.rerank_trial import RerankTrial
from edgerag_export.measure.trial import Trial
from edgerag_export.recipe import Tolerance
from edgerag_export.report.collect import (
    Subject,
    collect_encoder_report,
    collect_generator_report,
    collect_rerank_report,
)
from edgerag_export.report.report_json import from_json, to_json
from tests.export.measure.small_graphs import write_embedder, write_judge
from tests.export.report.reports import rung

EXACT = {"river": [1.0, 0.0], "bank": [0.0, 1.0], "stone": [3.0, 4.0], "water": [4.0, 3.0]}
TURNED = EXACT | {"stone": [4.0, 3.0], "water": [3.0, 4.0]}
TRIAL = Trial("by hand", ("river", "bank"), ("stone", "water"), ({1: 1}, {0: 1}))


def test_variants_are_judged_beside_their_original(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT, precision="float32")
    same = write_embedder(tmp_path / "same", EXACT, precision="int8-static")
    turned = write_embedder(tmp_path / "turned", TURNED)

    report = collect_encoder_report(
        [Subject("static", same), Subject("turned", turned)],
        exact,
        TRIAL,
        gate=lambda figures: failures(figures, Tolerance(size_mb=0.01)),
        tolerance={"ndcg_loss": 0.01},
        budget_s=0.2,
    )

    assert [variant.name for variant in report.variants] == ["float32", "static", "turned"]
    assert [variant.is_reference for variant in report.variants] == [True, False, False]
    assert [variant.precision for variant in report.variants] == ["float32", "int8-static", "float32"]
    assert report.recommendation.chosen == "static"
    assert "ndcg_loss is 0.3691, must be <= 0.01 (0.3591 above)" in report.variants[2].failures
    assert report.recommendation.rejected == (f"turned: {'; '.join(report.variants[2].failures)}",)
    assert report.lengths is not None
    assert (report.lengths.num_texts, report.lengths.median) == (2, 3)
    assert report.peak is not None
    assert all(variant.speed is not None for variant in report.variants)
    assert report.machine.cores >= 1
    assert from_json(to_json(report)) == report


def test_what_there_was_no_time_for_is_noted(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)

    report = collect_encoder_report([], exact, TRIAL, budget_s=0)

    assert report.notes == ("Speed was not measured.",)
    assert report.peak is None
    assert report.variants[0].speed is None


def test_lengths_are_those_of_the_given_texts(tmp_path: Path) -> None:
    exact = write_embedder(tmp_path / "exact", EXACT)

    report = collect_encoder_report([], exact, TRIAL, texts=("mine", ["river " * 40]), budget_s=0)

    assert report.lengths is not None
    assert (report.lengths.texts, report.lengths.longest) == ("mine", 42)


def test_cross_encoders_are_reported_by_map(tmp_path: Path) -> None:
    exact = write_judge(tmp_path / "exact", {"river": 1.0, "bank": 2.0})
    small = write_judge(tmp_path / "small", {"river": 2.0, "bank": 1.0})
    trial = RerankTrial("by hand", ("cell",), (("river", "bank"),), ({1: 1},))

    report = collect_rerank_report(
        [Subject("static", small)],
        exact,
        trial,
        gate=lambda figures: [str(item) for item in failures(figures, Tolerance(), task="cross-encoder")],
        budget_s=0,
    )

    assert report.task == "cross-encoder"
    assert report.variants[1].rerank is not None
    assert (report.variants[1].rerank.map, report.variants[1].rerank.map_loss) == (0.5, 0.5)
    assert "map_loss is 0.5000, must be <= 0.01 (0.4900 above)" in report.variants[1].failures
    assert report.recommendation.chosen == "float32"


def test_a_ladder_becomes_a_report() -> None:
    ladder = [rung("f16", 271.0, 20.0, 30.0), rung("q8_0", 145.0, 20.1, 50.0), rung("q4_0", 92.0, 25.0, 80.0)]

    report = collect_generator_report(
        "SmolLM2",
        [variant.generator for variant in ladder if variant.generator],
        trial="check-en.txt",
        reference="f16",
        gate=lambda figures: failures(figures, Tolerance(), task="generator"),
    )

    assert [variant.is_reference for variant in report.variants] == [True, False, False]
    assert report.variants[2].failures == ("perplexity_increase is 0.2500, must be <= 0.1 (0.1500 above)",)
    assert report.recommendation.chosen == "q8_0"
