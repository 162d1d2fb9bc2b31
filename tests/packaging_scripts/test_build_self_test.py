"""A build that cannot be tried is told from one that failed, and continuous integration does without namespaces."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from tests.packaging_scripts.loading import load

build = load("build")


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Stands in for a self-test on a system without namespaces; tells how it was called."""
    calls: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[bytes]:
        calls.append(command[3:])
        return subprocess.CompletedProcess(command, 0 if "off" in command else 2)

    monkeypatch.setattr(build.subprocess, "run", run)
    return calls


def options(*, quick: bool = False, keep_network: bool = False, gguf: Path | None = None) -> argparse.Namespace:
    return argparse.Namespace(quick=quick, keep_network=keep_network, test_gguf=gguf)


def test_the_short_form_keeps_the_network_where_nobody_may_take_it_away_and_says_so(
    runs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    build.self_test(Path("bundle"), options(quick=True))
    assert runs == [["--quick"], ["--quick", "--network-namespace", "off"]]
    assert "WITHOUT TAKING THE NETWORK AWAY" in capsys.readouterr().err


def test_a_whole_self_test_that_cannot_be_made_is_not_called_failed(runs: list[list[str]]) -> None:
    with pytest.raises(build.BuildError, match=r"could not be made here.*--keep-network.*--no-self-test"):
        build.self_test(Path("bundle"), options(gguf=Path("tiny.gguf")))
    assert runs == [["--gguf", "tiny.gguf"]]


def test_the_network_is_kept_at_once_where_that_is_asked_for(
    runs: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    build.self_test(Path("bundle"), options(keep_network=True))
    assert runs == [["--network-namespace", "off"]]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("quick", [True, False])
def test_a_self_test_that_fails_is_not_made_again(monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    codes = [1]
    monkeypatch.setattr(
        build.subprocess, "run", lambda command, *, check: subprocess.CompletedProcess(command, codes.pop())
    )
    with pytest.raises(build.BuildError, match="The self-test failed: nothing was packed"):
        build.self_test(Path("bundle"), options(quick=quick))
