"""What was lost: the sections on quality, one for each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgerag_export.report.report import Report, VariantReport
from edgerag_export.report.tables import Column, Section, number, percent, rate, variant_table

_Show = Callable[[float | None], str]


def embedding_quality(report: Report) -> Section | None:
    """Cosine, overlap and invariance; NDCG@10 and MAP where the trial was judged."""
    if report.task != "embedding":
        return None

    def figure(name: str, show: _Show) -> Callable[[VariantReport], str]:
        return lambda variant: show(getattr(variant.embedding, name, None))

    distance: list[Column] = [
        ("cosine mean", figure("cosine_mean", _digits(5))),
        ("minimum", figure("cosine_min", _digits(4))),
        ("top-10 overlap", figure("top10_overlap", _digits(3))),
        ("beside others", figure("batch_invariance", _digits(5))),
        ("padded batch", figure("padded_invariance", _digits(5))),
    ]
    tables = [variant_table("Distance to float32", report.variants, distance)]
    if any(variant.embedding and variant.embedding.ndcg is not None for variant in report.variants):
        judged: list[Column] = [
            ("NDCG@10", figure("ndcg", _digits(4))),
            ("NDCG loss", figure("ndcg_loss", percent)),
            ("95 % interval", lambda variant: _interval(variant.embedding, "ndcg_loss")),
            ("MAP", figure("map", _digits(4))),
            ("MAP loss", figure("map_loss", percent)),
        ]
        tables.append(variant_table("Judged retrieval", report.variants, judged))
    sizes = next((variant.embedding for variant in report.variants if variant.embedding), None)
    amount = f": {sizes.num_queries:,} queries, {sizes.num_documents:,} documents" if sizes else ""
    return Section(
        "quality",
        "Quality",
        f"Measured on {report.trial}{amount}. Cosine: of a text's embedding and that of float32, 1 where nothing was "
        "lost. Top-10 overlap: share of the ten nearest documents that float32 names too. Beside others: smallest "
        "cosine of a text alone and the same text among others, as edgerag runs them; padded batch: the same when they "
        "are padded and run at once, as other programs do. NDCG@10 and MAP: how well the judged documents are ranked. "
        "A loss below zero is a gain; the interval holds the loss that other questions of the same kind would show.",
        tuple(tables),
    )


def rerank_quality(report: Report) -> Section | None:
    """Correlation, agreement and invariance; MAP and NDCG@10 where the trial was judged."""
    if report.task != "cross-encoder":
        return None

    def figure(name: str, show: _Show) -> Callable[[VariantReport], str]:
        return lambda variant: show(getattr(variant.rerank, name, None))

    distance: list[Column] = [
        ("Pearson", figure("score_correlation", _digits(5))),
        ("Spearman", figure("rank_correlation", _digits(4))),
        ("same best", figure("top1_agreement", _digits(3))),
        ("top-5 overlap", figure("top5_overlap", _digits(3))),
        ("beside others", figure("batch_invariance", _digits(4))),
        ("padded batch", figure("padded_invariance", _digits(4))),
    ]
    tables = [variant_table("Distance to float32", report.variants, distance)]
    if any(variant.rerank and variant.rerank.map is not None for variant in report.variants):
        judged: list[Column] = [
            ("MAP", figure("map", _digits(4))),
            ("MAP loss", figure("map_loss", percent)),
            ("95 % interval", lambda variant: _interval(variant.rerank, "map_loss")),
            ("NDCG@10", figure("ndcg", _digits(4))),
        ]
        tables.append(variant_table("Judged ranking", report.variants, judged))
    sizes = next((variant.rerank for variant in report.variants if variant.rerank), None)
    amount = f": {sizes.num_queries:,} questions, {sizes.num_pairs:,} pairs" if sizes else ""
    return Section(
        "quality",
        "Quality",
        f"Measured on {report.trial}{amount}. Pearson: correlation of all scores with those of float32. Spearman: of "
        "the ranks among one question's passages, mean. Same best: share of questions whose best passage stays. "
        "Beside others: 1 less the largest change of a score among others, in standard deviations of all scores, as "
        "edgerag runs them; padded batch: the same when pairs are padded and run at once. A loss below zero is a gain.",
        tuple(tables),
    )


def generator_quality(report: Report) -> Section | None:
    """Perplexity, agreement and speed of a ladder's rungs."""
    if report.task != "generator":
        return None

    def figure(name: str, show: _Show) -> Callable[[VariantReport], str]:
        return lambda variant: show(getattr(variant.generator, name, None))

    quality: list[Column] = [
        ("perplexity", figure("perplexity", _digits(3))),
        ("increase", figure("perplexity_increase", percent)),
        ("same likeliest token", figure("greedy_agreement", _digits(3))),
        ("divergence", figure("kl_divergence", _digits(4))),
        ("same beginning", figure("common_prefix", _digits(3))),
    ]
    speed: list[Column] = [
        ("prefill tokens/s", figure("prefill_tokens_per_s", rate)),
        ("x original", _ratio("prefill")),
        ("decode tokens/s", figure("decode_tokens_per_s", rate)),
        ("x original", _ratio("decode")),
    ]
    return Section(
        "generator",
        "Quality and speed",
        f"Measured on {report.trial}. Perplexity: how surprised the model is by each next token, as the number of "
        "equally likely ones; smaller is better. Same likeliest token: share of places at which it is the original's. "
        "Divergence: of the probabilities from the original's, in nats (Kullback-Leibler). Same beginning: share of a "
        "free answer before the first other word. Prefill reads the prompt, decode writes the answer; speeds are "
        "measured in turn with the original.",
        (
            variant_table("Distance to the float original", report.variants, quality),
            variant_table("Speed", report.variants, speed),
        ),
    )


def _digits(count: int) -> _Show:
    return lambda value: number(value, count)


def _ratio(kind: str) -> Callable[[VariantReport], str]:
    def show(variant: VariantReport) -> str:
        own = getattr(variant.generator, f"{kind}_tokens_per_s", None)
        base = getattr(variant.generator, f"{kind}_float_tokens_per_s", None)
        return rate(own / base) if own and base else "-"

    return show


def _interval(figures: Any, name: str) -> str:
    low, high = getattr(figures, f"{name}_low", None), getattr(figures, f"{name}_high", None)
    if low is None or high is None:
        return "-"
    return f"{percent(low, 1).removesuffix(' %')} to {percent(high, 1)}"
