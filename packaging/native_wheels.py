"""Compile hnswlib and llama-cpp-python so that one wheel runs on every processor of its architecture.

    python packaging/native_wheels.py --out wheels

Both come as source only, and both compile for the very processor they are built on unless told otherwise: such a wheel
dies with SIGILL on an older one. hnswlib is built for the architecture's baseline. llama.cpp's arithmetic is built
several times, as plug-ins of which `edgerag.inference.ggml_variants` has the best one loaded when it runs.

Versions and hashes are those of a file in requirements/, the tools to compile with those of requirements/native.txt.
Needed besides: a C and C++ compiler, and Python with venv. Takes 10 to 20 minutes of a core, and the sources 76 MB of
download, the first time; afterwards what is there is kept as long as nothing that it was made from has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import needs_python  # noqa: F401 (first, as it says)
import source_wheels
from archive import sha256
from environment import NATIVE_RECORD
from llama_edits import NEEDED_FLAGS, EditError, edit_source
from source_wheels import BuildError, Pin, read_pins
from wheel_files import copies, rewrite_wheel

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hnswlib", "llama-cpp-python")
SCRIPTS = ("native_wheels.py", "source_wheels.py", "llama_edits.py", "wheel_files.py")
"""What decides the outcome besides the pinned packages."""
LIBRARIES = "llama_cpp/lib"
"""Where llama_cpp looks for its libraries, inside the wheel."""

GGML_OPTIONS = {
    "CMAKE_BUILD_TYPE": "Release",
    "GGML_NATIVE": "OFF",
    "GGML_BACKEND_DL": "ON",
    "GGML_CPU_ALL_VARIANTS": "ON",
    # One file for each library instead of three: a wheel knows no symbolic links and carries copies.
    "CMAKE_PLATFORM_NO_VERSIONED_SONAME": "ON",
    # Everything beside libllama, where the loader looks, instead of site-packages/{lib,bin,include}.
    "CMAKE_INSTALL_LIBDIR": LIBRARIES,
    "CMAKE_INSTALL_BINDIR": LIBRARIES,
    "CMAKE_INSTALL_INCLUDEDIR": "llama_cpp/include",
    # A path of this machine would leave its length in the file even after it is replaced.
    "CMAKE_BUILD_RPATH_USE_ORIGIN": "ON",
    "CMAKE_INSTALL_RPATH": "@loader_path" if sys.platform == "darwin" else "$ORIGIN",
    "LLAVA_BUILD": "OFF",
    "LLAMA_OPENSSL": "OFF",
    "LLAMA_BUILD_TOOLS": "OFF",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_SERVER": "OFF",
}


def is_wanted(path: str) -> bool:
    """Whether a file of the freshly compiled llama-cpp-python belongs in the wheel: no headers, no CMake files."""
    folder, _, name = path.rpartition("/")
    if folder == LIBRARIES:
        return name.endswith((".so", ".dylib", ".dll", ".metal"))
    return folder == "llama_cpp" or folder.partition("/")[0].endswith(".dist-info")


def environment(source: Path, work: Path) -> dict[str, str]:
    """Variables to compile either package with, for every processor of this architecture."""
    return source_wheels.environment(source, work) | {
        "HNSWLIB_NO_NATIVE": "1",
        "CMAKE_ARGS": " ".join(f"-D{name}={value}" for name, value in GGML_OPTIONS.items()),
    }


def unknown_variants() -> list[str]:
    """Variants of llama.cpp that the compiler is too old for; said on stderr, because processors get a slower one."""
    if platform.machine() not in ("x86_64", "AMD64") or sys.platform == "win32":
        return []
    missing = [name for name, option in NEEDED_FLAGS.items() if not source_wheels.takes_option(option)]
    for name in missing:
        print(f"left out: {name}, the compiler does not know {NEEDED_FLAGS[name]}", file=sys.stderr)
    return missing


def digest_of_inputs(pins: Iterable[Pin], tools: str) -> str:
    """Hash of everything that decides what comes out, but for the compiler's own libraries."""
    parts = [*(pin.requirement for pin in pins), tools, sys.platform, platform.machine(), *platform.libc_ver()]
    parts.append(platform.python_version())
    parts += [_version_of(os.environ.get("CC", "cc")), _version_of(os.environ.get("CXX", "c++"))]
    parts += [Path(__file__).with_name(name).read_text("utf-8") for name in SCRIPTS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version_of(compiler: str) -> str:
    try:
        return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""  # Windows, where the build finds its own; elsewhere the build says that there is none


def build(out: Path, work: Path, requirements: Path, tools: Path) -> list[Path]:
    """Build the wheels, unless they are there and made from the same.

    Args:
        out: Folder for the wheels and a record of what they were made from. Other wheels of the same packages, for
            instance of an earlier version, are removed from it.
        work: Folder for sources, tools and objects; may be deleted afterwards.
        requirements: A compiled requirements file that names the two packages.
        tools: The one that names what they are compiled with.

    Returns:
        The wheels, in the order of `PACKAGES`.

    Raises:
        BuildError: Something could not be fetched or compiled, or the outcome is not what it has to be.
        EditError: The source is not the one that the changes to it are for.
    """
    out, work = out.absolute(), work.absolute()
    pins = read_pins(requirements.read_text("utf-8"), PACKAGES)
    inputs = digest_of_inputs(pins, tools.read_text("utf-8"))
    if kept := _kept(out, inputs):
        for wheel in kept:
            source_wheels.remove_others(wheel)
        return kept
    source_wheels.need_compilers()
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    python = source_wheels.make_tools(work / "tools", tools)
    sources = source_wheels.fetch(python, pins, work)
    wheels = []
    for pin in pins:
        folder = source_wheels.unpack(sources, pin, work)
        if pin.name == "llama-cpp-python":
            edit_source(folder, unknown_variants())
        raw = source_wheels.compile_wheel(python, folder, work, environment(folder, work))
        wheel = out / raw.name
        rewrite_wheel(raw, wheel, is_wanted if pin.name == "llama-cpp-python" else lambda path: True)
        if repeated := copies(wheel):
            raise BuildError(f"{wheel.name} carries the same file more than once: {repeated[0]}.")
        source_wheels.remove_others(wheel)
        wheels.append(wheel)
    record = {"inputs": inputs, "wheels": {wheel.name: sha256(wheel) for wheel in wheels}}
    (out / NATIVE_RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return wheels


def _kept(out: Path, inputs: str) -> list[Path]:
    try:
        record = json.loads((out / NATIVE_RECORD).read_text("utf-8"))
        if record["inputs"] != inputs:
            return []
        wheels = [out / name for name in record["wheels"]]
        return wheels if all(sha256(wheel) == record["wheels"][wheel.name] for wheel in wheels) else []
    except (OSError, ValueError, LookupError, TypeError):
        return []


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist/native", help="folder for the wheels")
    parser.add_argument("--work", type=Path, default=ROOT / "build/native", help="folder for sources and objects")
    parser.add_argument("--requirements", type=Path, default=ROOT / "requirements/tui.txt", help="versions and hashes")
    parser.add_argument("--tools", type=Path, default=ROOT / "requirements/native.txt", help="what to compile with")
    given = parser.parse_args(arguments)
    try:
        wheels = build(given.out, given.work, given.requirements, given.tools)
    except (BuildError, EditError) as error:
        print(f"native_wheels: {error}", file=sys.stderr)
        return 1
    for wheel in wheels:
        print(f"{sha256(wheel)}  {wheel}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
