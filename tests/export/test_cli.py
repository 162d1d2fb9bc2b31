"""The command line: what is printed, and that help needs nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgerag.cli.root import run
from edgerag_export.cli import export


def test_dry_run_says_what_it_would_do_and_does_nothing(write_recipe: Callable[..., Path], tmp_path: Path) -> None:
    output = tmp_path / "out"

    result = CliRunner().invoke(export, ["build", str(write_recipe()), "--output", str(output), "--dry-run"])

    assert result.exit_code == 0
    assert "tiny-weights 1.0 (to be downloaded)" in result.output
    assert "fetch, export, fuse, calibrate, quantise, measure, gate, write" in result.output
    assert not output.exists()


def test_wrong_recipe_ends_with_status_2_and_a_hint(write_recipe: Callable[..., Path]) -> None:
    result = CliRunner().invoke(export, ["build", str(write_recipe(extra="dimm = 4"))])

    assert result.exit_code == 2
    assert "unknown key `dimm`" in result.output
    assert "Did you mean `dim`?" in result.output


def test_help_needs_no_torch_and_no_numpy() -> None:
    code = (
        "import sys; from edgerag_export.cli import export;"
        "print([name for name in ('torch', 'numpy', 'onnxruntime', 'transformers') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'export'}"},
    )  # fmt: skip

    assert done.stdout.strip() == "[]"


def test_global_options_are_heeded_before_and_after_the_command(
    write_recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(write_recipe())
    for arguments in (
        ["--json", "export", "build", recipe, "--dry-run"],
        ["export", "report", recipe, "--dry-run", "--json"],
    ):
        assert run(arguments) == 0

        planned = json.loads(capsys.readouterr().out)
        assert (planned["schema_version"], planned["recipe"], planned["calibration_texts"]) == (1, "tiny", 48)


def test_source_of_a_report_is_not_taken_for_its_recipe(write_recipe: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()

    result = CliRunner().invoke(
        export, ["report", str(write_recipe()), "--source", str(tmp_path / "weights"), "--dry-run"]
    )

    assert result.exit_code == 0
    assert f"source             {tmp_path / 'weights'}" in result.output


def test_quiet_build_says_nothing_but_its_result(
    weights: Path, write_recipe: Callable[..., Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-q", "export", "build", str(write_recipe()), "--source", str(weights)]

    assert run([*arguments, "--output", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 0

    shown = capfd.readouterr()
    assert "fetch" not in shown.err
    assert "cosine mean" in shown.out
