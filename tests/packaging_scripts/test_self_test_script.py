"""The self-test as a script: its report, its exit codes, and one run with the real program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
    ],
    ids=["missing", "not-executable", "condition", "cpu"],
)
def test_what_cannot_be_tried_ends_with_exit_code_2(arguments: list[str], message: str) -> None:
    result = run_script(*arguments, "--quick", "--network-namespace", "off")
    assert result.returncode == 2
    assert message in result.stderr


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
