"""Room for what an export is about to write."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.models.disk import SPARE_BYTES


def check_room(
    target: Path, needed_bytes: int, *, hint: str = "Free some space, or choose a --cache on a larger disk."
) -> None:
    """Make the folder of a file, and refuse to begin what cannot end.

    Args:
        target: File that will be written.
        needed_bytes: Its size, estimated from above; a reserve is added.
        hint: What helps where there is too little.

    Raises:
        ModelError: The folder cannot be made, or fewer bytes are free.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise ModelError(f"{target.parent} cannot be written: {error.strerror}.") from error
    if free_bytes < needed_bytes + SPARE_BYTES:
        raise ModelError(
            f"{target.parent} has {free_bytes / 1e6:.0f} MB free, and {target.name} needs about "
            f"{(needed_bytes + SPARE_BYTES) / 1e6:.0f} MB.",
            hint=hint,
        )
