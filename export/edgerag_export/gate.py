"""The gate: a variant outside the recipe's tolerance does not become a model folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgerag.errors import ModelError
from edgerag_export.recipe import Tolerance

BOUNDED = {
    "embedding": ("cosine_mean", "cosine_min", "top10_overlap", "batch_invariance", "size_mb", "ndcg_loss"),
    "cross-encoder": ("score_correlation", "batch_invariance", "size_mb", "map_loss"),
    "generator": ("perplexity_increase", "greedy_agreement", "size_mb"),
}
"""By task: the figures that decide, named as in `Tolerance`."""
LARGEST = ("ndcg_loss", "map_loss", "perplexity_increase", "size_mb")
"""Figures of which the tolerance gives the largest allowed value; of all others it gives the smallest."""


@dataclass(frozen=True, slots=True)
class Failure:
    figure: str
    value: float
    bound: float

    def __str__(self) -> str:
        is_upper = self.figure in LARGEST
        side, word = ("<=", "above") if is_upper else (">=", "below")
        return (
            f"{self.figure} is {self.value:.4f}, must be {side} {self.bound:g} "
            f"({abs(self.value - self.bound):.4f} {word})"
        )


def failures(figures: Any, tolerance: Tolerance, *, task: str = "embedding") -> list[Failure]:
    """Return every figure that misses the tolerance.

    Args:
        figures: Of a model of this task. What is None was not measured (nothing was judged, say) and is not asked
            for; a figure that is not a number misses its bound.
        tolerance: The recipe's.
        task: Says which figures count.
    """
    found = []
    for name in BOUNDED[task]:
        value, limit = getattr(figures, name), getattr(tolerance, name)
        if value is None:
            continue
        passes = value <= limit if name in LARGEST else value >= limit
        if not passes:
            found.append(Failure(name, float(value), limit))
    return found


def refusal(name: str, variant: str, trial: str, found: Sequence[Failure], passing: Sequence[str] | None) -> ModelError:
    """Say which figures of a variant failed, by how much, and what passes instead.

    Args:
        name: The recipe's.
        variant: What was to be written.
        trial: On what it was measured.
        found: At least one.
        passing: Variants that were tried instead and pass; None where none was tried.
    """
    message = f"{name}, variant {variant}, is outside its recipe's tolerance on {trial}: {'; '.join(map(str, found))}."
    if passing is None:
        hint = "Nothing was written."
    elif passing:
        hint = f"Nothing was written. Within the tolerance: {', '.join(passing)} (--variant {passing[0]})."
    else:
        hint = (
            "Nothing was written, and no other variant of the recipe passes. Change its `[quantization]`, its "
            "calibration texts or its `[tolerance]`; `edgerag export report` shows all figures."
        )
    return ModelError(message, hint=hint)
