"""The odd places of the self-test: each is as odd as it says, seen from a program that is run there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.packaging_scripts.fake_program import make_session, needs_namespaces, self_test, write_program

conditions = self_test.conditions

LOOKS_ROUND = """
echo "called=$0"
echo "HOME=$HOME"
echo "PATH=$PATH"
echo "LANG=$LANG"
while read -r key user rest; do case $key in Uid:) echo "user=$user";; esac; done < /proc/self/status
written() { if (echo x > "$1/written") 2>/dev/null; then echo "$2=writable"; else echo "$2=read-only"; fi; }
written "${0%/*}" bundle
[ -n "$HOME" ] && written "$HOME" home
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bundle that tells what is round it, in place of the short form of the self-test. Everybody may read it."""
    if sys.platform != "linux":
        pytest.skip("the places are made with Linux's namespaces")
    # Not in pytest's folders, which are closed to others, nor in /tmp, which some conditions cover.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "bundle" / "_internal").mkdir(parents=True)
        monkeypatch.setattr(conditions, "quick_find", lambda session: session.run().text)
        session = make_session(folder, "")
        session.place = session.place.changed(executable=write_program(folder / "bundle", LOOKS_ROUND))
        yield session


def seen(told: str) -> dict[str, str]:
    """What the program has told."""
    return dict(line.split("=", 1) for line in told.splitlines())


def test_a_read_only_bundle_cannot_be_written(session: Any) -> None:
    needs_namespaces(mounts=True)
    told = seen(conditions.read_only(session))
    assert (told["bundle"], told["home"]) == ("read-only", "writable")


def test_a_folder_with_spaces_and_other_scripts_holds_bundle_and_home(session: Any) -> None:
    told = seen(conditions.spaces(session))
    folder = session.place.work / conditions.ODD_NAME
    assert told["called"] == str(folder / "bundle" / "edgerag")
    assert conditions.ODD_NAME in told["HOME"]
    assert not folder.exists()


@pytest.mark.parametrize(("name", "expected"), [("noexec-tmp", "writable"), ("read-only-tmp", "read-only")])
def test_tmp_is_another(session: Any, name: str, expected: str) -> None:
    needs_namespaces(mounts=True)
    file = Path("/tmp", session.place.work.parent.name)
    session.place.executable.write_text(
        f"#!/bin/sh\n(echo x > {file}) 2>/dev/null && echo tmp=writable || echo tmp=read-only\n"
    )
    assert seen(conditions.CONDITIONS[name](session)) == {"tmp": expected}
    assert not file.exists()


def test_nothing_can_be_executed_from_tmp(session: Any) -> None:
    needs_namespaces(mounts=True)
    session.place.executable.write_text(
        "#!/bin/sh\necho echo executed > /tmp/script; /bin/chmod 755 /tmp/script; "
        "/tmp/script 2>/dev/null || echo refused\n"
    )
    assert conditions.noexec_tmp(session) == "refused\n"


def test_without_a_home_there_is_no_variable_of_that_name(session: Any) -> None:
    session.place.executable.write_text('#!/bin/sh\necho "HOME=${HOME-unset}"\necho "library=$EDGERAG_LIBRARY"\n')
    assert seen(conditions.no_home(session)) == {
        "HOME": "unset", "library": str(session.place.work / "home-unset" / "library"),
    }  # fmt: skip


def test_the_locales_are_those_named(session: Any) -> None:
    assert seen(conditions.lang_c(session))["LANG"] == "C"
    assert seen(conditions.lang_missing(session))["LANG"] == "zh_CN.GB18030"


@pytest.mark.parametrize("without_network", [False, True])
def test_a_link_is_found_by_its_name_on_the_path(session: Any, without_network: bool) -> None:
    if without_network:
        needs_namespaces()
    session.place = session.place.changed(without_network=without_network)
    told = seen(conditions.link_on_path(session))
    assert told["PATH"] == str(session.place.work / "bin")
    assert session.runs[-1].command[-1] == "edgerag"
    assert (session.place.work / "bin" / "edgerag").readlink() == session.place.executable


def test_nobody_runs_as_nobody(session: Any) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    session.place.work.parent.chmod(0o755)
    told = seen(conditions.nobody(session))
    assert (told["user"], told["bundle"], told["home"]) == ("65534", "read-only", "writable")


def test_a_stick_holds_bundle_and_home_and_is_taken_out(session: Any) -> None:
    if os.geteuid() != 0 or shutil.which("ntfs-3g") is None:
        pytest.skip("needs root and ntfs-3g")
    try:
        told = seen(conditions.stick(session))
    except self_test.NotShownError as reason:
        pytest.skip(str(reason))
    assert told["called"] == str(session.place.work / "stick" / "bundle" / "edgerag")
    assert told["HOME"] == str(session.place.work / "stick" / "home")
    assert list((session.place.work / "stick").iterdir()) == []
    assert not (session.place.work / "stick.img").exists()


def answering(monkeypatch: pytest.MonkeyPatch, answers: Callable[[list[str]], int]) -> list[list[str]]:
    """Every command of `conditions` ends with what `answers` says; returns them as they come."""
    commands: list[list[str]] = []

    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, answers(command), "", "target is busy.\n")

    monkeypatch.setattr(conditions, "subprocess", SimpleNamespace(run=run))
    return commands


def test_a_busy_stick_is_taken_out_of_sight(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands = answering(monkeypatch, lambda command: 0 if "--lazy" in command else 32)
    conditions._unmount(tmp_path)
    assert commands == [["umount", str(tmp_path)], ["umount", "--lazy", str(tmp_path)]]


def test_a_stick_that_stays_is_a_failure_and_no_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answering(monkeypatch, lambda command: 32)
    with pytest.raises(self_test.StepError, match=r"^the stick cannot be taken out: target is busy\.$"):
        conditions._unmount(tmp_path)


def test_conditions_that_need_root_or_a_bundle_are_not_shown_without(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (session.place.executable.parent / "_internal").rmdir()
    with pytest.raises(self_test.NotShownError, match="this executable is no bundle"):
        conditions.spaces(session)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for condition in (conditions.stick, conditions.nobody):
        with pytest.raises(self_test.NotShownError, match="only root can"):
            condition(session)
