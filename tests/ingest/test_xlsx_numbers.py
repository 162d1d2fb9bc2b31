"""Numbers in a workbook, as its reader sees them."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import lxml.etree
import pytest

from edgerag.ingest.parsers.xlsx_numbers import NumberFormats

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
A_DURATION = "1.5729166666666667"
"""37 hours and 45 minutes."""


def shown(raw: str, code: str | int, *, starts_1904: bool = False) -> str:
    """A number in a cell format: a code, or the number of a built-in one."""
    number, codes = (
        (200, f"<numFmt numFmtId='200' formatCode={quoteattr(code)}/>") if isinstance(code, str) else (code, "")
    )
    parts = f"<numFmts>{codes}</numFmts><cellXfs><xf numFmtId='{number}'/></cellXfs>"
    styles = lxml.etree.fromstring(f"<styleSheet xmlns='{MAIN}'>{parts}</styleSheet>")
    return NumberFormats(styles, starts_1904=starts_1904).show(raw, 0)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (46, "37:45:00"),
        ("[h]:mm:ss", "37:45:00"),
        ("[h]:mm", "37:45"),
        ("[H]:MM", "37:45"),
        ("[$-409][h]:mm;@", "37:45"),
        ('[h]" h "mm" min"', "37:45"),
        ("[hhh]", "037"),
        ("[mm]:ss", "2265:00"),
        ("[s]", "135900"),
        ("[m]:ss.00", "2265:00.00"),
        ("[Red][>1]0.0", "1.57291666666667"),
        ("yyyy-mm-dd hh:mm", "1899-12-31 13:45:00"),
    ],
)
def test_duration_counts_on_past_a_day(code: str | int, text: str) -> None:
    assert shown(A_DURATION, code) == text


@pytest.mark.parametrize(
    ("raw", "code", "text"),
    [
        ("0", "[h]:mm", "0:00"),
        ("0.229166666666667", "[hh]:mm", "05:30"),
        ("-0.5", "[h]:mm", "-12:00"),
        ("-0.00001", "[h]:mm", "0:00"),
        ("0.000965856481481482", "[m]:ss.00", "1:23.45"),
        ("0.999999", "[h]:mm:ss", "24:00:00"),
        ("1e300", "[h]:mm", "1e+300"),
        ("nan", "[h]:mm", "nan"),
    ],
)
def test_durations_small_negative_and_absurd(raw: str, code: str, text: str) -> None:
    assert shown(raw, code) == text


@pytest.mark.parametrize(
    ("raw", "starts_1904", "text"),
    [
        ("2958465", False, "9999-12-31"),
        ("2958466", False, "2958466"),
        ("2957003", True, "9999-12-31"),
        ("2957004", True, "2957004"),
        ("2958465", True, "2958465"),
        ("44256", False, "2021-03-01"),
        ("42794", True, "2021-03-01"),
    ],
)
def test_date_after_the_last_one_is_a_number(raw: str, starts_1904: bool, text: str) -> None:
    assert shown(raw, 14, starts_1904=starts_1904) == text
