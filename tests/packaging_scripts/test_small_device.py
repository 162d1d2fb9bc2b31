"""Use under a memory limit: the limit is real, and what was killed is counted."""

from __future__ import annotations

import contextlib
import errno
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


def test_what_a_command_leaves_running_does_not_keep_the_group(group: Any) -> None:
    quiet = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    sleeper = f"import subprocess; print(subprocess.Popen(['sleep', '60'], {quiet}).pid)"
    command = [sys.executable, "-S", "-c", sleeper]
    done = subprocess.run(command, preexec_fn=group.enter, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (group.folder / "cgroup.procs").read_text().split()
    group.close()
    assert not group.folder.exists()
    group.folder.mkdir()  # for the fixture, which closes it once more


def test_without_control_groups_the_error_says_so(tmp_path: Path) -> None:
    module = load("memory_limit")
    with (
        pytest.raises(module.NoControlGroupError, match="holds no control groups"),
        module.memory_limit(MIB, root=tmp_path),
    ):
        pass


class NoLimit:
    """In place of a control group: nothing is limited, and removing it goes wrong."""

    peak_bytes = 5 * MIB

    def __init__(self, error: OSError | None = None) -> None:
        self.error, self.was_killed = error, False

    def watched(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def enter(self) -> None: ...

    def num_kills(self) -> int:
        return 0

    def kill(self) -> None:
        self.was_killed = True

    @contextlib.contextmanager
    def made(self, limit_bytes: int) -> Iterator[NoLimit]:
        yield self
        if self.error is not None:
            raise self.error


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """An edgerag without a generator: it answers in the words of documents, unless it may not."""
    script = tmp_path / "edgerag"
    script.write_text('#!/bin/sh\ncase "$*" in *"--require generate"*) echo "no generator" >&2; exit 4;; esac\n')
    script.chmod(0o755)
    return script


def test_without_a_generator_there_is_no_figure_of_a_generators(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("small_device")
    monkeypatch.setattr(module, "memory_limit", NoLimit().made)
    monkeypatch.setattr(sys, "argv", ["small_device.py", str(program), "--json", "--models", str(program.parent)])
    assert module.main() == 1
    steps = {step["name"]: step for step in json.loads(capsys.readouterr().out)["steps"]}
    assert (steps["ask, generated"]["exit_code"], steps["ask, generated"]["said"]) == (4, "no generator")
    assert steps["ask, extractive"]["exit_code"] == 0


def test_the_results_are_printed_even_if_the_group_cannot_be_removed(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("small_device")
    monkeypatch.setattr(module, "memory_limit", NoLimit(OSError(errno.EBUSY, "Device or resource busy")).made)
    monkeypatch.setattr(sys, "argv", ["small_device.py", str(program)])
    assert module.main() == 2
    said = capsys.readouterr()
    assert "killed for want of memory: 0" in said.out
    assert "Device or resource busy" in said.err


def test_a_step_that_takes_too_long_is_ended_and_does_not_end_the_others(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load("small_device")
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.2)
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    group = NoLimit()
    step = module.run_step("add", [str(program)], group, {}, group.enter)
    assert (step.exit_code, step.said) == (-9, "not done after 0.2 s")
    assert group.was_killed


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
