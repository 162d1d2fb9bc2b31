"""The program as a script calls it, on a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgerag.cli.root import run

HUT = """# Hut rules

## Night

The hut is locked at 22:30 every night. Mira Solberg holds the spare key.

## Stove

Only birch wood may be burnt. The stove was built in 1987 by the Kvitnes foundry.
"""


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        value = json.loads(line)
        assert value["schema_version"] == 1
        return value


class Program:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.library = folder / "library"
        self.documents = folder / "documents"
        self.documents.mkdir()
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Outcome:
        self._capsys.readouterr()
        code = run(["--library", str(self.library), *map(str, arguments)])
        return Outcome(code, *self._capsys.readouterr())

    def write(self, name: str, text: str) -> Path:
        path = self.documents / name
        path.write_text(text, encoding="utf-8")
        return path
