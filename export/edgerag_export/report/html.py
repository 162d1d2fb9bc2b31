"""A report as one HTML file that needs nothing else: no script, no font, no address."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files

from edgerag_export.report.chart_parts import Chart
from edgerag_export.report.charts import draw_charts
from edgerag_export.report.page_svg import page_svg
from edgerag_export.report.page_text import page_text
from edgerag_export.report.report import Report
from edgerag_export.report.sections import build_sections
from edgerag_export.report.tables import Section, Table


def to_html(report: Report) -> str:
    """The whole page; the same report gives the same bytes."""
    charts = draw_charts(report)
    sections = build_sections(report)
    style = files("edgerag_export.report").joinpath("report.css").read_text(encoding="utf-8")
    title = f"{report.model}: export report"
    body = "\n".join(
        [
            _head(report),
            _recommendation(report),
            *(_section(section, [chart for chart in charts if chart.section == section.key]) for section in sections),
        ]
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{_text(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _text(text: str) -> str:
    return escape(page_text(text))


def _head(report: Report) -> str:
    machine = report.machine
    kinds = {"embedding": "Embedding model", "cross-encoder": "Cross-encoder", "generator": "Generator"}
    facts = [
        ("Measured on", report.trial),
        ("Processor", f"{machine.cpu}, {machine.cores} cores, {machine.system} {machine.architecture}"),
        ("Its abilities", " ".join(machine.flags) or "not told by the system"),
        ("Packages", ", ".join(f"{name} {version}" for name, version in machine.packages.items())),
    ]
    if report.made_at:
        facts.append(("Made", report.made_at))
    rows = "\n".join(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in facts)
    kind = kinds.get(report.task, report.task)
    return f"<header>\n<p>{_text(kind)}</p>\n<h1>{_text(report.model)}</h1>\n<dl>\n{rows}\n</dl>\n</header>"


def _recommendation(report: Report) -> str:
    chosen = report.recommendation
    parts = [f"<h2>Recommended: {_text(chosen.chosen or 'none')}</h2>", f"<p>{_text(chosen.reason)}</p>"]
    if chosen.rejected:
        parts += ["<h3>Outside the tolerance</h3>", _list(chosen.rejected)]
    if report.notes:
        parts += ["<h3>To be known</h3>", _list(report.notes)]
    return '<section class="recommended">\n' + "\n".join(parts) + "\n</section>"


def _list(items: Iterable[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{_text(item)}</li>" for item in items) + "\n</ul>"


def _section(section: Section, charts: list[Chart]) -> str:
    drawn = "\n".join(_chart(chart) for chart in charts)
    tables = "\n".join(_table(table) for table in section.tables)
    return (
        f'<section id="{_text(section.key)}">\n<h2>{_text(section.title)}</h2>\n<p>{_text(section.text)}</p>\n'
        + (f'<div class="charts">\n{drawn}\n</div>\n' if drawn else "")
        + f'<div class="tables">\n{tables}\n</div>\n</section>'
    )


def _chart(chart: Chart) -> str:
    title, description = page_text(chart.title), page_text(chart.description)
    svg = page_svg(chart.svg, name=chart.name, title=title, description=description)
    note = f"<p>{_text(chart.note)}</p>\n" if chart.note else ""
    return f"<figure>\n<figcaption>{_text(title)}</figcaption>\n{svg}\n{note}</figure>"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_text(heading)}</th>' for heading in table.headings)
    rows = "\n".join(
        f'<tr><th scope="row">{_text(row[0])}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in table.rows
    )
    caption = _text(table.caption)
    # The frame scrolls on narrow screens, so the keyboard must be able to reach it.
    return (
        f'<div class="frame" role="region" tabindex="0" aria-label="{caption}">\n'
        f"<table>\n<caption>{caption}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>"
    )
