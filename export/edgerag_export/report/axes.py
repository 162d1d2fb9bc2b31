"""The three sides of a variant that a choice weighs: quality, speed, size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgerag_export.report.report import VariantReport


@dataclass(frozen=True, slots=True)
class Axis:
    label: str
    unit: str
    value: Callable[[VariantReport], float | None]
    larger_is_better: bool = True
    tie: float = 0.0
    """Differences up to this share of the better value are taken for noise."""
    digits: int = 4
    is_ratio: bool = False
    """The value compares with the original already."""

    def rank(self, variant: VariantReport) -> float:
        """Larger is better; minus infinity where it was not measured."""
        value = self.value(variant)
        if value is None or value != value:
            return float("-inf")
        return value if self.larger_is_better else -value

    def show(self, variant: VariantReport) -> str:
        """The value with its unit; a dash where it was not measured."""
        value = self.value(variant)
        return "-" if value is None else f"{value:.{self.digits}f}{self.unit}"


def _decode(variant: VariantReport) -> float | None:
    # Beside the original, because the rungs of a ladder are timed one after the other, each in turn with it.
    figures = variant.generator
    return figures.decode_tokens_per_s / figures.decode_float_tokens_per_s if figures else None


def _throughput(variant: VariantReport) -> float | None:
    point = variant.speed.best_throughput if variant.speed else None
    return point.texts_per_s if point else None


# Differences below a tie are what other questions of the same kind would turn round: with the default embedder on all
# of SciFact the loss of NDCG@10 is 0.14 %, and its 95 % interval (`ranking.loss_interval`) reaches from -0.5 to 0.8 %.
NDCG = Axis("NDCG@10", "", lambda variant: variant.embedding.ndcg if variant.embedding else None, tie=0.002)
OVERLAP = Axis(
    "top-10 overlap", "", lambda variant: variant.embedding.top10_overlap if variant.embedding else None, tie=0.005,
    digits=3,
)  # fmt: skip
MAP = Axis("MAP", "", lambda variant: variant.rerank.map if variant.rerank else None, tie=0.002)
CORRELATION = Axis(
    "rank correlation", "", lambda variant: variant.rerank.rank_correlation if variant.rerank else None, tie=0.002
)
PERPLEXITY = Axis(
    "perplexity", "", lambda variant: variant.generator.perplexity if variant.generator else None,
    larger_is_better=False, tie=0.01, digits=3,
)  # fmt: skip
THROUGHPUT = Axis("texts per second", " texts/s", _throughput, tie=0.05, digits=1)
PAIRS = Axis("pairs per second", " pairs/s", _throughput, tie=0.05, digits=1)
DECODE = Axis("decode speed, x original", " x the original's decode speed", _decode, tie=0.05, digits=2, is_ratio=True)
SIZE = Axis("size", " MB", lambda variant: variant.size_mb, larger_is_better=False, digits=1)


def quality_axis(task: str, variants: Sequence[VariantReport]) -> Axis:
    """The figure by which variants are ranked: the judged one where all variants have it."""
    if task == "generator":
        return PERPLEXITY
    judged, fallback = (NDCG, OVERLAP) if task == "embedding" else (MAP, CORRELATION)
    has_all = bool(variants) and all(judged.value(variant) is not None for variant in variants)
    return judged if has_all else fallback


def speed_axis(task: str) -> Axis:
    return {"generator": DECODE, "cross-encoder": PAIRS}.get(task, THROUGHPUT)
