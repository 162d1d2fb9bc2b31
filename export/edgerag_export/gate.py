"""The gate: a variant outside the recipe's tolerance does not become a model folder."""

from __future__ import annotations

from dataclasses import dataclass

from edgerag.errors import ModelError
from edgerag_export.measure.embedding import Figures
from edgerag_export.recipe import Tolerance


@dataclass(frozen=True, slots=True)
class Failure:
    figure: str
    value: float
    bound: float
    is_upper: bool
    """The bound is the largest allowed value, not the smallest."""

    def __str__(self) -> str:
        side, word = ("<=", "above") if self.is_upper else (">=", "below")
        return (
            f"{self.figure} is {self.value:.4f}, must be {side} {self.bound:g} "
            f"({abs(self.value - self.bound):.4f} {word})"
        )


def failures(figures: Figures, tolerance: Tolerance) -> list[Failure]:
    """Return every figure that misses the tolerance; a figure that is not a number misses it."""
    lower = (
        ("cosine_mean", figures.cosine_mean, tolerance.cosine_mean),
        ("cosine_min", figures.cosine_min, tolerance.cosine_min),
        ("top10_overlap", figures.top10_overlap, tolerance.top10_overlap),
        ("batch_invariance", figures.batch_invariance, tolerance.batch_invariance),
    )
    found = [Failure(name, value, bound, False) for name, value, bound in lower if not value >= bound]
    if not figures.size_mb <= tolerance.size_mb:
        found.append(Failure("size_mb", figures.size_mb, tolerance.size_mb, True))
    loss = figures.ndcg_loss
    if loss is not None and not loss <= tolerance.ndcg_loss:
        found.append(Failure("ndcg_loss", loss, tolerance.ndcg_loss, True))
    return found


def check(figures: Figures, tolerance: Tolerance, *, name: str) -> None:
    """Let a variant pass or say why not.

    Raises:
        ModelError: Naming each figure that failed and by how much.
    """
    if found := failures(figures, tolerance):
        raise ModelError(
            f"{name} is outside its recipe's tolerance on {figures.trial}: " + "; ".join(map(str, found)) + ".",
            hint="Nothing was written. Change `[quantization]` or the calibration texts; see export/README.md.",
        )
