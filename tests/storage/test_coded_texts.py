"""What the engine says keeps its code wherever it is stored, so that it can be said in another language later."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from edgerag.answers import AnswerSentence
from edgerag.coded_text import CodedText, at_stage, coded, from_json, one_after_the_other, to_json, with_hint
from edgerag.datatypes import ScannedFile
from edgerag.errors import DocumentError, LibraryError, os_reason
from edgerag.storage.conversations import Conversations
from edgerag.storage.library import Library
from tests.storage.answers import answer

TOO_LARGE = with_hint(
    coded("file.too_large", "is larger than {limit} MiB.", limit=64),
    coded("hint.max_file", "Raise the setting `max_file_mib`."),
)


def told(text: str) -> tuple[str, str, dict[str, object]]:
    """Text, code and values of a coded text."""
    assert isinstance(text, CodedText)
    return str(text), text.code, dict(text.fields)


def test_text_with_its_values() -> None:
    text = coded("file.too_long", "holds more than {limit:,} characters", limit=1_000_000)
    assert text == "holds more than 1,000,000 characters"
    assert told(text) == ("holds more than 1,000,000 characters", "file.too_long", {"limit": 1_000_000})
    assert json.dumps([text]) == '["holds more than 1,000,000 characters"]'


def test_errors_carry_the_code_of_their_message() -> None:
    error = DocumentError(coded("add.missing", "{path} does not exist.", path=Path("/a")))
    assert (str(error), error.code, dict(error.fields)) == ("/a does not exist.", "add.missing", {"path": "/a"})
    plain = LibraryError("It is locked.", hint="Wait.")
    assert (plain.message, plain.code, dict(plain.fields)) == ("It is locked.", "", {})


def test_json_and_pickle_keep_code_and_nested_texts() -> None:
    for again in (from_json(json.loads(json.dumps(to_json(TOO_LARGE)))), pickle.loads(pickle.dumps(TOO_LARGE))):
        assert again == "is larger than 64 MiB. Raise the setting `max_file_mib`."
        assert isinstance(again, CodedText) and again.code == "with_hint"
        within = again.fields["message"]
        assert isinstance(within, CodedText) and told(within)[1:] == ("file.too_large", {"limit": 64})


@pytest.mark.parametrize("value", ["plain", {"text": "plain", "code": 5}, {"text": "plain"}])
def test_json_without_a_code_is_plain_text(value: object) -> None:
    assert from_json(value) == "plain"
    assert not isinstance(from_json(value), CodedText)


def test_common_reasons_of_the_system_have_a_code() -> None:
    assert told(os_reason(PermissionError(13, "Permission denied"))) == ("Permission denied", "os.denied", {})
    assert os_reason(OSError(9999, "Something rare")) == "Something rare"
    assert os_reason(ValueError("no UTF-8")) == "no UTF-8"


def test_the_same_text_is_said_once() -> None:
    assert one_after_the_other(["Wait.", "Call.", "Wait."]) == "Wait. Call."
    assert one_after_the_other([]) == ""


def test_failure_keeps_its_reason_in_the_library(tmp_path: Path) -> None:
    with Library.open(tmp_path) as library:
        with library.writing() as writer:
            source = writer.add_source(Path("/docs"))
            for name, reason in (("/docs/big.bin", TOO_LARGE), ("/docs/odd.bin", "is odd")):
                writer.record_failure(source, ScannedFile(Path(name), 5, 6), reason, "recipe")
            writer._connection.execute(
                "INSERT INTO failures (path, source_id, reason, size_bytes, mtime_ns, recipe, failed_at) "
                "VALUES ('/docs/old.bin', ?, 'is from before', 1, 1, '', '')",
                (source,),
            )
        failures = library.failures()
    assert told(failures["/docs/big.bin"].reason)[1] == "with_hint"
    assert failures["/docs/odd.bin"].reason == "is odd"
    assert failures["/docs/old.bin"].reason == "is from before"


def test_conversation_keeps_its_reasons(tmp_path: Path) -> None:
    reason = coded("unsupported.number", "number {number} does not occur in the passage", number="40")
    note = at_stage("generate", coded("degraded.interrupted", "interrupted"))
    given = replace(answer(degraded=(note,)), sentences=(AnswerSentence("It cost 40 crowns.", (), reason),))
    with Library.open(tmp_path) as library:
        conversations = Conversations(library)
        (turn,) = conversations.turns(conversations.save(given))
    assert told(turn.sentences[0].reason) == told(reason)
    assert turn.degraded == ("generate: interrupted",)
    assert told(turn.degraded[0])[1] == "degraded.at_stage"
