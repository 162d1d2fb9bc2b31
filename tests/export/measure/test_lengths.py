"""Lengths of texts, and what cutting and padding cost, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag_export.measure.lengths import (
    Bar,
    Truncation,
    histogram,
    length_figures,
    measure_lengths,
    padding_waste,
    truncation,
)
from tests.export.measure.small_graphs import write_embedder


def test_truncation_loses_what_is_beyond_the_longest_input() -> None:
    # Two special tokens each: 98 + 298 + 598 = 994 tokens of content, of which 44 and 344 are cut off.
    assert truncation([100, 300, 600], 256, 2) == Truncation(256, pytest.approx(2 / 3), pytest.approx(388 / 994))
    assert truncation([100, 256], 256, 2) == Truncation(256, 0.0, 0.0)


def test_padding_waste_depends_on_who_stands_beside_whom() -> None:
    lengths = [10, 40, 20, 30]

    # (10, 40) and (20, 30) compute 80 + 60 tokens for 100.
    assert padding_waste(lengths, 2) == pytest.approx(1 - 100 / 140)
    # Sorted: (10, 20) and (30, 40): 40 + 80.
    assert padding_waste(sorted(lengths), 2) == pytest.approx(1 - 100 / 120)
    assert padding_waste(lengths, 4) == pytest.approx(1 - 100 / 160)
    assert padding_waste(lengths, 1) == 0.0
    # A last batch that is not full is padded to its own longest text.
    assert padding_waste([10, 10, 50], 2) == 0.0


def test_histogram_counts_every_text_once() -> None:
    bars = histogram([0, 15, 16, 255, 256])

    assert bars[0] == Bar(0, 16, 2)
    assert bars[1] == Bar(16, 32, 1)
    assert bars[-1] == Bar(256, 384, 1)
    assert sum(bar.num_texts for bar in bars) == 5


def test_texts_beyond_all_bars_are_in_the_last_one() -> None:
    assert histogram([5000])[-1] == Bar(1024, None, 1)


def test_figures_add_up() -> None:
    figures = length_figures("texts", [300, 10, 20, 30], max_tokens=100, special_tokens=2)

    assert (figures.num_texts, figures.num_tokens, figures.median, figures.longest) == (4, 352, 30, 300)
    assert [cut.max_tokens for cut in figures.truncations] == [64, 100, 128, 256, 512]
    # Padding is computed from what the model reads: 100, not 300.
    assert figures.padding[0].arbitrary == pytest.approx(1 - 160 / 400)


def test_lengths_are_counted_with_the_models_tokenizer_and_prefix(tmp_path: Path) -> None:
    plain = write_embedder(tmp_path / "plain", {"river": [1.0]})
    prefixed = write_embedder(tmp_path / "prefixed", {"river": [1.0]}, document_prefix="bank ")
    texts = ["river stone", "river " * 100]

    assert measure_lengths(plain, "texts", texts).longest == 102
    assert measure_lengths(prefixed, "texts", texts).longest == 103
    assert measure_lengths(plain, "texts", texts).num_tokens == 102


def test_no_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="no texts"):
        length_figures("none", [], max_tokens=8, special_tokens=2)
