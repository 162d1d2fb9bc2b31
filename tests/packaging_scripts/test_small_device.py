"""Use under a memory limit: the limit is real, and what was killed is counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgerag.config import load_settings
from tests.packaging_scripts.loading import SCRIPTS, load

MIB = 1 << 20
PROFILES = sorted((SCRIPTS / "profiles").glob("*.toml"))


@pytest.fixture
def group() -> Iterator[Any]:
    module = load("memory_limit")
    try:
        with module.memory_limit(64 * MIB) as made:
            yield made
    except module.NoControlGroupError as error:
        pytest.skip(str(error))


def run_in(group: Any, program: str) -> int:
    with group.watched():
        return subprocess.run([sys.executable, "-S", "-c", program], preexec_fn=group.enter).returncode


def test_what_a_process_uses_is_seen_and_within_the_limit_nothing_is_killed(group: Any) -> None:
    assert run_in(group, "import time; kept = b'x' * (40 << 20); time.sleep(0.3)") == 0
    assert 40 * MIB <= group.peak_bytes <= 64 * MIB
    assert group.num_kills() == 0


def test_a_process_beyond_the_limit_is_killed_and_counted(group: Any) -> None:
    assert run_in(group, "kept = b'x' * (200 << 20)") == -9
    assert group.num_kills() == 1


def test_without_control_groups_the_error_says_so(tmp_path: Path) -> None:
    module = load("memory_limit")
    with (
        pytest.raises(module.NoControlGroupError, match="holds no control groups"),
        module.memory_limit(MIB, root=tmp_path),
    ):
        pass


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_holds_settings_that_exist(profile: Path) -> None:
    settings = load_settings(profile, environment={})
    assert settings != load_settings(profile.with_name("none.toml"), environment={})


def test_profiles_were_found() -> None:
    assert [profile.stem for profile in PROFILES] == ["1gib", "2gib"]


@pytest.mark.slow
@pytest.mark.models
def test_edgerag_works_with_one_core_and_half_a_gibibyte(checkout: Path, group: Any) -> None:
    program = Path(sys.executable).with_name("edgerag")
    if not program.is_file():
        pytest.skip("edgerag is not installed beside this Python: `make test` installs it")
    command = [str(SCRIPTS / "small_device.py"), str(program), "--memory-mib", "512", "--json"]
    done = subprocess.run(
        [sys.executable, *command, "--profile", str(PROFILES[0]), "--documents", str(checkout / "examples")],
        capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert (done.returncode, report["kills"]) == (0, 0), done.stdout + done.stderr
    said = {step["name"]: step["said"] for step in report["steps"]}
    assert said["add"].startswith("6 added")
    assert "contract.docx" in said["search"]
    assert said["ask, extractive"].startswith("One mule carries up to 85 kilograms")
