"""Write a report into a folder: `report.html` to be looked at, `report.json` to be read again."""

from __future__ import annotations

from pathlib import Path

from edgerag.errors import SettingsError
from edgerag_export.report.report import Report
from edgerag_export.report.report_json import to_json

JSON_NAME, HTML_NAME = "report.json", "report.html"


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write both files and return their paths, the page first; existing ones are replaced.

    Raises:
        SettingsError: The folder cannot be written, or matplotlib is not installed; the JSON file is written first
            and stays.
    """
    page, data = folder / HTML_NAME, folder / JSON_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(data, to_json(report))
        try:
            from edgerag_export.report.html import to_html  # deferred: matplotlib takes half a second

            text = to_html(report)
        except ImportError as error:
            raise SettingsError(
                f"The charts need {error.name}, which is not installed; the figures are in {data}.",
                hint="Install `edgerag[export]`, then run `edgerag export report` on that file.",
            ) from error
        _replace(page, text)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return page, data


def _replace(path: Path, text: str) -> None:
    """Write a file so that whoever reads it meanwhile sees the old one whole."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(text, encoding="utf-8", newline="\n")
    scratch.replace(path)
