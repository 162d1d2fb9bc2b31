"""Another reranker or generator in an engine that is open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgerag.config import Settings
from edgerag.engine import Engine
from edgerag.errors import ModelError
from edgerag.inference.generator import LlamaGenerator
from edgerag.inference.reranker import CrossEncoderReranker, MaxSimReranker
from edgerag.models import speed
from edgerag.models.disk import StoppedError
from edgerag.models.importer import import_model
from edgerag.models.onnx_folder import ImportOptions
from edgerag.models.store import InstalledModel
from tests.fakes import FakeGenerator
from tests.models.gguf_writer import gguf_bytes
from tests.models.onnx_writer import cross_encoder_bytes, write_tokenizer


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Two generators are installed; the one called `broken` does not load."""

    def load(path: Path, *, name: str, threads: int = 0, context_tokens: int = 2048) -> FakeGenerator:
        if name == "broken":
            raise ModelError("It does not fit into memory.")
        generator = FakeGenerator(context_tokens=context_tokens)
        generator.name = name  # type: ignore[misc]
        return generator

    monkeypatch.setattr(LlamaGenerator, "open", load)
    for name in ("one", "two", "broken"):
        (tmp_path / f"{name}.gguf").write_bytes(gguf_bytes())
        import_model(tmp_path / f"{name}.gguf", name=name)
    with Engine.open(tmp_path / "library", settings=Settings(generator="one")) as opened:
        yield opened


def test_the_new_generator_is_loaded_and_the_former_let_go(engine: Engine) -> None:
    former = engine.models.generator()
    engine.models.switch(replace(engine.settings, generator="two"))
    current = engine.models.generator()
    assert former is not None
    assert current is not None
    assert current.name == "two"
    assert engine.models.generator("one") is not former


def test_a_generator_that_does_not_load_changes_nothing(engine: Engine) -> None:
    former = engine.models.generator()
    with pytest.raises(ModelError, match="does not fit"):
        engine.models.switch(replace(engine.settings, generator="broken", reranker="none"))
    assert engine.models.settings == engine.settings
    assert engine.models.generator() is former
    assert engine.models.reranker is not None


def test_a_longer_context_loads_the_generator_anew(engine: Engine) -> None:
    engine.models.generator()
    engine.models.switch(replace(engine.settings, context_tokens=4096))
    generator = engine.models.generator()
    assert generator is not None
    assert generator.context_tokens == 4096


def test_the_reranker_is_exchanged(engine: Engine) -> None:
    assert engine.models.reranker is not None
    engine.models.switch(replace(engine.settings, reranker="none"))
    assert engine.models.reranker is None
    with pytest.raises(ModelError, match="No model called nope"):
        engine.models.switch(replace(engine.models.settings, reranker="nope"))
    assert engine.models.reranker is None


def test_a_cross_encoder_is_taken_and_given_back(engine: Engine, tmp_path: Path) -> None:
    judge = cross_encoder(tmp_path)
    engine.models.switch(replace(engine.settings, reranker=judge.name))
    assert isinstance(engine.models.reranker, CrossEncoderReranker)
    engine.models.switch(replace(engine.models.settings, reranker="maxsim"))
    assert isinstance(engine.models.reranker, MaxSimReranker)


def test_a_cross_encoder_is_measured_and_stopped(tmp_path: Path) -> None:
    judge = cross_encoder(tmp_path)
    measured = speed.measure(judge, threads=1)
    assert measured.texts_per_s is not None
    assert measured.texts_per_s > 0
    assert (measured.decode_tokens_per_s, measured.threads) == (None, 1)
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        speed.measure(judge, stop=stop)


def cross_encoder(tmp_path: Path) -> InstalledModel:
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(cross_encoder_bytes())
    write_tokenizer(folder / "tokenizer.json")
    return import_model(folder, name="judge", options=ImportOptions(task="cross-encoder", max_tokens=512))
