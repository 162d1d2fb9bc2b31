"""Linux, macOS and Windows: nothing needs a module that one of them lacks, and each has folders of its own.

Only Linux can be tried for real where these tests run; the others are simulated as far as that goes.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgerag import paths
from edgerag.errors import DocumentError, SettingsError
from edgerag.syncing import absolute_path

CHECKOUT = Path(__file__).parents[1]
POSIX_ONLY = (
    "curses", "fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios",
    "tty",
)  # fmt: skip
WINDOWS_ONLY = ("_winapi", "msvcrt", "winreg", "winsound")
WINDOWS_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}

# What the standard library needs of them is loaded first: here it is edgerag that must do without.
IMPORT_WITHOUT = """
import concurrent.futures, importlib, json, logging, multiprocessing, pkgutil, subprocess, sys, tempfile, unittest.mock
import click, numpy
blocked = json.loads(sys.argv[1])

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name in blocked:
            raise ModuleNotFoundError(f"No module named {name!r} (as on another system)", name=name)
        return None

for name in blocked:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Blocker())
import edgerag
imported = []
for module in pkgutil.walk_packages(edgerag.__path__, "edgerag."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        imported.append(module.name)
print(json.dumps(imported))
"""


@pytest.mark.parametrize("blocked", [POSIX_ONLY, WINDOWS_ONLY], ids=["as on Windows", "as on Linux and macOS"])
def test_every_module_imports_where_the_other_systems_modules_are_absent(blocked: tuple[str, ...]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", IMPORT_WITHOUT, json.dumps(blocked)],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    assert {"edgerag.storage.locks", "edgerag.ingest.parse_worker", "edgerag.engine"} <= set(json.loads(result.stdout))


def _imports_at_module_level(tree: ast.Module) -> list[str]:
    """Modules that an import statement outside functions, `if` and `try` names."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(str(node.module))
    return found


def test_no_source_file_imports_a_module_of_one_system_unconditionally(checkout: Path) -> None:
    offenders = []
    for package in ("edgerag", "export", "tui", "examples"):
        for file in sorted((checkout / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            offenders += [
                f"{file.relative_to(checkout)}: {name}"
                for name in _imports_at_module_level(tree)
                if name in (*POSIX_ONLY, *WINDOWS_ONLY)
            ]
    assert offenders == []


def test_every_text_file_is_opened_with_a_named_encoding(checkout: Path) -> None:
    """Windows reads and writes text in the code page of the country unless told otherwise."""
    offenders = []
    for package in ("edgerag", "export", "tui", "examples"):
        for file in sorted((checkout / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                named = {keyword.arg for keyword in node.keywords}
                least = {"read_text": 0, "write_text": 1}.get(node.func.attr)
                if least is not None and "encoding" not in named and len(node.args) <= least:
                    offenders.append(f"{file.relative_to(checkout)}:{node.lineno}: {node.func.attr}")
    assert offenders == []


def test_every_file_of_the_checkout_has_a_name_that_windows_accepts(checkout: Path) -> None:
    if not (checkout / ".git").exists():
        pytest.skip("this checkout is not under git")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=checkout,
        capture_output=True,
        timeout=60,
    )
    if listed.returncode:
        pytest.skip(f"git does not list this checkout: {listed.stderr.decode(errors='replace').strip()}")
    names = [name for name in listed.stdout.decode().split("\0") if name]
    assert "Makefile" in names
    for name in names:
        for part in name.split("/"):
            assert not set(part) & set('<>:"\\|?*'), name
            assert part.split(".")[0].lower() not in WINDOWS_RESERVED, name
            assert not part.endswith((" ", ".")), name
    folded = [name.casefold() for name in names]
    assert len(set(folded)) == len(folded)


@pytest.mark.parametrize(
    ("system", "data", "settings"),
    [
        ("Unix", "data/edgerag", "config/edgerag"),
        ("MacOS", "Library/Application Support/edgerag", "Library/Application Support/edgerag"),
        ("Windows", "local/edgerag", "local/edgerag"),
    ],
)
def test_each_system_has_its_own_folders(
    system: str, data: str, settings: str, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    folders = pytest.importorskip(f"platformdirs.{system.lower()}")
    if system == "Windows" and sys.platform != "win32":
        # It asks the registry or the shell where there is one, and the environment otherwise.
        monkeypatch.setattr(folders, "_resolve_win_folder", folders.get_win_folder_from_env_vars, raising=False)
        monkeypatch.setattr(folders, "get_win_folder", folders.get_win_folder_from_env_vars, raising=False)
    if system == "MacOS":
        # It too honours XDG variables where they are set.
        for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name)
    for name in ("EDGERAG_LIBRARY", "EDGERAG_MODELS", "EDGERAG_CONFIG"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(platformdirs, "PlatformDirs", getattr(folders, system))
    assert paths.default_library_dir() == isolated_home / data / "library"
    assert paths.models_dir() == isolated_home / data / "models"
    assert paths.config_dir() == isolated_home / settings


def test_folders_that_are_named_win_over_those_of_the_system(
    isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERAG_LIBRARY", "~/my library")
    monkeypatch.setenv("EDGERAG_MODELS", str(isolated_home / "weights"))
    monkeypatch.setenv("EDGERAG_CONFIG", str(isolated_home / "settings"))
    assert paths.default_library_dir() == isolated_home / "my library"
    assert paths.models_dir() == isolated_home / "weights"
    assert paths.config_dir() == isolated_home / "settings"


@pytest.mark.parametrize("answer", ["raises", "~/.local/share/edgerag"], ids=["today", "platformdirs 4.2"])
def test_a_user_without_a_home_is_told_what_to_set(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless(*_: object, **__: object) -> str:
        if answer != "raises":
            return answer
        raise RuntimeError("Could not determine home directory.")

    for name in ("EDGERAG_LIBRARY", "EDGERAG_MODELS", "EDGERAG_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", homeless)
    monkeypatch.setattr("platformdirs.user_config_dir", homeless)
    for folder in (paths.default_library_dir, paths.models_dir, paths.config_dir):
        with pytest.raises(SettingsError, match="no home folder") as caught:
            folder()
        assert "EDGERAG_LIBRARY" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "command"),
    [("EDGERAG_LIBRARY", "status"), ("EDGERAG_MODELS", "models list"), ("EDGERAG_CONFIG", "status")],
)
def test_a_home_that_there_is_not_is_an_error_and_no_folder_called_so(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "~no-such-user/edgerag")
    outcome = subprocess.run(
        [sys.executable, "-m", "edgerag", *command.split()],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        timeout=60,
    )
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "There is no home folder for ~no-such-user/edgerag.\n  Write the whole path." in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_document_may_be_called_like_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute_path("~no-such-user/notes.md") == tmp_path / "~no-such-user" / "notes.md"


def test_an_empty_path_is_not_the_working_folder() -> None:
    with pytest.raises(DocumentError, match="The path is empty"):
        absolute_path("")
