"""Shows a workbook's numbers as a reader sees them: dates as dates, shares as per cent."""

from __future__ import annotations

import datetime
import re
from typing import Any

from edgerag.ingest.parsers.xlsx_durations import DAY_S, DurationFormat, duration_format

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
# Built-in formats: ECMA-376 part 1, 18.8.30 (27-36 and 50-58 are dates in East Asian versions).
_DATES = frozenset((*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)))
_BUILT_IN_DURATIONS = {46: "[h]:mm:ss"}
_PER_CENT = frozenset((9, 10))
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_EPOCH_1900 = datetime.datetime(1899, 12, 30)
_EPOCH_1904 = datetime.datetime(1904, 1, 1)
_LAST_DAY = 2_958_465.99999
"""9999-12-31, the last date a workbook can show, counted from 1900."""


class NumberFormats:
    """The cell formats of a workbook."""

    def __init__(self, styles: Any, *, starts_1904: bool) -> None:
        self._epoch = _EPOCH_1904 if starts_1904 else _EPOCH_1900
        self._last_day = _LAST_DAY - (self._epoch - _EPOCH_1900).days
        self._kinds: list[str | DurationFormat] = []
        if styles is None:
            return
        codes = {
            element.get("numFmtId") or "": element.get("formatCode") or "" for element in styles.iter(f"{S}numFmt")
        }
        cell_formats = styles.find(f"{S}cellXfs")
        for element in () if cell_formats is None else cell_formats.iter(f"{S}xf"):
            self._kinds.append(_kind(element.get("numFmtId") or "0", codes))

    def show(self, raw: str, style: int) -> str:
        """The number in cell format `style` as text; `raw` itself when it is none."""
        try:
            value = float(raw)
        except ValueError:
            return raw
        kind = self._kinds[style] if style < len(self._kinds) else ""
        if isinstance(kind, DurationFormat) and abs(value) <= _LAST_DAY:
            return kind.show(value)
        if kind == "date" and 0 <= value <= self._last_day:
            return self._date(value)
        if kind == "percent":
            return f"{value * 100:.10g}%"
        # 15 digits are what a workbook itself shows; the file often holds 17 (0.30000000000000004).
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"

    def _date(self, value: float) -> str:
        seconds = round(value * DAY_S)
        moment = self._epoch + datetime.timedelta(seconds=seconds)
        if value < 1:
            return moment.time().isoformat()
        return moment.date().isoformat() if seconds % DAY_S == 0 else moment.isoformat(" ")


def _kind(format_id: str, codes: dict[str, str]) -> str | DurationFormat:
    built_in = _BUILT_IN_DURATIONS.get(int(format_id), "") if format_id.isdecimal() else ""
    duration = duration_format(codes.get(format_id, built_in))
    if duration is not None:
        return duration
    code = _LITERALS.sub("", codes.get(format_id, "").split(";")[0]).lower()
    number = int(format_id) if format_id.isdigit() else 0
    if format_id not in codes:
        return "date" if number in _DATES else "percent" if number in _PER_CENT else ""
    if "%" in code:
        return "percent"
    return "date" if any(letter in code for letter in "ymdhs") and "general" not in code else ""
