"""Reports made of written figures, for tests of how they are judged and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edgerag_export.measure.embedding import Figures
from edgerag_export.measure.generator import GeneratorFigures
from edgerag_export.measure.int8_peak import Peak
from edgerag_export.measure.lengths import length_figures
from edgerag_export.measure.rerank import RerankFigures
from edgerag_export.measure.speed import Latency, SpeedFigures, Throughput
from edgerag_export.report.machine import Machine
from edgerag_export.report.recommend import recommend
from edgerag_export.report.report import Report, VariantReport

MACHINE = Machine("A processor", "x86_64", 2, ("avx2", "fma"), "Linux", {"onnxruntime": "1.31.1"})
HOSTILE = (
    '<script>alert("1")</script>',
    "]]></style><img src=x onerror=1>",
    "$\\frac{1}{0}$ & 'quoted' \"twice\"",
    "_begins with an underscore",
    "[bold red]markup[/]\x1b[31m\x07\u202e",
    "量化模型\ufffe\ud800",
    "line\nbreak\ttab",
    "a" * 200,
)
"""Names as a person who wants harm would choose them."""


def speed_figures(texts_per_s: float, *, load_ms: float = 50.0) -> SpeedFigures:
    """Speed in proportion to one number."""
    lengths, sizes = (16, 32, 64, 128, 256, 512), (1, 4, 8, 16, 32, 64, 128, 256)
    return SpeedFigures(
        load_ms=load_ms,
        latencies=tuple(
            Latency(length, 4 * length / texts_per_s, 5 * length / texts_per_s, 3 * length / texts_per_s, 30)
            for length in lengths
        ),
        throughputs=tuple(
            Throughput(size, length, texts_per_s * (1 - 0.3 / size), texts_per_s, texts_per_s * 256, 3)
            for size in sizes
            for length in ((256, 0) if size > 8 else (256,))
        ),
        gops_per_text=6.04,
        integer_share=0.9,
        gops_per_s=6.04 * texts_per_s,
        share_of_int8_peak=6.04 * texts_per_s / 350,
    )


def embedding_figures(ndcg: float | None = 0.64, *, exact: float = 0.64, size_mb: float = 23.6) -> Figures:
    loss = None if ndcg is None else 1 - ndcg / exact
    return Figures(
        trial="scifact",
        num_queries=300,
        num_documents=5183,
        cosine_mean=0.9992,
        cosine_min=0.9909,
        top10_overlap=0.954,
        batch_invariance=1.0,
        padded_invariance=0.9999,
        size_mb=size_mb,
        ndcg_float32=None if ndcg is None else exact,
        ndcg=ndcg,
        map_float32=None if ndcg is None else 0.6,
        map=None if ndcg is None else 0.599,
        ndcg_loss_low=None if loss is None else loss - 0.01,
        ndcg_loss_high=None if loss is None else loss + 0.01,
        cosine_deciles=(0.9909, 0.998, 0.9985, 0.999, 0.9991, 0.9992, 0.9993, 0.9994, 0.9995, 0.9996, 0.9999),
    )


def embedder(
    name: str,
    ndcg: float | None = 0.64,
    *,
    texts_per_s: float | None = 50.0,
    size_mb: float = 23.6,
    failures: Sequence[str] = (),
    **fields: Any,
) -> VariantReport:
    return VariantReport(
        name=name,
        precision="int8-static",
        size_mb=size_mb,
        failures=tuple(failures),
        embedding=embedding_figures(ndcg, size_mb=size_mb),
        speed=None if texts_per_s is None else speed_figures(texts_per_s),
        **fields,
    )


FLOAT32 = embedder("float32", 0.64, texts_per_s=20.0, size_mb=90.4, is_reference=True)


def encoder_report(*variants: VariantReport, **fields: Any) -> Report:
    """A report on an embedder; by default float32, a good variant, and one that fails."""
    chosen = variants or (
        FLOAT32,
        embedder("static", 0.6395),
        embedder("dynamic", 0.62, texts_per_s=45.0, failures=["ndcg_loss is 0.0313, must be <= 0.01 (0.0213 above)"]),
    )
    lengths = [20 + 7 * place for place in range(90)]
    given: dict[str, Any] = {
        "task": "embedding",
        "model": "all-MiniLM-L6-v2",
        "trial": "scifact",
        "machine": MACHINE,
        "variants": tuple(chosen),
        "recommendation": recommend("embedding", chosen),
        "lengths": length_figures("scifact", lengths, max_tokens=256, special_tokens=2),
        "peak": Peak(2, 350.0, 84.0),
        "tolerance": {"ndcg_loss": 0.01},
    }
    return Report(**given | fields)


def rerank_report() -> Report:
    figures = RerankFigures(
        "scifact", 300, 6000, 0.9991, 0.998, 0.97, 0.98, 1.0, 0.9995, 23.0, 0.7, 0.699, 0.66, 0.658, -0.004, 0.01
    )
    variants = (
        VariantReport("float32", "float32", 90.0, True, rerank=replace(figures, map=0.66), speed=speed_figures(20.0)),
        VariantReport("static", "int8-static", 23.0, rerank=figures, speed=speed_figures(55.0)),
    )
    return encoder_report(*variants, task="cross-encoder", recommendation=recommend("cross-encoder", variants))


def rung(name: str, size_mb: float, perplexity: float, decode: float, **fields: Any) -> VariantReport:
    figures = GeneratorFigures(
        name=name, size_mb=size_mb, load_ms=100.0, perplexity=perplexity, perplexity_float=20.0,
        greedy_agreement=0.9, kl_divergence=0.02, common_prefix=0.6, prefill_tokens_per_s=300.0,
        decode_tokens_per_s=decode, prefill_float_tokens_per_s=250.0, decode_float_tokens_per_s=30.0,
        scored_tokens=2000,
    )  # fmt: skip
    return VariantReport(name, name, size_mb, generator=figures, **fields)


def generator_report() -> Report:
    variants = (
        rung("f16", 271.0, 20.0, 30.0, is_reference=True),
        rung("q8_0", 145.0, 20.02, 55.0),
        rung("q6_k", 138.0, 20.1, 60.0),
        rung("q4_0", 92.0, 23.1, 85.0, failures=("perplexity_increase is 0.1550, must be <= 0.1 (0.0550 above)",)),
    )
    return encoder_report(
        *variants, task="generator", model="SmolLM2", lengths=None, peak=None, tolerance={},
        recommendation=recommend("generator", variants),
    )  # fmt: skip
