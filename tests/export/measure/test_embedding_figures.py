"""Figures, gate and command line: what is measured, what is let through, what is printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgerag.errors import ModelError, SettingsError
from edgerag_export.cli import export
from edgerag_export.gate import check, failures
from edgerag_export.measure.embedding import Figures, ndcg, read_beir
from edgerag_export.recipe import Tolerance

GOOD = Figures("t", 10, 100, 0.999, 0.995, 0.97, 1.0, 1.0, 23.6, 0.640, 0.639)


def test_ndcg_by_hand() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], np.float32)

    # First query: the only relevant document is second, 1 / log2(3). Second: the ideal order.
    assert ndcg(scores, [{1: 1}, {2: 2, 1: 1}]) == pytest.approx((0.63093 + 1) / 2, abs=1e-5)


def test_good_figures_pass() -> None:
    assert failures(GOOD, Tolerance()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cosine_mean": 0.99}, "cosine_mean is 0.9900, must be >= 0.998 (0.0080 below)"),
        ({"cosine_min": 0.9}, "cosine_min is 0.9000, must be >= 0.99 (0.0900 below)"),
        ({"top10_overlap": 0.89}, "top10_overlap is 0.8900, must be >= 0.95 (0.0600 below)"),
        ({"batch_invariance": 0.983}, "batch_invariance is 0.9830, must be >= 0.9999 (0.0169 below)"),
        ({"size_mb": 58.0}, "size_mb is 58.0000, must be <= 36 (22.0000 above)"),
        ({"ndcg": 0.608}, "ndcg_loss is 0.0500, must be <= 0.005 (0.0450 above)"),
        ({"cosine_mean": float("nan")}, "cosine_mean is nan"),
    ],
    ids=["mean", "min", "overlap", "invariance", "size", "ndcg", "nan"],
)
def test_gate_names_the_figure_and_by_how_much(change: dict[str, float], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        check(replace(GOOD, **change), Tolerance(), name="m")

    assert message in str(caught.value)
    assert len(failures(replace(GOOD, **change), Tolerance())) == 1


def _beir(folder: Path) -> Path:
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": str(number), "title": f"T{number}", "text": f"text {number}"} for number in range(5)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "queries.test.jsonl").write_text('{"_id": "q", "text": "what"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t3\t1\n", encoding="utf-8")
    return folder


def test_judged_documents_stay_when_the_rest_is_cut(tmp_path: Path) -> None:
    trial = read_beir(_beir(tmp_path / "beir"), max_documents=3)

    assert trial.documents == ("T0 text 0", "T1 text 1", "T3 text 3")
    assert trial.queries == ("what",)
    assert trial.judgements == ({2: 1},)


def test_folder_that_is_not_beir_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is no BEIR folder"):
        read_beir(tmp_path)


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
