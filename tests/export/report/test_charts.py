"""Charts: every variant on them, the same bytes every time, and nothing that a page could trip over."""

from __future__ import annotations

import functools
import re

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: run `make test-export`")

from lxml import etree

from edgerag_export.report.chart_parts import Chart
from edgerag_export.report.chart_style import COLOURS, INK, shown_name, style_of
from edgerag_export.report.charts import draw_charts
from edgerag_export.report.page_svg import page_svg
from tests.export.report.reports import (
    FLOAT32,
    HOSTILE,
    embedder,
    encoder_report,
    generator_report,
    rerank_report,
)

_TEXT = "{http://www.w3.org/2000/svg}text"


def _words(chart: Chart) -> list[str]:
    return ["".join(element.itertext()) for element in etree.fromstring(chart.svg.encode()).iter(_TEXT)]


REPORTS = {"embedding": encoder_report(), "cross-encoder": rerank_report(), "generator": generator_report()}


@functools.cache
def _drawn(task: str) -> tuple[Chart, ...]:
    return draw_charts(REPORTS[task])


def _by_name(task: str) -> dict[str, Chart]:
    return {chart.name: chart for chart in _drawn(task)}


def test_an_embedder_has_these_charts() -> None:
    assert list(_by_name("embedding")) == [
        "overview-speed",
        "overview-size",
        "overview-sizes",
        "quality-cosines",
        "quality-losses",
        "latency-median",
        "latency-gain",
        "throughput-256",
        "throughput-mixed",
        "lengths-histogram",
    ]


def test_a_generator_has_these_charts() -> None:
    assert list(_by_name("generator")) == [
        "overview-speed",
        "overview-size",
        "overview-sizes",
        "generator-agreement",
        "generator-decode",
        "generator-prefill",
    ]


@pytest.mark.parametrize("task", REPORTS)
def test_every_variant_is_on_every_chart(task: str) -> None:
    for chart in _drawn(task):
        for variant in REPORTS[task].variants:
            shown = any(words.startswith(variant.name) for words in _words(chart))
            # These compare with the original, which has none to itself.
            left_out = chart.name in ("quality-cosines", "quality-losses", "latency-gain") and variant.is_reference
            assert shown != (left_out or chart.name == "lengths-histogram"), chart.name


def test_many_variants_and_hostile_names_are_all_there() -> None:
    report = encoder_report(FLOAT32, *(embedder(name) for name in HOSTILE), *(embedder(f"v{n}") for n in range(9)))

    for chart in draw_charts(report):
        if chart.section == "lengths":
            continue
        shown = _words(chart)
        for variant in report.variants[1:]:
            assert any(shown_name(variant.name) in words for words in shown), (chart.name, variant.name)


def test_long_names_are_shortened_and_controls_removed() -> None:
    assert shown_name("a" * 200) == "a" * 33 + "…"
    assert shown_name("line\nbreak\x1b[1m") == "line break\ufffd[1m"
    assert shown_name("x\ud800\ufffe") == "x\ufffd\ufffd"


def test_charts_are_the_same_bytes_every_time() -> None:
    first, second = _drawn("embedding"), draw_charts(encoder_report())

    assert [chart.svg for chart in first] == [chart.svg for chart in second]
    assert all("<dc:date>" not in chart.svg for chart in first)


def test_settings_of_the_user_change_nothing() -> None:
    import matplotlib

    plain = _drawn("generator")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert draw_charts(generator_report()) == plain


def test_no_two_variants_look_alike_and_none_is_told_by_its_colour_alone() -> None:
    styles = [style_of(place) for place in range(20)]

    assert len({(style.colour, style.marker) for style in styles}) == 20
    assert len({(style.marker, style.hatch, style.line) for style in styles}) == 20
    assert len(set(COLOURS)) == len(COLOURS)


def test_failing_variants_are_hollow_and_the_recommended_one_is_named() -> None:
    words = _words(_by_name("embedding")["overview-speed"])

    assert "static (recommended)" in words
    assert "dynamic (outside)" in words
    assert "float32" in words


def test_charts_on_one_page_share_no_id() -> None:
    pages = [
        page_svg(chart.svg, name=chart.name, title=chart.title, description=chart.description)
        for chart in _drawn("embedding")
    ]
    ids = [element.get("id") for page in pages for element in etree.fromstring(page).iter() if element.get("id")]

    assert len(ids) == len(set(ids))
    for page in pages:
        own = set(re.findall(r'\bid="([^"]+)"', page))
        used = set(re.findall(r"url\(#([^)]+)\)", page)) | set(re.findall(r'href="#([^"]+)"', page))
        assert used <= own


def test_a_chart_takes_the_colour_of_its_page_and_has_a_title_read_aloud() -> None:
    chart = _drawn("embedding")[0]
    root = etree.fromstring(page_svg(chart.svg, name="one", title="A < B & C", description='"D"'))
    title, description = root[0], root[1]

    assert (title.text, description.text) == ("A < B & C", '"D"')
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert root.get("role") == "img"
    assert root.get("width") is None
    assert root.get("viewBox")
    assert INK not in etree.tostring(root, encoding="unicode")
    assert "currentColor" in etree.tostring(root, encoding="unicode")
