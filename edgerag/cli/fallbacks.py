"""What a processor makes of edgerag: which instructions compute, and which way round is taken where one is missing.

All of these ways lead to the same answers: INT8 products are exact in each (the models are made so that sums of 16 bits
suffice, see export/README.md), and a search without an index compares every vector.
"""

from __future__ import annotations

from edgerag.coded_text import coded
from edgerag.cpu import Processor

SHOWN = (
    "SSE4.2", "AVX", "F16C", "FMA", "AVX2", "AVX-VNNI", "AVX512BW", "AVX512-VNNI", "AVX512-BF16", "AMX-INT8",
    "ASIMD", "FP16", "DOTPROD", "SVE", "SVE2", "I8MM", "BF16", "SME",
)  # fmt: skip
"""Extensions that make a difference to edgerag's speed, oldest first."""


def extensions_in_words(processor: Processor) -> str:
    """Architecture and the extensions that matter, and who was asked."""
    if not processor.source:
        return coded(
            "doctor.unasked",
            "{architecture}; which extensions it has cannot be asked on this system",
            architecture=processor.architecture,
        )
    names = [name for name in SHOWN if name in processor.extensions]
    if not names:
        return coded(
            "doctor.no_extension",
            "{architecture} with no extension (asked: {source})",
            architecture=processor.architecture,
            source=processor.source,
        )
    return coded(
        "doctor.extensions",
        "{architecture} with {names} (asked: {source})",
        architecture=processor.architecture,
        names=", ".join(names),
        source=processor.source,
    )


def int8_way(processor: Processor) -> str:
    """How onnxruntime multiplies bytes on this processor; empty where nothing is known of it."""
    has = processor.has
    if processor.architecture == "x86_64" and processor.source:
        if has("AMX-INT8"):
            return _int8("AMX")
        if has("AVX512BW", "AVX512-VNNI"):
            return _int8("AVX512-VNNI")
        if has("AVX2", "AVX-VNNI"):
            return _int8("AVX-VNNI")
        widest = "AVX512BW" if has("AVX512BW") else "AVX2"
        if not has("AVX2"):
            return coded("doctor.no_avx2", "no AVX2: INT8 by SSE4.1")
        return coded("doctor.no_vnni", "no VNNI: INT8 by {way} in sums of 16 bits", way=widest)
    if processor.architecture == "aarch64" and processor.source:
        if has("I8MM"):
            return _int8("i8mm")
        return _int8("dotprod") if has("DOTPROD") else coded("doctor.no_dotprod", "no dotprod: INT8 by NEON")
    return ""


def distance_way(processor: Processor, *, is_portable: bool) -> str:
    """How hnswlib computes distances; empty for one compiled by somebody else, for which this cannot be told."""
    if not is_portable:
        return ""
    ways = {
        "x86_64": coded("doctor.by_sse", "distances by SSE"),
        "aarch64": coded("doctor.by_c", "distances in plain C++"),
    }
    return ways.get(processor.architecture, "")


def generator_way(variant: str, extensions: tuple[str, ...]) -> str:
    """Which of llama.cpp's arithmetic is in use, and what is slow about it.

    Args:
        variant: Name of its plug-in; empty where it is linked in.
        extensions: What that was compiled with, oldest first.
    """
    named = ", ".join([name for name in extensions if name in SHOWN] or extensions[-1:])
    told = coded("doctor.plug_in", "plug-in {name}", name=variant) if variant else coded("doctor.linked", "compiled in")
    if named:
        told = coded("doctor.named", "{text} ({names})", text=told, names=named)
    if is_slow(extensions):
        told = coded(
            "doctor.slow_formats",
            "{text}. Without AVX, models in other formats than {formats} generate many times as slowly",
            text=told,
            formats="Q4_0, Q4_1, Q8_0" if variant else "Q4_0",
        )
    return told


def _int8(way: str) -> str:
    return coded("doctor.int8", "INT8 by {way}", way=way)


def is_slow(extensions: tuple[str, ...]) -> bool:
    """Whether llama.cpp computes without AVX, from which on it has code for all of its formats.

    Below, ggml has some for Q4_0; `packaging/llama_edits.py` adds two formats to the plug-in `sse42`.
    """
    return "SSE3" in extensions and "AVX" not in extensions
