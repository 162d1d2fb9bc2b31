"""The commands as a person and as a script meet them: real library, real parsers, the bundled embedder."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgerag import __version__
from edgerag.cli.root import COMMANDS
from tests.cli.program import HUT, Program

pytestmark = pytest.mark.models


def test_add_reports_what_it_did_in_json(edgerag: Program) -> None:
    edgerag.write("hut.md", HUT)
    edgerag.write("empty.txt", "")

    outcome = edgerag("add", edgerag.documents, "--json")

    shape = outcome.json
    assert (outcome.code, shape["added"], shape["updated"], shape["moved"], shape["removed"]) == (
        0,
        1,
        0,
        0,
        0,
    )
    assert [Path(failure["path"]).name for failure in shape["failed"]] == ["empty.txt"]
    assert shape["failed"][0]["reason"]
    assert shape["chunks"] == shape["embedded_chunks"] > 0


def test_search_finds_and_its_offsets_are_those_of_get(filled: Program) -> None:
    shape = filled("search", "who has the spare key", "--json").json

    best = shape["hits"][0]
    assert Path(best["document"]["path"]).name == "hut.md"
    assert best["heading"] == "Hut rules"
    assert {"lexical", "vector", "fused", "rerank"} <= set(best["scores"])
    text = filled("get", best["document"]["path"], "--json").json["text"]
    for hit in shape["hits"]:
        if hit["document"]["id"] == best["document"]["id"]:
            assert text[hit["start"] : hit["end"]] == hit["text"]
    assert shape["degraded"] == []
    assert shape["timings_ms"]["total"] > 0


def test_search_for_a_person_names_file_heading_and_text(filled: Program) -> None:
    outcome = filled("search", "spare key", "-k", "1")
    assert "hut.md · Hut rules" in outcome.out
    assert "Mira Solberg holds the spare key" in outcome.out


@pytest.mark.parametrize("mode", ["lexical", "vector", "hybrid"])
def test_each_mode_finds_the_stove(filled: Program, mode: str) -> None:
    hits = filled("search", "stove wood", "--mode", mode, "--json").json["hits"]
    assert "birch wood" in hits[0]["text"]
    assert (hits[0]["scores"]["vector"] is None) == (mode == "lexical")
    assert (hits[0]["scores"]["lexical"] is None) == (mode == "vector")


def test_search_and_ask_may_be_kept_to_some_documents(filled: Program) -> None:
    def found(*arguments: str | Path) -> list[str]:
        return [Path(hit["document"]["path"]).name for hit in filled("search", *arguments, "--json").json["hits"]]

    assert "hut.md" in found("who has the spare key")
    assert set(found("who has the spare key", "--in", "*.txt")) == {"boats.txt"}
    assert set(found("spare key", "--in", filled.documents / "hut.md", "--in", "boats.txt")) == {"hut.md", "boats.txt"}
    explained = filled("search", "spare key", "--in", "hut.md", "--explain").out
    assert "chunks; documents searched: 1" in explained
    answer = filled("ask", "Who holds the spare key?", "--extractive", "--in", "boats.txt", "--json").json
    assert {Path(hit["document"]["path"]).name for hit in answer["hits"]} == {"boats.txt"}
    assert "Solberg" not in answer["answer"]


def test_explain_shows_scores_terms_and_times(filled: Program) -> None:
    out = filled("search", "birch wood", "--explain").out
    assert "lexical   vector    fused   rerank    final" in out
    assert "terms searched: birch, wood" in out
    assert "rerank " in out
    assert " ms" in out


def test_nothing_found_is_exit_1(filled: Program) -> None:
    outcome = filled("search", "zzyzx", "--mode", "lexical")
    assert (outcome.code, outcome.out) == (1, "")
    assert "Nothing found" in outcome.err


def test_extractive_answer_quotes_exactly(filled: Program) -> None:
    outcome = filled("ask", "Who built the stove?", "--extractive", "--json")

    shape = outcome.json
    assert outcome.code == 0
    assert (shape["abstained"], shape["model"]) == (False, None)
    assert "Kvitnes foundry" in shape["answer"]
    for citation in shape["citations"]:
        text = filled("get", str(citation["document"]["id"]), "--json").json["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]
    assert all(sentence["supported"] for sentence in shape["sentences"])


def test_unanswerable_question_abstains_with_exit_1(filled: Program) -> None:
    outcome = filled("ask", "What is the melting point of tungsten carbide?", "--extractive")
    assert outcome.code == 1
    assert "do not seem to answer" in outcome.out
    assert "nearest passages" in outcome.out


def test_deleted_and_changed_files_are_never_served(filled: Program) -> None:
    (filled.documents / "boats.txt").unlink()
    filled.write("hut.md", HUT.replace("Mira Solberg", "Somebody else"))

    outcome = filled("search", "spare key boats", "--json")

    assert outcome.json["hits"] == []
    assert [entry.split(":")[0] for entry in outcome.json["degraded"]] == ["freshness", "freshness"]
    assert filled("search", "spare key boats", "--require", "freshness").code == 4
    assert filled("sync", "--json").json["removed"] == 1
    assert "Somebody else" in filled("search", "spare key").out


def test_library_without_any_index_file_still_answers(filled: Program) -> None:
    import shutil

    shutil.rmtree(filled.library / "index", ignore_errors=True)
    assert "birch" in filled("search", "wood for the stove").out


def test_status_remove_compact_backup_rebuild_verify(filled: Program, tmp_path: Path) -> None:
    assert filled("status", "--json").json["documents"] == 2
    assert filled("verify").out.startswith("Sound: 2 documents")
    assert filled("backup", tmp_path / "copy.db").code == 0
    assert filled("rebuild").code == 0
    assert filled("remove", filled.documents, "--json").json["removed"] == 2
    assert filled("compact", "--json").json["bytes_after"] > 0
    assert filled("status", "--json").json["chunks"] == 0
    assert filled("search", "anything").code == 1


def test_global_options_stand_before_or_after_the_command(filled: Program) -> None:
    assert filled("--json", "status").json == filled("status", "--json").json


def test_every_option_of_every_command_has_help(edgerag: Program) -> None:
    from edgerag.cli.root import root

    context = __import__("click").Context(root)
    for name in COMMANDS:
        command = root.get_command(context, name)
        assert command is not None
        commands = [command, *getattr(command, "commands", {}).values()]
        for each in commands:
            assert each.help, each.name
            for parameter in each.params:
                if parameter.param_type_name == "option":
                    assert parameter.help, f"{name} {parameter.name}"


def test_escape_sequences_in_documents_never_reach_the_terminal(edgerag: Program) -> None:
    edgerag.write("evil\x1b[31m.txt", "Red \x1b[31malert\x1b]8;;http://x\x07 and \u202egnirts about pumpkins.")
    edgerag("add", edgerag.documents)
    for arguments in (
        ["search", "pumpkins"],
        ["ask", "pumpkins alert", "--extractive"],
        ["status", "--documents"],
    ):
        outcome = edgerag(*arguments)
        assert "\x1b" not in outcome.out + outcome.err
        assert "\u202e" not in outcome.out


def test_version_is_printed_without_loading_models() -> None:
    script = (
        "import sys; from edgerag.cli.root import run; run(['--version']);"
        "print([m for m in ('onnxruntime', 'numpy', 'tokenizers', 'sqlite_utils', 'hnswlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"edgerag, version {__version__}", "[]"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT as a terminal does on POSIX")
def test_ctrl_c_ends_an_ingest_with_130_and_keeps_what_was_read(edgerag: Program) -> None:
    for number in range(400):
        edgerag.write(f"{number}.txt", f"Note {number}: " + f"word{number} and more to read about it. " * 30)
    command = [
        sys.executable,
        "-m",
        "edgerag",
        "--library",
        str(edgerag.library),
        "add",
        str(edgerag.documents),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _documents(edgerag.library):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert "goes on from here" in err
    stored = _documents(edgerag.library)
    assert 0 < stored < 400
    assert edgerag("verify").code == 0


def _documents(library: Path) -> int:
    import sqlite3

    try:
        connection = sqlite3.connect(f"{(library / 'library.db').as_uri()}?mode=ro", uri=True)
        try:
            return int(connection.execute("SELECT count(*) FROM documents").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:
        return 0
