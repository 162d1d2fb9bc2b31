"""Numbers on the command line, kept to what can be counted or stored."""

from __future__ import annotations

import math
from typing import Any

import click

MAX_ID = 2**63 - 1
"""SQLite's largest integer; Python's have no end. https://www.sqlite.org/datatype3.html"""


class FiniteRange(click.FloatRange):
    """`click.FloatRange` lets `nan` through every range, since it is neither less nor more, and `inf` an open one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class RowId(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click alone
    """The id of a row. Not `click.IntRange`: the help page would show a range of 19 digits."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number: int = click.INT.convert(value, param, ctx)
        if not 0 <= number <= MAX_ID:
            self.fail(f"{number} is no id.", param, ctx)
        return number
