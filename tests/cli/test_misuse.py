"""What cannot be done, and libraries that are damaged: told in words, with the right exit code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.program import Program

pytestmark = pytest.mark.models


def test_damaged_rows_are_left_out_and_named(filled: Program) -> None:
    import sqlite3

    connection = sqlite3.connect(filled.library / "library.db")
    connection.execute("UPDATE chunks SET text = replace(text, 'Mira', 'Nora')")
    connection.commit()
    connection.close()

    shape = filled("search", "Solberg spare key", "--json").json

    assert all("Nora" not in hit["text"] for hit in shape["hits"])
    assert any(entry.startswith("storage:") for entry in shape["degraded"])
    assert filled("verify").code == 1


@pytest.mark.parametrize("table", ["token_codes", "chunks", "conversations"])
def test_verify_lists_what_cannot_be_read(filled: Program, table: str) -> None:
    import sqlite3

    connection = sqlite3.connect(filled.library / "library.db")
    ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    connection.close()
    with (filled.library / "library.db").open("rb+") as stream:
        stream.seek((page - 1) * 8192)
        stream.write(b"\xee" * 8192)

    outcome = filled("verify", "--json")

    assert outcome.code == 1
    assert outcome.json["checked"]["documents"] == 2
    assert outcome.json["damaged"]


def test_verify_of_a_file_that_is_no_database_does_not_advise_verify(filled: Program) -> None:
    (filled.library / "library.db").write_bytes(b"this is no database" * 500)
    outcome = filled("verify")
    assert outcome.code == 2
    assert "Restore a backup" in outcome.err and "`edgerag verify`" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "/does/not/exist"], "does not exist"),
        (["remove", "/does/not/exist"], "is no source"),
        (["add", ""], "The path is empty"),
        (["add", ".", ""], "The path is empty"),
        (["remove", ""], "The path is empty"),
        (["get", "nothing.txt"], "has no document"),
        (["search", "   "], "must not be blank"),
        (["ask", ""], "must not be blank"),
        (["ask", "What?", "--model", "no-such-model"], "no-such-model"),
        (["search", "x", "--require", "bogus"], "unknown stage"),
        (["search", "x", "--in", "no-such-folder"], "has no document in no-such-folder"),
        (["ask", "x?", "--in", "*.pdf"], "has no document in *.pdf"),
        (["ask", "x?", "--in", " "], "must not be blank"),
        (["backup", "/does/not/exist/file.db"], "does not exist"),
        (["serch", "x"], "Did you mean 'search'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_misuse_is_exit_2_with_a_clear_message(
    filled: Program, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(filled.documents)
    outcome = filled(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_error_is_an_object_under_json(edgerag: Program) -> None:
    outcome = edgerag("status", "--json")
    assert outcome.code == 2
    assert outcome.json["error"]["kind"] == "LibraryError"
    assert "edgerag add" in outcome.json["error"]["hint"]


def test_unknown_setting_names_the_nearest(edgerag: Program) -> None:
    config = Path(os.environ["EDGERAG_CONFIG"])
    config.mkdir(parents=True)
    (config / "config.toml").write_text("vector_wieght = 0.4\n")
    outcome = edgerag("add", edgerag.documents)
    assert outcome.code == 2
    assert "Did you mean `vector_weight`?" in outcome.err
