"""Wheels of packages that come as source: fetched by their locked hashes, compiled with locked tools.

The steps that `native_wheels.py` and `sqlite_wheel.py` share. What comes out is the same wherever the folders are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from environment import normal_name


class BuildError(Exception):
    """What could not be built, and why."""


@dataclass(frozen=True, slots=True)
class Pin:
    """A package as a lock file names it."""

    name: str
    version: str
    requirement: str
    """The lines of the requirements file: version and hashes."""


def read_pins(requirements: str, names: Iterable[str]) -> list[Pin]:
    """Find packages in the text of a compiled requirements file.

    Raises:
        BuildError: One is missing, or has no hash.
    """
    pins = []
    for name in names:
        match = re.search(rf"^{re.escape(name)}==([^\s;\\]+)[^\n]*\n(?:[ \t]+--hash=\S+[^\n]*\n?)+", requirements, re.M)
        if match is None:
            raise BuildError(f"{name} is not in the requirements file with a version and a hash.")
        pins.append(Pin(name, match[1], match[0].rstrip().rstrip("\\").rstrip() + "\n"))
    return pins


def environment(source: Path, work: Path) -> dict[str, str]:
    """Variables to compile a source folder with: portable, small, and the same bytes wherever the folders are."""
    # A setting of the caller for this very processor would undo everything.
    kept = {name: value for name, value in os.environ.items() if name != "CPPFLAGS" and not name.startswith("SKBUILD_")}
    # Of two that match, compilers take the later one. Headers of the tools are in `work` too.
    maps = f"-ffile-prefix-map={work}=. -ffile-prefix-map={source}=."
    flags = "" if sys.platform == "win32" else f"-g0 {maps}"
    return kept | {
        "CMAKE_BUILD_PARALLEL_LEVEL": os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 2),
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "LDFLAGS": "-Wl,-s" if sys.platform == "linux" else "",
        "SOURCE_DATE_EPOCH": "315532800",  # 1980, the first year that a zip file knows
        "PYTHONHASHSEED": "0",
    }


def need_compilers() -> None:
    """Look for a C and a C++ compiler before anything is fetched.

    Raises:
        BuildError: There is none.
    """
    compilers = [os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")]
    missing = [name for name in compilers if shutil.which(name.split()[0]) is None]
    if missing and sys.platform != "win32":  # Windows' are found through its registry
        raise BuildError(f"There is no {' and no '.join(missing)}. On Debian and Ubuntu: apt install g++ python3-dev")


def takes_option(option: str) -> bool:
    """Whether the C compiler knows an option."""
    command = [*os.environ.get("CC", "cc").split(), option, "-E", "-x", "c", os.devnull]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def make_tools(folder: Path, tools: Path) -> Path:
    """Make an environment with the tools to compile with, each with the hash that was locked.

    Args:
        folder: Where; kept if it is there.
        tools: A compiled requirements file.

    Returns:
        Its interpreter.

    Raises:
        BuildError: Python's venv is missing, or a tool could not be installed.
    """
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        try:
            venv.create(folder, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError, ImportError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise BuildError(f"No environment could be made: {error}. On Debian: apt install python3-venv") from error
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    _pip(python, "install", [*options, "-r", str(tools)], "The tools to compile with could not be installed")
    return python


def fetch(python: Path, pins: Iterable[Pin], work: Path) -> Path:
    """Download source distributions, none of which may have another hash; returns the folder of the archives.

    Raises:
        BuildError: One could not be fetched, or is another file than the locked one.
    """
    sources = work / "sources"
    file = work / "sources.txt"
    file.write_text("".join(pin.requirement for pin in pins), encoding="utf-8")
    # Not isolated: pip asks the build backend for metadata even when it only downloads, and shall ask the locked one.
    options = ["--no-deps", "--require-hashes", "--no-build-isolation", "--no-binary", ":all:", "--dest", str(sources)]
    _pip(python, "download", [*options, "-r", str(file)], "The sources could not be fetched")
    return sources


def unpack(sources: Path, pin: Pin, work: Path) -> Path:
    """Unpack one source distribution anew; returns its folder."""
    name = f"{pin.name.replace('-', '_')}-{pin.version}"
    folder = work / "source" / name
    shutil.rmtree(folder, ignore_errors=True)
    with tarfile.open(sources / f"{name}.tar.gz") as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder.parent, filter="data")
        else:  # Python 3.11.0 to 3.11.3; the archive is known by its hash
            archive.extractall(folder.parent)
    return folder


def compile_wheel(python: Path, source: Path, work: Path, variables: Mapping[str, str]) -> Path:
    """Compile one unpacked source distribution.

    Args:
        python: Interpreter of `make_tools`.
        source: Folder of `unpack`.
        work: Folder for what comes out.
        variables: The whole environment, as `environment` gives it.

    Raises:
        BuildError: It could not be compiled; the message has the end of what the compiler said.
    """
    target = work / "raw" / source.name
    shutil.rmtree(target, ignore_errors=True)
    options = ["--no-deps", "--no-build-isolation", "--no-cache-dir", "--wheel-dir", str(target)]
    if (source / "CMakeLists.txt").exists():
        # Inside the source folder, so that one path is all that has to be kept out of the binaries.
        options += ["--config-settings", f"build-dir={source / 'build'}"]
    _pip(python, "wheel", [*options, str(source)], f"{source.name} could not be compiled", variables)
    wheels = list(target.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"{source.name} gave {len(wheels)} wheels instead of one.")
    return wheels[0]


def remove_others(wheel: Path) -> None:
    """Remove every other wheel of the same distribution from a wheel's folder, or nobody knows which is meant."""
    name = normal_name(wheel.name.partition("-")[0])
    for other in wheel.parent.glob("*.whl"):
        if other != wheel and normal_name(other.name.partition("-")[0]) == name:
            other.unlink()


def _pip(
    python: Path, command: str, options: list[str], failure: str, variables: Mapping[str, str] | None = None
) -> None:
    variables = dict(variables or os.environ)
    variables["PATH"] = f"{python.parent}{os.pathsep}{variables.get('PATH', '')}"  # cmake and ninja are in there
    arguments = [str(python), "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-input", *options]
    done = subprocess.run(
        arguments, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        # The compiler's message stands before pip's own, of which the last lines are.
        raise BuildError(f"{failure}:\n{(done.stdout + done.stderr)[-6000:].strip()}")
