"""The gate: which figures count, and what a refusal says."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from edgerag_export.gate import failures, refusal
from edgerag_export.measure.embedding import Figures
from edgerag_export.recipe import Tolerance

GOOD = Figures("t", 10, 100, 0.999, 0.995, 0.97, 1.0, 1.0, 23.6, 0.640, 0.639)
TOLERANCE = Tolerance(
    cosine_mean=0.998, cosine_min=0.99, top10_overlap=0.95, ndcg_loss=0.005, size_mb=36.0, batch_invariance=0.9999
)


def test_good_figures_pass() -> None:
    assert failures(GOOD, TOLERANCE) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cosine_mean": 0.99}, "cosine_mean is 0.9900, must be >= 0.998 (0.0080 below)"),
        ({"cosine_min": 0.9}, "cosine_min is 0.9000, must be >= 0.99 (0.0900 below)"),
        ({"top10_overlap": 0.89}, "top10_overlap is 0.8900, must be >= 0.95 (0.0600 below)"),
        ({"batch_invariance": 0.983}, "batch_invariance is 0.9830, must be >= 0.9999 (0.0169 below)"),
        ({"size_mb": 58.0}, "size_mb is 58.0000, must be <= 36 (22.0000 above)"),
        ({"ndcg": 0.608}, "ndcg_loss is 0.0500, must be <= 0.005 (0.0450 above)"),
        ({"cosine_mean": float("nan")}, "cosine_mean is nan"),
    ],
    ids=["mean", "min", "overlap", "invariance", "size", "ndcg", "nan"],
)
def test_gate_names_the_figure_and_by_how_much(change: dict[str, float], message: str) -> None:
    found = failures(replace(GOOD, **change), TOLERANCE)

    assert len(found) == 1
    assert str(found[0]).startswith(message)


def test_default_tolerance_allows_one_percent_of_what_a_task_is_for() -> None:
    reranker = SimpleNamespace(score_correlation=0.999, batch_invariance=1.0, size_mb=20.0, map_loss=0.0101)
    embedder = replace(GOOD, ndcg=0.640 * 0.9899)

    assert [str(item) for item in failures(reranker, Tolerance(), task="cross-encoder")] == [
        "map_loss is 0.0101, must be <= 0.01 (0.0001 above)"
    ]
    assert [item.figure for item in failures(embedder, Tolerance())] == ["ndcg_loss"]
    assert failures(replace(GOOD, ndcg=0.640 * 0.9901), Tolerance()) == []


def test_generator_is_judged_by_perplexity_and_agreement() -> None:
    figures = SimpleNamespace(perplexity_increase=0.2, greedy_agreement=0.5, size_mb=100.0)

    found = failures(figures, Tolerance(), task="generator")

    assert [item.figure for item in found] == ["perplexity_increase", "greedy_agreement"]


def test_refusal_names_what_passes_instead() -> None:
    found = failures(replace(GOOD, cosine_min=0.9), TOLERANCE)

    error = refusal("m", "dynamic", "check.txt", found, ["static", "weights-8bit"])

    assert "m, variant dynamic, is outside its recipe's tolerance on check.txt: cosine_min is 0.9000" in str(error)
    assert error.hint == "Nothing was written. Within the tolerance: static, weights-8bit (--variant static)."


def test_refusal_says_when_nothing_passes() -> None:
    error = refusal("m", "dynamic", "check.txt", failures(replace(GOOD, cosine_min=0.9), TOLERANCE), [])

    assert "no other variant of the recipe passes" in error.hint
