"""Opening a document in another program: an argument vector, never a shell."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from edgerag.errors import DocumentError
from edgerag_tui.strings import tr


def editor_command(path: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """`$VISUAL`, `$EDITOR` or the first usual editor there is, with the file.

    Raises:
        DocumentError: The file is gone, or there is no editor.
    """
    environment = os.environ if environment is None else environment
    _require(path)
    if named := environment.get("VISUAL") or environment.get("EDITOR"):
        return [*shlex.split(named, posix=os.name != "nt"), path]
    for name in ("notepad",) if os.name == "nt" else ("nano", "vim", "vi"):
        if found := shutil.which(name):
            return [found, path]
    raise DocumentError(tr("errors.no_editor"), hint=tr("errors.set_editor"))


def open_in_viewer(path: str) -> None:
    """Hand a file to the program that the system opens it with; returns at once.

    Raises:
        DocumentError: The file is gone, or the system has no such program.
    """
    _require(path)
    if sys.platform == "win32":
        os.startfile(path)
        return
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is None:
        raise DocumentError(tr("errors.no_viewer"), hint=tr("errors.use_editor"))
    subprocess.Popen(
        [opener, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _require(path: str) -> None:
    if not Path(path).is_file():
        raise DocumentError(tr("errors.file_gone", path=path), hint=tr("errors.sync"))
