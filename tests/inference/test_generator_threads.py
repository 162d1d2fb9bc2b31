"""However many threads compute a token, and whatever was in memory before, it is the same one."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.datatypes import PromptPart, Sampling
from edgerag.inference.generator import LlamaGenerator
from edgerag.inference.generator_native import LlamaContext
from tests.inference.tiny_gguf import END, write_tiny_model

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed (extra `llm`)")


@pytest.mark.models
def test_the_number_of_threads_changes_no_bit(installed_gguf: Path) -> None:
    scores = []
    for threads in (1, 2, 3):
        context = LlamaContext(installed_gguf, threads=threads, context_tokens=1024)
        tokens = context.tokenize("The mill was dredged out of the harbour by number 7. " * 60, special=False)[:520]
        for start in range(0, 512, context.batch_tokens):
            context.evaluate(tokens[start : start + context.batch_tokens])
        # From 512 tokens on llama.cpp's flash attention divides the past by the number of threads.
        for token in tokens[512:]:
            context.evaluate([token])
        scores.append(context.logits().copy())
        context.close()
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])


@pytest.mark.models
def test_whatever_was_kept_the_scores_are_the_same(installed_gguf: Path) -> None:
    generator = LlamaGenerator.open(installed_gguf, name="real", threads=2)
    text = "The mill was dredged out of the harbour by number 7, and nobody asked why it had stood there. " * 12
    tokens = generator._context.tokenize(text, special=False)
    assert len(tokens) > 200

    def scores(head: int, length: int) -> NDArray[np.float32]:
        """After a prompt of so many tokens, the first of which are common with the one before."""
        generator._in_memory = generator._in_memory[:head]
        prompt = tokens[:length]
        reused = generator._reuse(prompt)
        assert reused <= head
        assert generator._prefill(prompt, reused, threading.Event())
        return generator._context.logits().copy()

    # 129: a whole prompt ends with a token by itself. 145: what is left of it after nine steps would be one.
    for length in (129, 145, 160):
        fresh = scores(0, length)
        for head in (17, 100, 144):
            scores(0, 180)
            assert np.array_equal(scores(min(head, length - 1), length), fresh), (head, length)
    generator.close()


def test_an_answer_is_the_same_whatever_number_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = LlamaGenerator.open(write_tiny_model(tmp_path, favoured={END: -50.0}), name="tiny", threads=2)
    prompt = (PromptPart("Tell me something about the sea, please.", False),)

    def say() -> str:
        return "".join(generator.stream(prompt, Sampling(max_tokens=24), threading.Event()))

    expected = say()
    asked: list[int] = []
    set_threads = generator._context.use_threads

    def other(number: int) -> None:
        asked.append(number)
        set_threads(1 + len(asked) % 2)

    monkeypatch.setattr(generator._context, "use_threads", other)
    assert say() == expected
    assert len(asked) == 23, "all tokens but the first, which comes out of the prompt"
    generator.close()
