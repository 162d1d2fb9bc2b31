"""A report in the terminal: within its width, nothing lost, nothing obeyed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from edgerag_export.report.report import Report
from edgerag_export.report.terminal import render_terminal
from tests.export.report.reports import FLOAT32, HOSTILE, embedder, encoder_report, generator_report, rerank_report


def _shown(report: Report, width: int = 80, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    render_terminal(report, Console(file=stream, width=width, force_terminal=terminal, color_system=None))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 140])
@pytest.mark.parametrize("report", [encoder_report(), rerank_report(), generator_report()], ids=lambda each: each.task)
def test_no_line_is_wider_than_the_terminal(report: Report, width: int) -> None:
    assert max(map(len, _shown(report, width).splitlines())) <= width


@pytest.mark.parametrize("width", [60, 80, 140])
def test_every_figure_of_every_table_is_there(width: int) -> None:
    shown = _shown(encoder_report(), width)

    # The last column of each: none is cut off, whatever the width.
    for figure in ("0.99990", "0.17 %", "0.08 %", "12.8", "41.0", "49.9", "86 %"):
        assert figure in shown
    assert "…" not in shown


def test_a_table_that_is_too_wide_goes_on_below_with_its_names() -> None:
    report = encoder_report(FLOAT32, embedder("static-percentile@x86-vnni"))

    shown = _shown(report, 60)

    assert max(map(len, shown.splitlines())) <= 60
    lines = [line.split() for line in shown.splitlines()]
    start = shown.splitlines().index("Distance to float32")
    rows = [line for line in lines[start : start + 12] if line[:1] == ["static-percentile@x86-vnni"]]
    assert [figure for row in rows for figure in row[1:]] == ["0.99920", "0.9909", "0.954", "1.00000", "0.99990"]
    assert len(rows) == 2


def test_a_table_at_80_columns() -> None:
    lines = [line.rstrip() for line in _shown(encoder_report()).splitlines()]
    start = lines.index("Median, ms, by length in tokens")

    assert lines[start + 1 : start + 6] == [
        "variant    16    32    64   128   256   512",
        "───────────────────────────────────────────",
        "float32  3.20  6.40  12.8  25.6  51.2   102",
        "static   1.28  2.56  5.12  10.2  20.5  41.0",
        "dynamic  1.42  2.84  5.69  11.4  22.8  45.5",
    ]


def test_recommendation_and_rejection_come_first() -> None:
    shown = _shown(encoder_report())

    assert shown.index("Recommended: static") < shown.index("- dynamic: ndcg_loss is 0.0313") < shown.index("Overview")


def test_names_are_text_and_never_markup_or_control() -> None:
    shown = _shown(encoder_report(FLOAT32, *(embedder(name) for name in HOSTILE)), 140, terminal=False)

    assert "[bold red]markup[/]" in shown
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "\u202e" not in shown


def test_nothing_but_text_goes_into_a_pipe() -> None:
    stream = io.StringIO()
    render_terminal(encoder_report(), Console(file=stream, width=80))

    assert "\x1b" not in stream.getvalue()
