"""The times of a file as the library keeps and compares them."""

from __future__ import annotations

import os

MAX_NS = 2**63 - 1
"""The largest integer of SQLite: as ns since the epoch it is in the year 2262. Files may claim a later one."""


def modified_ns(status: os.stat_result) -> int:
    """When the content was last written, in ns since the epoch, clamped to what SQLite can hold.

    To be used wherever such a time is stored or compared with a stored one.
    """
    return min(max(status.st_mtime_ns, -MAX_NS), MAX_NS)
