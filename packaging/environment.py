"""Make the environment that a bundle is frozen from.

    python packaging/environment.py .venv-bundle --wheels dist/native

What edgerag needs comes from requirements/tui.txt, PyInstaller from requirements/bundle.txt, both pinned with hashes;
the two packages that have to be compiled come from `packaging/native_wheels.py`. Without `--wheels` they are compiled
here, which is well for trying a bundle on this machine and for nothing else; `--without-llm` leaves llama.cpp out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Collection, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPILED = ("hnswlib", "llama-cpp-python")
"""Distributions that come as source only."""
LLM_ONLY = ("llama-cpp-python", "diskcache")
OLDEST_PYTHON = (3, 11)
PORTABLE = {"HNSWLIB_NO_NATIVE": "1", "CMAKE_ARGS": "-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF"}
NATIVE_RECORD = "native-wheels.json"
"""What `native_wheels.py` writes beside its wheels; the environment that they are installed in has a copy."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class EnvironmentMakingError(Exception):
    """Why the environment could not be made, and what to do about it."""


def without(requirements: str, names: Collection[str]) -> str:
    """A compiled requirements file less some distributions; what has hashes keeps them.

    Args:
        requirements: Text in pip's form, one requirement a paragraph of lines that end with a backslash.
        names: In the form of the package index: lower case, with hyphens.
    """
    left_out = {normal_name(name) for name in names}
    kept: list[str] = []
    is_dropping = False
    for line in requirements.splitlines():
        if not line.startswith((" ", "#")) and (match := _NAME.match(line)):
            is_dropping = normal_name(match[0]) in left_out
        if not is_dropping:
            kept.append(line)
    return "\n".join(kept) + "\n"


def normal_name(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheels_for(folder: Path, names: Sequence[str], script: str = "native_wheels.py") -> list[Path]:
    """The one wheel of each distribution, which the script makes.

    Raises:
        EnvironmentMakingError: There is none, or more than one.
    """
    found = []
    for name in names:
        wheels = _wheels_of(folder, name)
        if len(wheels) != 1:
            what = f"are {len(wheels)} wheels" if wheels else "is no wheel"
            hint = f"python packaging/{script} --out {folder}"
            raise EnvironmentMakingError(f"There {what} of {name} in {folder}. This leaves exactly one there: {hint}")
        found += wheels
    return found


def _wheels_of(folder: Path, name: str) -> list[Path]:
    return [file for file in sorted(folder.glob("*.whl")) if normal_name(file.name.split("-")[0]) == name]


def make(folder: Path, *, wheels: Path | None, with_llm: bool) -> Path:
    """Make the environment, anew if there is one; returns its interpreter.

    Raises:
        EnvironmentMakingError: Wrong Python, no venv module, or an installation failed.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise EnvironmentMakingError(f"edgerag needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    compiled = [name for name in COMPILED if with_llm or name not in LLM_ONLY]
    own: list[Path] = []
    if wheels is not None:
        own += wheels_for(wheels, compiled)
        # pysqlite3 is there where `sqlite_wheel.py` made it: no lock file names a wheel for that architecture.
        if _wheels_of(wheels, "pysqlite3"):
            own += wheels_for(wheels, ["pysqlite3"], "sqlite_wheel.py AMALGAMATION")
    python = _make_empty(folder)
    left_out = [*(COMPILED if wheels else ()), *(() if with_llm else LLM_ONLY)]
    files = []
    for name in ("tui", "bundle"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        file = folder / f"{name}.txt"
        file.write_text(without(text, left_out), encoding="utf-8")
        files += ["-r", str(file)]
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    _run([*pip, "install", "--quiet", "--require-hashes", "-r", str(ROOT / "requirements/uv.txt")])
    uv = [str(python), "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "--no-deps"]
    _run([*uv, "--require-hashes", *files])
    if wheels is not None:
        _run([*uv, "--reinstall", *map(str, own)])
        if (wheels / NATIVE_RECORD).is_file():
            shutil.copyfile(wheels / NATIVE_RECORD, folder / NATIVE_RECORD)
    return python


def _make_empty(folder: Path) -> Path:
    """An environment with nothing but pip; returns its interpreter.

    One that is there is emptied: it may be of another Python, and hold what the lock files no longer name.

    Raises:
        EnvironmentMakingError: There is something else in the folder, or no venv module.
    """
    if folder.exists() and not (folder / "pyvenv.cfg").is_file() and any(folder.iterdir()):
        raise EnvironmentMakingError(
            f"{folder} is no environment, and not empty. Name a new folder, or remove this one."
        )
    try:
        venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        hint = "On Debian and Ubuntu: apt install python3-venv"
        raise EnvironmentMakingError(f"No environment could be made in {folder}: {error}. {hint}") from error
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str]) -> None:
    # Nothing of an environment that happens to be active may decide what is installed or compiled.
    environment = {**os.environ, **PORTABLE}
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    try:
        subprocess.run(command, check=True, env=environment)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EnvironmentMakingError(f"{' '.join(command[:6])} ... failed: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wheels", type=Path, help="folder that packaging/native_wheels.py has written")
    parser.add_argument("--without-llm", action="store_true", help="for the variant `core` alone")
    options = parser.parse_args()
    try:
        make(options.folder, wheels=options.wheels, with_llm=not options.without_llm)
    except EnvironmentMakingError as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
