"""The manual page says what the commands say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import SCRIPTS, load

PAGE = SCRIPTS / "edgerag.1"


def test_the_page_is_what_the_commands_say_today() -> None:
    assert PAGE.read_text(encoding="utf-8") == load("man_page").man_page(), "run `make man`"


def test_the_page_is_the_same_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert load("man_page").man_page() == PAGE.read_text(encoding="utf-8")


def test_an_outdated_page_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "edgerag.1"
    old.write_text(PAGE.read_text(encoding="utf-8").replace("\\-\\-retry", "\\-\\-again"), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["man_page.py", str(old), "--check"])
    assert load("man_page").main() == 1


@pytest.mark.parametrize(
    "shown",
    [
        "edgerag models pull",
        "--temperature FLOAT RANGE",
        "EDGERAG_CHUNK_TOKENS",
        "EXIT STATUS",
        "$(edgerag completion bash)",
    ],
)
def test_a_reader_finds(shown: str) -> None:
    if (groff := shutil.which("groff")) is None:
        pytest.skip("groff is not installed: apt install groff-base")
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u", str(PAGE)], capture_output=True, encoding="ascii"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
