"""The times of a file as the library keeps and compares them."""

from __future__ import annotations

import os
import time

MAX_NS = 2**63 - 1
"""The largest integer of SQLite: as ns since the epoch it is in the year 2262. Files may claim a later one."""
RACY_NS = 2_000_000_000
"""A file changed so shortly before it was read may have changed again within one tick of its file system's clock (2 s
on FAT), keeping size and times: it is in doubt, and hashed. (git calls such entries racily clean.)"""


def modified_ns(status: os.stat_result) -> int:
    """When the content was last written, in ns since the epoch, clamped to what SQLite can hold.

    To be used wherever such a time is stored or compared with a stored one. Any program may set it to what it likes.
    """
    return _clamped(status.st_mtime_ns)


def changed_ns(status: os.stat_result) -> int:
    """When anything about the file last changed (content, name, permissions), in the same form.

    Only the system sets it: where it is the same, no other file has taken the place of this one, whatever size and
    `modified_ns` say. On Windows it is when the file was made, which proves less and costs nothing.
    """
    return _clamped(status.st_ctime_ns)


def settled_ns(status: os.stat_result, *, looked_ns: int | None = None) -> int | None:
    """`changed_ns`, if a later change of the file is sure to alter it; None while that is in doubt (`RACY_NS`).

    Args:
        looked_ns: When `status` was asked for, in ns since the epoch; default: now.
    """
    changed = changed_ns(status)
    looked = time.time_ns() if looked_ns is None else looked_ns
    return changed if looked - max(changed, modified_ns(status)) > RACY_NS else None


def _clamped(time_ns: int) -> int:
    return min(max(time_ns, -MAX_NS), MAX_NS)
