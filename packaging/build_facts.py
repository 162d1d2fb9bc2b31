"""What a build starts from: the commit, the machine, the programs it needs."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environment import NATIVE_RECORD

ROOT = Path(__file__).resolve().parent.parent
LINUX_TOOLS = ("strip", "objcopy", "objdump", "ldd")
MODULES = {"PyInstaller": "pyinstaller", "zstandard": "zstandard"}
SYSTEMS = {"Linux": "linux", "Darwin": "macos", "Windows": "windows"}
MACHINES = {"AMD64": "x86_64", "ARM64": "aarch64"}
"""Windows' names for the processors that the others call so."""


class BuildError(Exception):
    """Why there is no bundle, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is built."""

    version: str
    commit: str
    """Empty outside a git checkout."""
    is_changed: bool
    """Whether the checkout has changes that are in no commit."""
    time: int
    """Of the commit, or SOURCE_DATE_EPOCH; seconds since 1970."""
    system: str
    """As `platform.system()` says it."""


def bundle_name(version: str, variant: str, model: str = "") -> str:
    """Name of the folder and, with an ending, of the archive; `model` names the generator in it, if there is one."""
    machine = platform.machine()
    system = SYSTEMS.get(platform.system(), platform.system().lower())
    suffix = ("" if variant == "core" else f"-{variant}") + (f"-{model}" if model else "")
    return f"edgerag-{version}-{system}-{MACHINES.get(machine, machine)}{suffix}"


def read_source(root: Path = ROOT) -> Source:
    """Version and commit of a checkout.

    Raises:
        BuildError: No version, no time to give the files (neither git nor SOURCE_DATE_EPOCH), or git refuses.
    """
    root = root.absolute()
    text = (root / "edgerag/__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if version is None:
        raise BuildError("edgerag/__init__.py names no version.")
    commit = _git(root, "rev-parse", "HEAD")
    changed = bool(_git(root, "status", "--porcelain")) if commit else False
    told = os.environ.get("SOURCE_DATE_EPOCH", "") or _git(root, "log", "-1", "--format=%ct")
    if not told.isdigit():
        raise BuildError("This is no git checkout: say the source's time in SOURCE_DATE_EPOCH, in seconds since 1970.")
    return Source(version[1], commit, changed, int(told), platform.system())


def _git(root: Path, *arguments: str) -> str:
    """What git says about a checkout; nothing where there is no checkout.

    Raises:
        BuildError: There is one, and git is missing or refuses it: its changes would go unnoticed.
    """
    if not (root / ".git").exists():
        return ""
    if shutil.which("git") is None:
        raise BuildError(f"{root} is a git checkout, and there is no git. On Debian and Ubuntu: apt install git")
    # Told where they are, git does not mind whose they are: a build in a root folder runs as root on a user's checkout.
    # The setting `safe.directory` is not heeded on the command line by the git of Debian 11.
    places = [f"--git-dir={root / '.git'}", f"--work-tree={root}"]
    done = subprocess.run(["git", *places, *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"git does not tell what is built, {root}: {done.stderr.strip()}")
    return done.stdout.strip()


def native_inputs(environment: Path) -> str:
    """Hash of all that the compiled wheels in an environment were made from, as `native_wheels.py` recorded it.

    Empty where they are none of its wheels: compiled while the environment was made, for this machine alone.
    """
    file = environment / NATIVE_RECORD
    return str(json.loads(file.read_text(encoding="utf-8"))["inputs"]) if file.is_file() else ""


def check_tools() -> None:
    """See that everything is there before anything is begun.

    Raises:
        BuildError: Something is missing; the message names all of it, and how to get it.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python is what this is about)
        raise BuildError(f"edgerag needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    missing = [package for module, package in MODULES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise BuildError(
            f"{sys.executable} lacks {' and '.join(missing)}. Make the environment first: "
            "python packaging/environment.py .venv-bundle, and run this script with its Python."
        )
    if platform.system() == "Linux":
        absent = [tool for tool in LINUX_TOOLS if shutil.which(tool) is None]
        if absent:
            raise BuildError(f"Missing: {', '.join(absent)}. On Debian and Ubuntu: apt install binutils libc-bin")
