"""The page: well-formed, self-contained, harmless whatever a name holds, and readable without its charts."""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed: run `make test-export`")

from lxml import etree, html

from edgerag.errors import SettingsError
from edgerag_export.report.html import to_html
from edgerag_export.report.report import Report
from edgerag_export.report.report_json import read_report
from edgerag_export.report.write import write_report
from tests.export.report.reports import FLOAT32, HOSTILE, embedder, encoder_report, generator_report, rerank_report

REPORTS = {"embedding": encoder_report(), "cross-encoder": rerank_report(), "generator": generator_report()}


def _hostile() -> Report:
    variants = (FLOAT32, *(embedder(name, failures=[f"{name} fails"]) for name in HOSTILE))
    return encoder_report(
        *variants, model=HOSTILE[0], trial=HOSTILE[1], notes=HOSTILE, made_at=HOSTILE[2], tolerance={HOSTILE[0]: 1.0}
    )


@functools.cache
def _page(name: str) -> str:
    return to_html(_hostile() if name == "hostile" else REPORTS[name])


def _tree(page: str) -> Any:
    """Parse as XML, which forgives nothing, without the two parts that are HTML's alone."""
    text = page.removeprefix("<!DOCTYPE html>\n")
    head = text[text.index("<head>") : text.index("</head>") + len("</head>")]
    return etree.fromstring(text.replace(head, ""))


@pytest.mark.parametrize("name", [*REPORTS, "hostile"])
def test_the_page_is_well_formed(name: str) -> None:
    tree = _tree(_page(name))

    assert tree.tag == "html"
    assert tree.get("lang") == "en"
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


def test_hostile_names_stay_text() -> None:
    page = _page("hostile")
    tree = html.document_fromstring(page)

    assert not tree.xpath("//script | //img | //iframe | //object | //link | //foreignObject")
    assert len(tree.xpath("//style[not(ancestor::*[local-name()='svg'])]")) == 1
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
    # As a heading and as rows of tables, letter by letter.
    assert tree.xpath("//h1")[0].text == HOSTILE[0]
    assert HOSTILE[0] in [cell.text for cell in tree.xpath("//th[@scope='row']")]
    for character in ("\x1b", "\x07", "\u202e", "\ud800"):
        assert character not in page


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_needs_nothing_from_elsewhere(name: str) -> None:
    page = _page(name)
    tree = html.document_fromstring(page)

    assert not tree.xpath("//@src | //@srcset | //@data | //@action | //@formaction")
    references = [value for value in tree.xpath("//@*") if "://" in value]
    assert set(references) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("name", REPORTS)
def test_every_chart_has_a_title_and_a_table_beside_it(name: str) -> None:
    tree = _tree(_page(name))
    svg = "{http://www.w3.org/2000/svg}"

    figures = list(tree.iter("figure"))
    assert figures
    for figure in figures:
        drawn = figure.find(f"{svg}svg")
        assert drawn.get("role") == "img"
        assert drawn.find(f"{svg}title").text == figure.find("figcaption").text
        assert drawn.find(f"{svg}desc").text
        section = figure.getparent().getparent()
        assert section.tag == "section"
        assert list(section.iter("table"))
    for table in tree.iter("table"):
        assert table.find("caption").text
        assert all(cell.get("scope") for cell in table.iter("th"))


def test_figures_and_reason_are_on_the_page() -> None:
    page = _page("embedding")

    for words in ("Recommended: static", "0.6395", "dynamic: ndcg_loss is 0.0313, must be &lt;= 0.01", "41.0", "86 %"):
        assert words in page


def test_the_same_report_gives_the_same_page() -> None:
    assert to_html(encoder_report()) == _page("embedding")


def test_both_files_are_written_and_the_json_reads_back(tmp_path: Path) -> None:
    report = encoder_report()

    page, data = write_report(report, tmp_path / "new" / "folder")

    assert (page.name, data.name) == ("report.html", "report.json")
    assert page.read_text(encoding="utf-8") == _page("embedding")
    assert read_report(data) == report
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.html", "report.json"]


def test_without_matplotlib_the_figures_are_written_and_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(SettingsError, match="The charts need matplotlib, which is not installed") as caught:
        write_report(encoder_report(), tmp_path)

    assert "edgerag[export]" in caught.value.hint
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["model"] == "all-MiniLM-L6-v2"
    assert not (tmp_path / "report.html").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(SettingsError, match="cannot be written"):
        write_report(encoder_report(), tmp_path / "file")
