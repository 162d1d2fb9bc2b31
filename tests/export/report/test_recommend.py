"""Which variant is recommended, and what is said about the others."""

from __future__ import annotations

import pytest

from edgerag_export.report.axes import NDCG, OVERLAP, SIZE, THROUGHPUT, quality_axis
from edgerag_export.report.recommend import pareto_front, recommend
from edgerag_export.report.report import VariantReport
from tests.export.report.reports import FLOAT32, embedder, rung


def test_of_those_as_good_as_the_best_the_fastest_is_chosen() -> None:
    variants = (FLOAT32, embedder("best", 0.6400, texts_per_s=30.0), embedder("fast", 0.6390, texts_per_s=50.0))

    found = recommend("embedding", variants)

    assert found.chosen == "fast"
    assert found.reason == (
        "fast: NDCG@10 0.6390 (0.16 % worse than float32), 49.9 texts/s (2.5 x), 23.6 MB. Of the 2 variants within the "
        "tolerance, best has the best NDCG@10 (0.6400), which is less than 0.2 % better and counts as equal; fast is "
        "faster or smaller."
    )


def test_quality_goes_before_speed_where_the_difference_is_real() -> None:
    variants = (FLOAT32, embedder("good", 0.6400, texts_per_s=30.0), embedder("fast", 0.6350, texts_per_s=50.0))

    found = recommend("embedding", variants)

    assert found.chosen == "good"
    assert found.reason.endswith("fast is faster (49.9 texts/s) but not as good (0.6350).")


def test_of_those_equally_good_and_fast_the_smallest_is_chosen() -> None:
    variants = (embedder("large", size_mb=58.0, texts_per_s=51.0), embedder("small", size_mb=23.0, texts_per_s=50.0))

    assert recommend("embedding", variants).chosen == "small"


def test_a_variant_outside_the_tolerance_is_never_chosen_and_its_figure_is_named() -> None:
    failing = embedder("dynamic", 0.65, texts_per_s=90.0, failures=["batch_invariance is 0.9830, must be >= 0.9999"])

    found = recommend("embedding", (FLOAT32, failing, embedder("static", 0.639)))

    assert found.chosen == "static"
    assert found.rejected == ("dynamic: batch_invariance is 0.9830, must be >= 0.9999",)
    assert "dynamic" not in found.front
    assert found.reason.endswith("Of the variants within the tolerance it is the only one beside the original.")


def test_the_original_is_recommended_when_nothing_smaller_passes() -> None:
    found = recommend("embedding", (FLOAT32, embedder("dynamic", 0.6, failures=["ndcg_loss is 0.0625"])))

    assert found.chosen == "float32"
    assert found.reason.startswith("float32, because no smaller variant is within the tolerance: NDCG@10 0.6400")


def test_nothing_is_recommended_when_nothing_passes() -> None:
    found = recommend("embedding", (embedder("a", 0.6, failures=["x"]), embedder("b", 0.6, failures=["y", "z"])))

    assert found.chosen is None
    assert found.reason == "No variant is within the tolerance, so none should be shipped."
    assert found.rejected == ("a: x", "b: y; z")
    assert found.front == ()


def test_what_runs_everywhere_goes_before_what_one_processor_likes() -> None:
    variants = (FLOAT32, embedder("static", 0.6300), embedder("static@x86-vnni", 0.6400))

    found = recommend("embedding", variants)

    assert found.chosen == "static"
    assert "Of the variants within the tolerance that run on every processor it is the only one" in found.reason
    assert "On x86-vnni alone, static@x86-vnni would be the choice (NDCG@10 0.6400" in found.reason


def test_a_bound_variant_is_chosen_where_it_alone_passes() -> None:
    variants = (FLOAT32, embedder("static", failures=["x"]), embedder("static@arm64"))

    assert recommend("embedding", variants).chosen == "static@arm64"


def test_generators_are_ranked_by_perplexity_smaller_first() -> None:
    variants = (
        rung("f16", 271.0, 20.0, 30.0, is_reference=True),
        rung("q8_0", 145.0, 20.02, 55.0),
        rung("q6_k", 138.0, 20.1, 70.0),
        rung("q4_0", 92.0, 23.0, 85.0),
    )

    found = recommend("generator", variants)

    # q6_k is within 1 % of q8_0's perplexity and faster; q4_0 is not.
    assert found.chosen == "q6_k"
    assert found.reason.startswith(
        "q6_k: perplexity 20.100 (0.50 % worse than f16), 2.33 x the original's decode speed, 138.0 MB."
    )
    assert "q4_0 is faster (2.83 x the original's decode speed) but not as good (23.000)." in found.reason


def test_the_front_holds_what_nobody_beats_everywhere() -> None:
    variants = [
        embedder("a", 0.64, texts_per_s=20.0, size_mb=90.0),
        embedder("b", 0.63, texts_per_s=50.0, size_mb=23.0),
        embedder("beaten by b", 0.62, texts_per_s=40.0, size_mb=23.0),
        embedder("like b", 0.63, texts_per_s=50.0, size_mb=23.0),
        embedder("smallest", 0.5, texts_per_s=10.0, size_mb=20.0),
    ]

    front = pareto_front(variants, (NDCG, THROUGHPUT, SIZE))

    assert [variant.name for variant in front] == ["a", "b", "like b", "smallest"]


def test_the_judged_figure_ranks_only_where_all_have_it() -> None:
    judged, unjudged = embedder("judged"), embedder("not", None)

    assert quality_axis("embedding", (judged, judged)) is NDCG
    assert quality_axis("embedding", (judged, unjudged)) is OVERLAP


def test_without_speed_the_smallest_of_the_best_is_chosen() -> None:
    variants: list[VariantReport] = [
        embedder("large", texts_per_s=None, size_mb=50.0),
        embedder("small", texts_per_s=None, size_mb=20.0),
    ]

    assert recommend("embedding", variants).chosen == "small"


@pytest.mark.parametrize("task", ["embedding", "cross-encoder", "generator"])
def test_no_variants_give_no_recommendation(task: str) -> None:
    assert recommend(task, ()).chosen is None
