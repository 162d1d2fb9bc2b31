"""Conversations on the command line: continued, listed, searched, exported, deleted, and left out on demand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from edgerag.inference.embedder import OnnxEmbedder
from tests.cli.program import HUT, Program

pytestmark = pytest.mark.models


@pytest.fixture
def edgerag(tmp_path: Path, capsys: pytest.CaptureFixture[str], bundled_embedder: OnnxEmbedder) -> Program:
    program = Program(tmp_path, capsys)
    program.write("hut.md", HUT)
    program.write("boats.txt", "Two rowing boats lie at the pier. The larger boat takes six people.")
    assert program("add", program.documents).code == 0
    return program


def test_follow_up_is_understood_and_shown(edgerag: Program) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    outcome = edgerag("ask", "-c", "when was it built?", "--extractive")
    assert "understood as: When was the stove built?" in outcome.err
    assert "1987" in outcome.out

    shape = edgerag("ask", "-c", "and which wood may be burnt in it?", "--extractive", "--json").json
    assert shape["question"] == "and which wood may be burnt in it?"
    assert shape["rewritten"] == "Which wood may be burnt in the stove?"
    assert shape["conversation"] == 1
    assert edgerag("conversations", "list", "--json").json["conversations"][0]["turns"] == 3


def test_plain_ask_begins_a_new_conversation(edgerag: Program) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    shape = edgerag("ask", "How old is it?", "--extractive", "--json").json
    assert (shape["rewritten"], shape["conversation"]) == (None, 2)


def test_a_named_conversation_is_continued(edgerag: Program) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    edgerag("ask", "How many people does the larger boat take?", "--extractive")
    shape = edgerag("ask", "--conversation", "1", "when was it built?", "--extractive", "--json").json
    assert shape["rewritten"] == "When was the stove built?"
    assert edgerag("ask", "--conversation", "9", "and when?").code == 2
    assert edgerag("ask", "-c", "--conversation", "1", "and when?").code == 2


def test_nothing_to_continue_begins_a_conversation(edgerag: Program) -> None:
    outcome = edgerag("ask", "-c", "Who built the stove?", "--extractive")
    assert outcome.code == 0
    assert "no conversation to continue" in outcome.err


def test_what_is_not_to_be_saved_is_not(edgerag: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = edgerag("ask", "Who built the stove?", "--extractive", "--no-save", "--json").json
    assert shape["conversation"] is None
    monkeypatch.setenv("EDGERAG_SAVE_CONVERSATIONS", "false")
    edgerag("ask", "Who built the stove?", "--extractive")
    assert edgerag("conversations", "list").code == 1
    monkeypatch.delenv("EDGERAG_SAVE_CONVERSATIONS")
    edgerag("ask", "Who built the stove?", "--extractive")
    shape = edgerag("ask", "-c", "how old is it?", "--extractive", "--no-save", "--json").json
    assert shape["rewritten"] == "How old is the stove?"
    assert edgerag("conversations", "show", "--json").json["turns"] == 1


def test_rewriting_can_be_switched_off(edgerag: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    monkeypatch.setenv("EDGERAG_REWRITE_QUESTIONS", "no")
    assert edgerag("ask", "-c", "how old is it?", "--extractive", "--json").json["rewritten"] is None


def test_stream_tells_the_rewriting_first(edgerag: Program) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    lines = edgerag("ask", "-c", "how old is it?", "--extractive", "--json", "--stream").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert events[0] == {
        "schema_version": 1,
        "event": "rewritten",
        "question": "how old is it?",
        "rewritten": "How old is the stove?",
        "reason": '"it" stands for "the stove"',
    }
    assert events[-1]["conversation"] == 1


def test_show_search_rename_export_delete(edgerag: Program, tmp_path: Path) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    edgerag("ask", "小屋几点锁门？", "--extractive")

    shown = edgerag("conversations", "show", "1").out
    assert "1. Who built the stove?" in shown
    assert "Kvitnes foundry" in shown
    turn = edgerag("conversations", "show", "1", "--json").json["turn_list"][0]
    text = edgerag("get", turn["citations"][0]["document"]["path"], "--json").json["text"]
    citation = turn["citations"][0]
    assert text[citation["start"] : citation["end"]] == citation["quote"]

    assert [
        hit["conversation"]["id"] for hit in edgerag("conversations", "search", "foundry", "--json").json["hits"]
    ] == [1]
    assert "小屋几点锁门" in edgerag("conversations", "search", "锁门").out
    assert edgerag("conversations", "search", "pumpkin").code == 1

    assert "炉子 stove" in edgerag("conversations", "rename", "1", "炉子 stove").out
    target = tmp_path / "stove.md"
    assert edgerag("conversations", "export", "1", "-o", target).code == 0
    markdown = target.read_text(encoding="utf-8")
    assert markdown.startswith("# 炉子 stove\n")
    assert "hut.md · Hut rules" in markdown
    assert edgerag("conversations", "export", "1").out == markdown
    assert edgerag("conversations", "export", "1", "-o", target).code == 2

    assert edgerag("conversations", "delete", "1", "--json").json["deleted"] == [1]
    assert edgerag("conversations", "show", "1").code == 2
    assert edgerag("conversations", "delete").code == 2
    assert edgerag("conversations", "delete", "--all", "--yes").code == 0
    assert edgerag("conversations", "list").code == 1
    assert edgerag("verify").code == 0


def test_conversation_stays_readable_without_its_documents(edgerag: Program) -> None:
    edgerag("ask", "Who built the stove?", "--extractive")
    edgerag("remove", edgerag.documents)
    assert "Kvitnes foundry" in edgerag("conversations", "show").out
    assert edgerag("verify").code == 0


def test_shell_completes_ids_with_titles(edgerag: Program) -> None:
    import click

    from edgerag.cli.conversations import complete_conversations, show

    edgerag("ask", "Who built the stove?", "--extractive")
    ctx = click.Context(show)
    ctx.params["library"] = edgerag.library
    (item,) = complete_conversations(ctx, show.params[0], "")
    assert (item.value, item.help) == ("1", "Who built the stove?")
    assert complete_conversations(ctx, show.params[0], "2") == []


def test_escape_sequences_in_questions_never_reach_the_terminal(edgerag: Program) -> None:
    edgerag("ask", "Who built \x1b[31mthe stove?", "--extractive")
    for arguments in (["list"], ["show"], ["search", "stove"], ["export"]):
        outcome = edgerag("conversations", *arguments)
        assert outcome.code == 0
        assert "\x1b" not in outcome.out + outcome.err


def test_answer_that_cannot_be_saved_is_shown_and_says_so(edgerag: Program) -> None:
    from edgerag.storage.sqlite import connect

    connection = connect(edgerag.library / "library.db")
    connection.execute("CREATE TRIGGER broken BEFORE INSERT ON turns BEGIN SELECT raise(ABORT, 'no room'); END")
    connection.close()
    outcome = edgerag("ask", "Who built the stove?", "--extractive")
    assert outcome.code == 0
    assert "Kvitnes foundry" in outcome.out
    assert "degraded: conversation: not saved" in outcome.err
    assert edgerag("ask", "Who built the stove?", "--extractive", "--require", "all").code == 4


def test_why_not_names_the_stage(edgerag: Program) -> None:
    outcome = edgerag("why-not", "Who built the stove?", "boats.txt", "--extractive")
    assert outcome.code == 1
    assert "Fell out at " in outcome.out
    shape = edgerag("why-not", "Who built the stove?", "hut.md", "--extractive", "--json").json
    assert (shape["fell_out_at"], shape["stages"][-1]["stage"]) == (None, "prompt")
    assert edgerag("why-not", "Who built the stove?", "nowhere.md", "--json").json["fell_out_at"] == "library"


def test_failed_file_is_read_once_its_limit_is_raised(edgerag: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    edgerag.write("long.txt", "A text that is too long for the setting. " * 50)
    monkeypatch.setenv("EDGERAG_MAX_TEXT_CHARS", "1000")
    assert len(edgerag("add", edgerag.documents, "--json").json["failed"]) == 1
    assert len(edgerag("sync", "--json").json["failed"]) == 1
    monkeypatch.delenv("EDGERAG_MAX_TEXT_CHARS")
    shape = edgerag("sync", "--json").json
    assert (shape["added"], shape["failed"]) == (1, [])


def test_failed_files_are_tried_again_on_demand(edgerag: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    edgerag.write("odd.txt", "A text at which the parser crashes today.")
    monkeypatch.setattr("edgerag.ingest.scan.settled_ns", lambda status: status.st_ctime_ns)
    with monkeypatch.context() as crashing:
        command = [sys.executable, "-c", "raise SystemExit(7)"]
        crashing.setattr("edgerag.ingest.parse_pool._worker_command", lambda: command)
        assert len(edgerag("add", edgerag.documents, "--json").json["failed"]) == 1
    assert len(edgerag("sync", "--json").json["failed"]) == 1
    shape = edgerag("sync", "--retry", "--json").json
    assert (shape["added"], shape["failed"]) == (1, [])
