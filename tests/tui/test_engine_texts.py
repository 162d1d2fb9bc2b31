"""The engine speaks the interface's language: each code has its words, and no words are without a code."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerag.coded_text import CodedText, at_stage, coded, with_hint
from edgerag.errors import EdgeragError
from edgerag_tui import strings
from tests.tui.engine_texts import engine_texts, placeholders, uncoded_errors

NOT_IN_THE_APPLICATION = frozenset(
    {
        "cli",  # commands
        "cpu.py",  # said before anything starts
        "models/importer.py",  # `models import`
        "models/onnx_folder.py",
        "storage/document_scope.py",  # `ask --in`
        "storage/maintenance.py",  # `backup`, `compact`
    }
)
"""Errors of these modules reach no screen."""
OF_A_BROKEN_EXPORT = frozenset(
    {
        "inference/embedder.py",
        "inference/manifest.py",
        "inference/onnx_model.py",
        "inference/reranker.py",
        "inference/token_codes.py",
        "inference/tokenizer.py",
        "inference/generator.py",
        "inference/generator_native.py",
        "models/catalogue.py",
        "models/describe.py",
        "models/download.py",
        "models/fetch.py",
        "models/index_source.py",
        "models/install.py",
        "models/pins.py",
        "models/pip_report.py",
        "models/pull.py",
        "models/speed.py",
        "models/wheel_file.py",
        "storage/writer.py",
    }
)
"""What these also say of a model or an index that was made wrongly is for who made it, and stays English."""


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    strings.use("en")


def test_each_code_has_words_in_both_languages_and_no_words_are_left_over() -> None:
    codes = engine_texts().keys()
    for language in strings.LANGUAGES:
        known = {key.removeprefix("engine.") for key in strings.catalogue(language) if key.startswith("engine.")}
        assert sorted(codes - known) == [], language
        assert sorted(known - codes) == [], language


def test_words_use_only_the_values_that_the_code_comes_with() -> None:
    for language in strings.LANGUAGES:
        words = strings.catalogue(language)
        for code, text in engine_texts().items():
            assert placeholders(words[f"engine.{code}"]) <= text.names, (language, code, text.places)


def test_errors_that_a_screen_may_show_have_a_code() -> None:
    assert uncoded_errors(without=NOT_IN_THE_APPLICATION | OF_A_BROKEN_EXPORT) == []


def test_texts_within_texts_and_stages_are_translated() -> None:
    strings.use("zh")
    problem = coded("model.not_opened", "Model {name} cannot be opened", name="minilm")
    reason = with_hint(
        coded("model.no_memory", "{what}: not enough memory.", what=problem), coded("hint.later", "Try again later.")
    )
    entry = at_stage("rerank", reason)
    assert entry == "rerank: Model minilm cannot be opened: not enough memory. Try again later."
    assert strings.say(entry) == "重排：无法打开模型 minilm：内存不足。请稍后再试。"
    assert strings.degraded_stage(entry) == "重排"


def test_what_has_no_words_stays_as_the_engine_said_it() -> None:
    strings.use("zh")
    assert strings.say("plain text") == "plain text"
    assert strings.say(coded("of.a_newer_engine", "New {thing}.", thing="things")) == "New things."
    assert strings.say(CodedText("It took 3 s.", "file.timeout", {"other": 1})) == "It took 3 s."
    assert strings.degraded_stage("a newer stage: reason") == "a newer stage"


def test_values_are_never_read_as_templates() -> None:
    strings.use("zh")
    assert strings.say(coded("add.missing", "{path} does not exist.", path="/a/{path}{0}")) == "/a/{path}{0} 不存在。"


def test_words_agree_with_numbers() -> None:
    for number, told in ((1, "1 chunk."), (2, "2 chunks."), (0, "0 chunks.")):
        text = coded("why_not.in_library", "in {number} chunks", number=number)
        assert strings.say(text) == f"It is in the library, in {told}"


def test_locked_library_is_told_in_chinese(tmp_path: Path) -> None:
    from edgerag.storage.library import Library
    from edgerag.storage.locks import WriterLock

    strings.use("zh")
    with Library.open(tmp_path), WriterLock(tmp_path) as held:
        held.release()
        other = WriterLock(tmp_path)
        ready, done = threading.Event(), threading.Event()

        def hold() -> None:
            with other:
                ready.set()
                done.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        assert ready.wait(10)
        try:
            with pytest.raises(EdgeragError) as caught:
                WriterLock(tmp_path).acquire()
        finally:
            done.set()
            thread.join()
    error = caught.value
    assert error.code == "library.busy_process"
    assert error.fields["folder"] == str(tmp_path)
    assert str(error).startswith("Another process (process ")
    assert strings.say(error.message).startswith("另一个进程（进程号 ")
    assert strings.say(error.hint) == "在此期间仍可搜索；请等对方结束后重试。"
