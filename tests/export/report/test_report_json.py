"""Reports as JSON: the same in and out, refused when they are not what they say."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgerag.errors import SettingsError
from edgerag_export.report.report import Report
from edgerag_export.report.report_json import from_json, read_report, to_json
from tests.export.report.reports import HOSTILE, embedder, encoder_report, generator_report, rerank_report


@pytest.mark.parametrize("report", [encoder_report(), rerank_report(), generator_report()], ids=lambda each: each.task)
def test_a_report_is_read_back_as_it_was(report: Report) -> None:
    assert from_json(to_json(report)) == report
    assert to_json(from_json(to_json(report))) == to_json(report)


def test_what_is_no_number_is_written_as_null() -> None:
    report = rerank_report()
    figures = report.variants[0].rerank
    assert figures is not None
    broken = replace(
        report, variants=(replace(report.variants[0], rerank=replace(figures, rank_correlation=math.nan)),)
    )

    text = to_json(broken)
    found = from_json(text).variants[0].rerank

    assert '"rank_correlation": null' in text
    assert "NaN" not in text
    assert found is not None
    assert math.isnan(found.rank_correlation)


def test_names_that_utf_8_cannot_hold_are_kept() -> None:
    report = encoder_report(*(embedder(name) for name in HOSTILE))

    assert from_json(to_json(report).encode("utf-8").decode("utf-8")) == report


def test_json_holds_no_date_unless_one_is_given() -> None:
    assert json.loads(to_json(encoder_report()))["made_at"] == ""
    assert json.loads(to_json(encoder_report(made_at="2026-11-21")))["made_at"] == "2026-11-21"


def _without(raw: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw | {"schema_version": 2}, "schema version 2, known: 1"),
        (lambda raw: {"schema_version": 1, "measured": {}}, "no report that this program reads"),
        (lambda raw: _without(raw, "machine"), "report lacks machine"),
        (lambda raw: raw | {"colour": "red"}, "unknown fields: colour"),
        (lambda raw: raw | {"variants": [{"name": 1}]}, "lacks precision, size_mb"),
        (lambda raw: raw | {"variants": {}}, "report.variants is no list"),
        (lambda raw: raw | {"model": 3}, "report.model is not of the type str"),
        (lambda raw: raw | {"peak": {"cores": True, "int8_gops": 1, "float32_gops": 1}}, "report.peak.cores"),
        (lambda raw: raw | {"tolerance": {"a": "b"}}, "report.tolerance is no number"),
        (lambda raw: [], "no JSON object"),
    ],
    ids=["schema", "model folder's", "missing", "unknown", "row", "list", "text", "bool", "number", "array"],
)
def test_other_json_is_refused(change: Any, message: str) -> None:
    raw = json.loads(to_json(encoder_report()))

    with pytest.raises(SettingsError) as caught:
        from_json(json.dumps(change(raw)), origin="x.json")

    assert message in str(caught.value)
    assert str(caught.value).startswith("x.json is no report")
    assert caught.value.hint


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("no json", encoding="utf-8")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="is no report"):
        read_report(tmp_path / "text.json")
    for name in ("bytes.json", "missing.json"):
        with pytest.raises(SettingsError, match="cannot be read"):
            read_report(tmp_path / name)
