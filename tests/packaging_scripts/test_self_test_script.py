"""The self-test as a script: its report, its exit codes, and one run with the real program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgerag import __version__
from tests.packaging_scripts.fake_program import write_program
from tests.packaging_scripts.loading import load

self_test = load("self_test")
no_network = self_test.no_network


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(self_test.__file__)
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=300)


def test_the_report_is_one_json_object_and_the_exit_code_tells(tmp_path: Path) -> None:
    program = tmp_path / "edgerag"
    program.write_text("#!/bin/sh\nkill -ILL $$\n")
    program.chmod(0o755)
    result = run_script(str(program), "--quick", "--json", "--network-namespace", "off")
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert (report["passed"], report["network"]) == (False, "not taken away")
    assert report["counts"] == {"ok": 0, "FAILED": 1, "skipped": 1, "not shown": 0}
    assert "SIGILL" in report["outcomes"][0]["told"]
    assert "FAILED     version" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/file"], "self_test: no/such/file does not exist."),
        ([__file__], "is not an executable file."),
        (["x", "--conditions", "vacuum"], "there is no condition 'vacuum'"),
        (["/bin/sh", "--cpu", "PDP-11"], "self_test: "),
        (["/bin/sh", "--work", "/"], "self_test: --work / is there already: name a new folder."),
        (["/bin/sh", "--work", f"{__file__}/work"], "self_test: [Errno 20] Not a directory"),
        (["/bin/sh", "--gguf", "no/such.gguf"], "self_test: --gguf no/such.gguf: there is no such file."),
        (
            ["/bin/sh", "--root", "no/root"],
            "self_test: --root no/root: there is no such folder. packaging/minimal_root",
        ),
    ],
    ids=["missing", "not-executable", "condition", "cpu", "work", "no-work", "gguf", "root"],
)
def test_what_cannot_be_tried_ends_with_exit_code_2(arguments: list[str], message: str) -> None:
    result = run_script(*arguments, "--quick", "--network-namespace", "off")
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("verdict", ["ok", "not shown", "FAILED"])
@pytest.mark.parametrize("network", ["no interface", "not taken away"])
def test_what_is_not_shown_passes_unless_the_test_must_be_complete(verdict: str, network: str) -> None:
    outcomes = [self_test.Outcome("version", "ok", 0.0, ""), self_test.Outcome("sockets", verdict, 0.0, "")]
    loose = self_test.Report("edgerag", "here", network, outcomes=outcomes)
    strict = self_test.Report("edgerag", "here", network, complete=True, outcomes=outcomes)
    assert loose.passed is (verdict != "FAILED")
    assert strict.passed is (verdict == "ok" and network == "no interface")


def test_the_report_says_why_a_test_is_not_complete(tmp_path: Path) -> None:
    program = write_program(tmp_path, f"echo 'edgerag, version {__version__}'")
    result = run_script(str(program), "--quick", "--network-namespace", "off", "--complete")
    assert result.returncode == 1
    assert result.stdout.splitlines()[-1] == "FAILED: 1 ok, 1 FAILED; the network was not taken away"


@pytest.mark.models
def test_the_program_of_this_environment_passes_the_short_form(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("edgerag")
    if not program.exists():
        pytest.skip("edgerag is not installed in this environment")
    try:
        no_network.check(no_network.unshare_command(needs_mounts=False, needs_user=False))
        network = "required"
    except no_network.NamespaceError:
        network = "off"
    result = run_script(str(program), "--quick", "--network-namespace", network)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "passed: 2 ok" in result.stdout
