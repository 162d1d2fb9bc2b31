"""How long texts are in a model's tokens, what cutting them would lose, and what padding them would waste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgerag.inference.manifest import read_manifest
from edgerag.inference.tokenizer import ModelTokenizer

LIMITS = (64, 128, 256, 512)
BINS = (0, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""Lower ends of the histogram's bars; the last one has no end."""
BATCH_SIZES = (8, 32, 128)
_UNLIMITED = 1 << 30


@dataclass(frozen=True, slots=True)
class Bar:
    from_tokens: int
    to_tokens: int | None
    """Exclusive; None: no end."""
    num_texts: int


@dataclass(frozen=True, slots=True)
class Truncation:
    max_tokens: int
    """Longest input, special tokens included."""
    texts_cut: float
    """Share of the texts that are longer, 0 to 1."""
    tokens_lost: float
    """Share of all tokens, special ones not counted, that are cut off."""


@dataclass(frozen=True, slots=True)
class PaddingWaste:
    """Share of the computed tokens that are padding, with texts cut at the model's longest input."""

    batch_size: int
    arbitrary: float
    """Batches in the order in which the texts came."""
    by_length: float
    """Batches of texts sorted by length."""


@dataclass(frozen=True, slots=True)
class LengthFigures:
    """One by one, unpadded, as the runtime runs them, texts waste nothing."""

    texts: str
    """Name of the texts."""
    num_texts: int
    num_tokens: int
    """Of all texts, special tokens not counted."""
    max_tokens: int
    """Longest input of the model, special tokens included."""
    special_tokens: int
    """Added to each text."""
    median: int
    """Tokens of a text, special ones included, as are the next two."""
    p95: int
    longest: int
    bars: tuple[Bar, ...]
    truncations: tuple[Truncation, ...]
    """At `LIMITS` and at the model's own, in order."""
    padding: tuple[PaddingWaste, ...]


def measure_lengths(folder: Path, name: str, texts: Sequence[str]) -> LengthFigures:
    """Tokenise texts with a model's tokenizer and add up their lengths.

    Args:
        folder: Of the model; its document prefix counts.
        name: Of the texts.
        texts: At least one.

    Raises:
        ModelError: No tokenizer, or a damaged one.
        ValueError: No texts.
    """
    manifest = read_manifest(folder)
    tokenizer = ModelTokenizer.open(folder, manifest)
    lengths = [len(tokenizer.encode(manifest.document_prefix + text, max_tokens=_UNLIMITED).ids) for text in texts]
    return length_figures(name, lengths, max_tokens=manifest.max_tokens, special_tokens=tokenizer.num_special_tokens)


def length_figures(name: str, lengths: Sequence[int], *, max_tokens: int, special_tokens: int) -> LengthFigures:
    """Add up lengths in tokens.

    Args:
        name: Of the texts.
        lengths: Of each text, in the order in which they come, special tokens included.
        max_tokens: Longest input of the model.
        special_tokens: Added to each text.
    """
    if not lengths:
        raise ValueError("no texts to measure")
    ordered = sorted(lengths)
    limits = sorted({*LIMITS, max_tokens})
    cut = [min(length, max_tokens) for length in lengths]
    return LengthFigures(
        texts=name,
        num_texts=len(lengths),
        num_tokens=sum(lengths) - special_tokens * len(lengths),
        max_tokens=max_tokens,
        special_tokens=special_tokens,
        median=_quantile(ordered, 0.5),
        p95=_quantile(ordered, 0.95),
        longest=ordered[-1],
        bars=histogram(lengths),
        truncations=tuple(truncation(lengths, limit, special_tokens) for limit in limits),
        padding=tuple(
            PaddingWaste(size, padding_waste(cut, size), padding_waste(sorted(cut), size)) for size in BATCH_SIZES
        ),
    )


def histogram(lengths: Sequence[int]) -> tuple[Bar, ...]:
    """Count texts by length in `BINS`; empty bars at the long end are left out."""
    ends = [*BINS[1:], None]
    bars = [
        Bar(low, high, sum(length >= low and (high is None or length < high) for length in lengths))
        for low, high in zip(BINS, ends, strict=True)
    ]
    while len(bars) > 1 and not bars[-1].num_texts:
        bars.pop()
    return tuple(bars)


def truncation(lengths: Sequence[int], max_tokens: int, special_tokens: int) -> Truncation:
    """Say what cutting at `max_tokens` loses; the special tokens always stay."""
    content = sum(lengths) - special_tokens * len(lengths)
    lost = sum(max(0, length - max_tokens) for length in lengths)
    return Truncation(
        max_tokens, sum(length > max_tokens for length in lengths) / len(lengths), lost / content if content else 0.0
    )


def padding_waste(lengths: Sequence[int], batch_size: int) -> float:
    """Share of the tokens that are padding when each batch is as long as its longest text."""
    batches = [lengths[start : start + batch_size] for start in range(0, len(lengths), batch_size)]
    computed = sum(max(batch) * len(batch) for batch in batches)
    return 1 - sum(lengths) / computed if computed else 0.0


def _quantile(ordered: Sequence[int], share: float) -> int:
    return ordered[round(share * (len(ordered) - 1))]
