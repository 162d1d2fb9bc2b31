"""What was not foreseen, and output that cannot be written: told in words, with an exit code that scripts can trust."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from edgerag.answers import PassagesFound
from edgerag.cli import documents, streams
from edgerag.cli.context import CliContext
from edgerag.cli.streams import ReaderGoneError
from edgerag.engine import Engine
from edgerag.errors import SettingsError
from edgerag.inference.embedder import OnnxEmbedder
from tests.cli.program import HUT, Program

pytestmark = pytest.mark.models
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="what a POSIX shell does with `>&-` and /dev/full")

RAIN = "观测员每天8时和20时读取雨量计。"


@pytest.fixture
def edgerag(tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled_embedder: OnnxEmbedder) -> Program:
    program = Program(tmp_path, capsys)
    program.write("hut.md", HUT)
    program.write("rain.md", RAIN)
    assert program("add", program.documents).code == 0
    return program


def start(
    program: Program, *arguments: str, redirected: str = "", **variables: str
) -> subprocess.CompletedProcess[Any]:
    """Run a process of its own, with its output redirected as a shell would."""
    command = [sys.executable, "-m", "edgerag", "--library", str(program.library), *arguments]
    if redirected:
        command = ["sh", "-c", f'"$@" {redirected}', "sh", *command]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(command, capture_output=True, env=environment | variables, check=False)


def fail(error: BaseException) -> Any:
    def failing(*arguments: object, **options: object) -> None:
        raise error

    return failing


def test_an_unforeseen_error_is_exit_2_with_a_message_and_an_object(
    edgerag: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents.Engine, "open", fail(ValueError("the sky \x1b fell")))

    plain, shaped, talkative = edgerag("status"), edgerag("status", "--json"), edgerag("status", "-v")

    assert (plain.code, shaped.code, talkative.code) == (2, 2, 2)
    assert plain.out == ""
    assert plain.err.startswith(
        "edgerag: ValueError: the sky \ufffd fell\n  This is a mistake in edgerag. Please report"
    )
    assert shaped.json["error"]["kind"] == "InternalError"
    assert shaped.json["error"]["message"] == "ValueError: the sky \x1b fell"
    assert "report it" in shaped.json["error"]["hint"]
    assert "Traceback" not in plain.err + shaped.err
    assert "Traceback" in talkative.err
    assert "\x1b" not in talkative.err


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PermissionError(13, "Permission denied", "notes.md"), "OSError", "notes.md: Permission denied."),
        (MemoryError(), "MemoryError", "There is not enough memory."),
    ],
    ids=["system", "memory"],
)
def test_what_the_system_refuses_is_told_in_its_words(
    edgerag: Program, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: str, message: str
) -> None:
    monkeypatch.setattr(documents.Engine, "open", fail(error))
    outcome = edgerag("status", "--json")
    assert outcome.code == 2
    assert (outcome.json["error"]["kind"], outcome.json["error"]["message"]) == (kind, message)
    assert "report it" not in outcome.err


@on_posix
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("command", ["--version", "status --json", "get hut.md", "--help"])
def test_a_full_disk_under_the_output_is_told(edgerag: Program, command: str, unbuffered: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = start(edgerag, *command.split(), redirected=">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 2
    assert done.stderr.decode() == "edgerag: The output could not be written: No space left on device.\n"


@on_posix
def test_notes_that_cannot_be_written_cost_no_result(edgerag: Program) -> None:
    for redirected in ("2>&-", "2>/dev/full"):
        done = start(edgerag, "search", "spare key", "--json", "-vv", redirected=redirected)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 1), redirected


@on_posix
@pytest.mark.parametrize("command", ["--version", "status", "ask --extractive spare key"])
def test_closed_streams_change_nothing_but_that_nothing_is_shown(edgerag: Program, command: str) -> None:
    arguments = command.split(maxsplit=2)
    done = start(edgerag, *arguments, redirected="<&- >&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert start(edgerag, *arguments, redirected="<&- >&- 2>&-").returncode == 0


@on_posix
@pytest.mark.parametrize("command", ["status", "get hut.md", "ask --json --extractive key", "--help"])
def test_a_reader_that_has_enough_is_no_error(edgerag: Program, command: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edgerag", "--library", str(edgerag.library), *command.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_an_answer_is_left_before_its_engine_closes_when_its_reader_has_enough(
    edgerag: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    close = Engine.close

    def events(*arguments: object, **options: object) -> Iterator[PassagesFound]:
        try:
            yield PassagesFound(())
        finally:
            order.append("answer")

    def closing(engine: Engine) -> None:
        order.append("engine")
        close(engine)

    monkeypatch.setattr(Engine, "stream_ask", events)
    monkeypatch.setattr(Engine, "close", closing)
    monkeypatch.setattr(CliContext, "print_json", fail(ReaderGoneError()))

    assert edgerag("ask", "key", "--json", "--stream").code == 0
    assert order == ["answer", "engine"]


@on_posix
def test_an_error_stays_one_when_nobody_reads_its_object(edgerag: Program) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edgerag", "--library", str(edgerag.library), "get", "nothing", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.decode().startswith("edgerag: The library has no document nothing.")
    assert b"Traceback" not in err


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8"])
def test_json_is_json_in_every_encoding(edgerag: Program, encoding: str) -> None:
    done = start(edgerag, "ask", "--json", "--extractive", "几点读取雨量计?", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["question"] == "几点读取雨量计?"
    assert ("几点" in done.stdout.decode("utf-8", "replace")) == (encoding == "utf-8")


def test_what_an_encoding_lacks_is_escaped(edgerag: Program) -> None:
    done = start(edgerag, "ask", "--extractive", "几点读取雨量计?", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"\\u8bfb\\u53d6" in done.stdout


def test_pipes_on_windows_are_utf_8_unless_another_encoding_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    monkeypatch.setattr(streams.sys, "platform", "win32")
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    assert streams._encoding(pipe) == "utf-8"
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    assert streams._encoding(pipe) == "cp1252"


@on_posix
def test_half_a_character_is_escaped(edgerag: Program) -> None:
    command = [sys.executable, "-m", "edgerag", "--library", str(edgerag.library), "get", "--json", b"n\xff.md"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 2
    assert "n\\udcff.md" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize("option", ["--temperature", "--top-p"])
def test_numbers_without_a_value_are_misuse(edgerag: Program, option: str, text: str) -> None:
    outcome = edgerag("ask", f"{option}={text}", "key", "--extractive")
    assert (outcome.code, outcome.out) == (2, "")
    assert f"Invalid value for '{option}'" in outcome.err


@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 20, "9" * 5000], ids=["first", "20 digits", "5000"])
@pytest.mark.parametrize(
    "command",
    [
        "ask --extractive key --conversation",
        "conversations show",
        "conversations export",
        "conversations delete",
        "conversations list -k",
        "get",
    ],
)
def test_ids_that_no_row_can_have_are_refused_in_words(edgerag: Program, command: str, number: str) -> None:
    outcome = edgerag(*command.split(), number)
    assert (outcome.code, outcome.out) == (2, "")
    assert "mistake in edgerag" not in outcome.err
    assert number[:20] in outcome.err


def test_the_largest_id_is_still_asked_for(edgerag: Program) -> None:
    assert (
        "The library has no conversation 9223372036854775807." in edgerag("conversations", "show", str(2**63 - 1)).err
    )
    assert "The library has no document 9223372036854775807." in edgerag("get", str(2**63 - 1)).err


def test_why_not_knows_no_document_with_an_id_that_is_too_large(edgerag: Program) -> None:
    outcome = edgerag("why-not", "key", "9" * 20, "--json")
    assert (outcome.code, outcome.json["fell_out_at"]) == (1, "library")


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        (["ask", "--json", ""], "Invalid value for QUESTION: must not be blank.", "`edgerag ask --help`"),
        (["ask", "--json"], "Missing argument 'QUESTION'.", "`edgerag ask --help`"),
        (["--json", "ask", "--bogus"], "No such option", "`edgerag ask --help`"),
        (["status", "--bogus", "--json"], "No such option", "`edgerag status --help`"),
        (["ask", "q", "--require", "bogus", "--json"], "unknown stage 'bogus'", "`edgerag ask --help`"),
        (["--json", "get"], "Missing argument 'DOCUMENT'.", "`edgerag get --help`"),
        (["serach", "--json"], "Did you mean 'search'?", "`edgerag --help`"),
        (["--json"], "A command is missing.", "`edgerag --help`"),
        (["conversations", "--json"], "", "`edgerag conversations --help`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misuse_is_an_object_under_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str], message: str, hint: str
) -> None:
    outcome = Program(tmp_path, capsys)(*command)

    error = outcome.json["error"]
    assert (outcome.code, error["kind"], set(error)) == (2, "UsageError", {"kind", "message", "hint"})
    assert message in error["message"]
    assert "\n" not in error["message"]
    assert error["hint"].startswith(hint)
    assert "Usage: edgerag" in outcome.err


def test_an_error_in_clicks_form_is_the_same_object(edgerag: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    error = click.ClickException("No recipe.\nWrite one.")
    error.__cause__ = SettingsError("No recipe.", hint="Write one.")
    monkeypatch.setattr(documents.Engine, "open", fail(error))
    outcome = edgerag("status", "--json")
    assert (outcome.code, outcome.err) == (2, "Error: No recipe.\nWrite one.\n")
    assert outcome.json["error"] == {"kind": "SettingsError", "message": "No recipe.", "hint": "Write one."}


def test_a_search_for_the_words_json_gets_no_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Program(tmp_path, capsys)("search", "--", "--json")
    assert (outcome.code, outcome.out) == (2, "")
    assert "There is no library" in outcome.err


def test_an_interruption_before_there_is_a_result_is_an_object_under_json(
    edgerag: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents.Engine, "open", fail(KeyboardInterrupt()))
    plain, shaped = edgerag("status"), edgerag("status", "--json")
    assert (plain.code, plain.out, shaped.code) == (130, "", 130)
    assert shaped.json["error"] == {"kind": "Interrupted", "message": "Interrupted.", "hint": ""}
