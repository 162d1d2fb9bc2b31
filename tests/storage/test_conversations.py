"""Conversations: saved whole, found again, deleted for good, and independent of documents and of a running ingest."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.errors import LibraryError
from edgerag.storage import lexical
from edgerag.storage.conversations import Conversations
from edgerag.storage.library import Library
from edgerag.storage.maintenance import backup, compact
from edgerag.storage.sqlite import is_wal_safe
from edgerag.storage.turns import DAMAGED
from edgerag.storage.verify import Damage, verify
from tests.storage.answers import HUT, answer

NEVER = threading.Event()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "lib") as opened:
        yield opened


@pytest.fixture
def conversations(library: Library) -> Conversations:
    return Conversations(library)


def titles(conversations: Conversations) -> list[str]:
    return [conversation.title for conversation in conversations.all()]


def damages(library: Library) -> list[tuple[str, str]]:
    return [(event.table, event.row) for event in verify(library, NEVER) if isinstance(event, Damage)]


def test_saved_turn_is_read_back_exactly(conversations: Conversations) -> None:
    saved = answer("how old is it?", rewritten="How old is the stove?", degraded=("rerank: broke",))

    conversation_id = conversations.save(saved)

    (turn,) = conversations.turns(conversation_id)
    assert (turn.ordinal, turn.question, turn.rewritten) == (1, "how old is it?", "How old is the stove?")
    assert turn.sentences == saved.sentences
    assert turn.citations == saved.citations
    assert turn.text == "The Kvitnes foundry built the stove. [1] It cost 40 crowns. [unsupported]"
    assert (turn.model, turn.abstained, turn.degraded, turn.seconds) == (
        "fake-generator", False, ("rerank: broke",), 1.5,
    )  # fmt: skip
    assert turn.exchange.question == "How old is the stove?"
    assert turn.exchange.answer == "The Kvitnes foundry built the stove."


def test_conversation_is_called_by_its_first_question_until_renamed(conversations: Conversations) -> None:
    first = conversations.save(answer("Who   built\nthe stove?"))
    conversations.save(answer("and when?"), first)
    second = conversations.save(answer("x" * 200))

    assert titles(conversations) == ["x" * 79 + "…", "Who built the stove?"]
    assert conversations.get(first).num_turns == 2
    conversations.rename(first, "  The  stove ")
    assert conversations.get(first).title == "The stove"
    with pytest.raises(ValueError, match="blank"):
        conversations.rename(second, " ")


def test_last_conversation_is_the_one_continued_last(conversations: Conversations) -> None:
    assert conversations.last() is None
    first = conversations.save(answer("First?"))
    second = conversations.save(answer("Second?"))
    assert [conversation.id for conversation in conversations.all()] == [second, first]
    conversations.save(answer("Again?"), first)
    last = conversations.last()
    assert last is not None
    assert last.id == first


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("foundry", ["Who built the stove?"]),
        ("stoves built", ["Who built the stove?"]),
        ("found", ["Who built the stove?"]),
        ("灯塔", ["灯塔是由谁设计的？"]),
        ("李明", ["灯塔是由谁设计的？"]),
        ("灯", ["灯塔是由谁设计的？"]),
        ("40 crowns foundry", ["Who built the stove?"]),
        ("nothing-of-the-kind", []),
        ('"', []),
        ("", []),
    ],
)
def test_search_finds_words_of_questions_and_answers(
    conversations: Conversations, query: str, expected: list[str]
) -> None:
    conversations.save(answer())
    chinese = conversations.save(answer("灯塔是由谁设计的？", "灯塔由工程师李明设计。"))
    conversations.save(answer("它有多高？", "灯塔高40米。"), chinese)
    assert [hit.conversation.title for hit in conversations.search(query)] == expected


def test_search_names_the_turn_and_shows_the_place(conversations: Conversations) -> None:
    conversation_id = conversations.save(answer("First?", "Nothing to see."))
    conversations.save(answer("Second?", "word " * 100 + "pumpkin " + "word " * 100), conversation_id)

    (hit,) = conversations.search("pumpkin")

    assert hit.turn is not None
    assert hit.turn.ordinal == 2
    assert "pumpkin" in hit.snippet
    assert hit.snippet.startswith("…") and hit.snippet.endswith("…")


def test_search_finds_titles_first(conversations: Conversations) -> None:
    conversations.save(answer("About pumpkins?"))
    renamed = conversations.save(answer("Something?"))
    conversations.rename(renamed, "All pumpkins")
    found = conversations.search("pumpkins")
    assert [hit.conversation.title for hit in found] == ["All pumpkins", "About pumpkins?"]
    assert found[0].turn is None


def test_deleted_conversation_is_gone_from_every_file_after_compact(library: Library) -> None:
    conversations = Conversations(library)
    kept = conversations.save(answer("What else?", "Something else."))
    deleted = conversations.save(answer("zzyzxquestion?", "zzyzxanswer.", quote="zzyzxquote"))

    conversations.delete(deleted)

    assert [conversation.id for conversation in conversations.all()] == [kept]
    assert conversations.search("zzyzxanswer") == []
    assert library.rows("SELECT count(*) FROM turn_citations")[0][0] == 1
    compact(library)
    library.close()
    for file in library.folder.rglob("*"):
        if file.is_file():
            assert b"zzyzx" not in file.read_bytes(), file


def test_unknown_conversations_are_named(conversations: Conversations) -> None:
    for call in (
        lambda: conversations.get(9),
        lambda: conversations.turns(9),
        lambda: conversations.delete(9),
        lambda: conversations.rename(9, "x"),
        lambda: conversations.save(answer(), 9),
    ):
        with pytest.raises(LibraryError, match="onversation 9"):
            call()
    assert conversations.all() == []


def test_bytes_of_a_command_line_that_are_no_text_are_replaced(conversations: Conversations) -> None:
    conversation_id = conversations.save(answer("caf\udce9?", rewritten="caf\udce9 stove?"))
    (turn,) = conversations.turns(conversation_id)
    assert (turn.question, turn.rewritten) == ("caf??", "caf? stove?")
    conversations.rename(conversation_id, "\udce9 title")
    assert titles(conversations) == ["? title"]
    assert [hit.conversation.id for hit in conversations.search("caf\udce9")] == [conversation_id]


def test_ids_are_never_used_again(conversations: Conversations) -> None:
    first = conversations.save(answer())
    conversations.delete(first)
    assert conversations.save(answer()) > first


def test_turn_is_saved_while_another_thread_writes_the_library(library: Library) -> None:
    if not is_wal_safe():
        pytest.skip("this SQLite uses the rollback journal")
    conversations = Conversations(library)
    saved: list[int] = []
    with library.writing() as writer:
        writer.add_source(Path("/docs"))
        thread = threading.Thread(target=lambda: saved.append(conversations.save(answer())))
        thread.start()
        thread.join(10)
        assert saved == [1]


def test_conversation_outlives_its_documents(library: Library) -> None:
    conversations = Conversations(library)
    conversation_id = conversations.save(answer())
    assert library.counts()["documents"] == 0
    (turn,) = conversations.turns(conversation_id)
    assert turn.citations[0].document == HUT
    assert turn.citations[0].quote == "The stove was built in 1987 by the Kvitnes foundry."
    assert damages(library) == []


def test_interrupted_save_leaves_nothing_behind(library: Library) -> None:
    conversations = Conversations(library)
    conversations.save(answer())
    connection = library.connection()
    connection.execute("CREATE TRIGGER broken BEFORE INSERT ON turn_citations BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(LibraryError):
        conversations.save(answer("Second?"))
    connection.execute("DROP TRIGGER broken")
    assert titles(conversations) == ["Who built the stove?"]
    assert damages(library) == []


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("UPDATE turns SET answer = 'forged'", "turns"),
        ("UPDATE turns SET sentences = '[]'", "turns"),
        ("UPDATE turns SET question = 'forged'", "turns"),
        ("UPDATE turn_citations SET quote = 'forged'", "turn_citations"),
        ("UPDATE turn_citations SET start_chars = 1", "turn_citations"),
    ],
)
def test_damage_is_found_and_not_shown(library: Library, sql: str, table: str) -> None:
    conversations = Conversations(library)
    conversation_id = conversations.save(answer())
    library.connection().execute(sql)
    assert [name for name, _ in damages(library)] == [table]
    (turn,) = conversations.turns(conversation_id)
    assert turn.citations == ()
    assert turn.degraded == (DAMAGED,)
    assert "forged" not in turn.text


def test_lost_index_row_is_found_and_rebuilt(library: Library) -> None:
    conversations = Conversations(library)
    conversations.save(answer())
    library.connection().execute("INSERT INTO turn_fts (turn_fts) VALUES ('delete-all')")
    assert damages(library) == [("turn_fts", "")]
    with library.writing() as writer, writer.transaction():
        lexical.rebuild(library.connection())
    assert damages(library) == []
    assert len(conversations.search("foundry")) == 1


def test_backup_holds_the_conversations(library: Library, tmp_path: Path) -> None:
    conversations = Conversations(library)
    conversation_id = conversations.save(answer())
    (tmp_path / "copy").mkdir()
    backup(library, tmp_path / "copy" / "library.db")
    with Library.open(tmp_path / "copy") as copy:
        assert Conversations(copy).turns(conversation_id) == conversations.turns(conversation_id)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
def test_killed_process_leaves_whole_turns_only(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from edgerag.storage.library import Library; from edgerag.storage.conversations import Conversations\n"
        "from tests.storage.answers import answer\n"
        "conversations = Conversations(Library.open(Path(sys.argv[1])))\n"
        "conversation_id = conversations.save(answer('Question 0?'))\n"
        "print('ready', flush=True)\n"
        "for number in range(1, 100000): conversations.save(answer(f'Question {number}?'), conversation_id)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, str(tmp_path / "lib")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    with Library.open(tmp_path / "lib") as watched:
        while len(Conversations(watched).turns(1)) < 3:
            pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    with Library.open(tmp_path / "lib", create=False) as library:
        turns = Conversations(library).turns(1)
        assert [turn.question for turn in turns] == [f"Question {number}?" for number in range(len(turns))]
        assert all(len(turn.citations) == 1 for turn in turns)
        assert damages(library) == []
