"""Shows a workbook's durations, whose hours, minutes or seconds go on counting where a clock begins anew."""

from __future__ import annotations

import re
from dataclasses import dataclass

DAY_S = 86_400
_LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.')
_UNIT = re.compile(r"\[(h+|m+|s+)\]")
_DECIMALS = re.compile(r"s\]?\.(0+)")


@dataclass(frozen=True, slots=True)
class DurationFormat:
    """A cell format such as `[h]:mm`: ECMA-376 part 1, 18.8.31."""

    unit: str
    """The one that goes on counting: `h`, `m` or `s`."""
    num_digits: int
    """At least so many of it are shown."""
    has_minutes: bool
    has_seconds: bool
    num_decimals: int
    """Of the seconds."""

    def show(self, days: float) -> str:
        """A number of days in this format: `37:45`. Smaller units than it shows are cut off, as a workbook does."""
        scale = 10**self.num_decimals
        seconds, fraction = divmod(round(abs(days) * DAY_S * scale), scale)
        if self.unit == "h":
            hours, seconds = divmod(seconds, 3600)
            parts = [f"{hours:0{self.num_digits}}"]
            if self.has_minutes or self.has_seconds:
                parts.append(f"{seconds // 60:02}")
            if self.has_seconds:
                parts.append(f"{seconds % 60:02}")
        elif self.unit == "m":
            minutes, seconds = divmod(seconds, 60)
            parts = [f"{minutes:0{self.num_digits}}", *([f"{seconds:02}"] if self.has_seconds else [])]
        else:
            parts = [f"{seconds:0{self.num_digits}}"]
        shown = ":".join(parts) + (f".{fraction:0{self.num_decimals}}" if self.num_decimals else "")
        return f"-{shown}" if days < 0 and shown.strip("0:.") else shown


def duration_format(code: str) -> DurationFormat | None:
    """What a format code says of durations; None where it is of something else."""
    code = _LITERALS.sub("", code.split(";")[0]).lower()
    unit = _UNIT.search(code)
    if unit is None:
        return None
    rest = _UNIT.sub("", code)
    decimals = _DECIMALS.search(code)
    return DurationFormat(
        unit.group(1)[0],
        len(unit.group(1)),
        has_minutes="m" in rest,
        has_seconds="s" in rest,
        num_decimals=len(decimals.group(1)) if decimals else 0,
    )
