"""Finished steps of a build, kept by a hash of all that went into them: an interrupted build goes on from there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from edgerag.errors import ModelError

logger = logging.getLogger(__name__)

FORMAT = 1
"""Raised when a step's meaning changes in a way that its key does not show."""
_HASH_DIGITS = 24


class StepCache:
    """A folder with one subfolder for each finished step. Deleting it costs time only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    @contextlib.contextmanager
    def temporary(cls) -> Iterator[StepCache]:
        """A cache that is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="edgerag-export-") as scratch:
            yield cls(Path(scratch))

    def has(self, step: str, key: Mapping[str, Any]) -> bool:
        """Whether this step was finished before with the same input."""
        return self._place(step, key).is_dir()

    def step(self, step: str, key: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """Return the folder of a finished step, making it first where it is missing.

        Args:
            step: Name of the step, part of the folder's name.
            key: Everything that decides about the result: hashes of the input, options, versions. JSON values.
            make: Fills an empty folder. When it raises, nothing is kept.

        Raises:
            ModelError: The cache cannot be written; and whatever `make` raises.
        """
        place = self._place(step, key)
        if place.is_dir():
            logger.info("%s: done before, %s", step, place)
            return place
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            arriving = Path(tempfile.mkdtemp(prefix=f".{step}-", dir=self.folder))
        except OSError as error:
            raise ModelError(
                f"{self.folder} cannot be written: {error.strerror}.", hint="Choose another --cache."
            ) from error
        try:
            make(arriving)
            try:
                # A rename is all or nothing, so that a folder that has its name is complete.
                arriving.rename(place)
            except OSError:
                if not place.is_dir():  # else another build was faster with the same
                    raise
        except OSError as error:
            raise ModelError(
                f"{step}: {self.folder} cannot be written: {error.strerror or error}.", hint="Is the disk full?"
            ) from error
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
        return place

    def clear(self) -> int:
        """Delete what is kept, unfinished steps too. Returns the bytes that became free."""
        freed = 0
        for path in sorted(self.folder.glob("*")) if self.folder.is_dir() else []:
            freed += sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else 0
            shutil.rmtree(path, ignore_errors=True)
        return freed

    def _place(self, step: str, key: Mapping[str, Any]) -> Path:
        text = json.dumps({"format": FORMAT, **key}, sort_keys=True, ensure_ascii=True, default=os.fspath)
        return self.folder / f"{step}-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]}"
