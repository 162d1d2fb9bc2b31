"""GGUF back to a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.generator_native import LlamaContext
from tests.inference.tiny_gguf import write_tiny_model

pytest.importorskip("gguf", reason="gguf is not installed: run `make test-export`")
pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")

from edgerag_export.generators.dequantize import Vocabulary, dequantize, write_tokenizer

TEXTS = (
    "The tide comes in, and goes out again.",
    "In 2026 it cost 1,234.50 EUR; 12345 of 67 890.",
    "  two  spaces\n\n\nand lines\t\ttabs ",
    "Größe, naïve, 知识库 und 🙂🙂!",
    "don't I'LL we've it's THEY'RE",
    "<|im_start|>user\nhello<|im_end|>",
    "",
)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_a_folder_that_became_gguf_comes_back_as_it_was(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    original: Path = request.getfixturevalue(f"{family}_folder")
    back = dequantize(request.getfixturevalue(f"{family}_gguf"), tmp_path / "back")
    before, after = load_file(original / "model.safetensors"), load_file(back / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    first, second = (json.loads((folder / "config.json").read_text(encoding="utf-8")) for folder in (original, back))
    for key in ("architectures", "num_key_value_heads", "head_dim", "tie_word_embeddings", "vocab_size", "rope_theta"):
        assert first[key] == second[key], key
    assert first["rms_norm_eps"] == pytest.approx(second["rms_norm_eps"], rel=1e-6)
    assert (original / "tokenizer.json").read_bytes() == (back / "tokenizer.json").read_bytes()


def test_the_rebuilt_tokenizer_cuts_text_as_llama_cpp_does(smollm2: Path, tokenizer: Path) -> None:
    from tokenizers import Tokenizer

    rebuilt = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    context = LlamaContext(smollm2, threads=1, context_tokens=64)
    try:
        for text in TEXTS:
            assert rebuilt.encode(text, add_special_tokens=False).ids == context.tokenize(text, special=True), text
    finally:
        context.close()


def test_quantised_weights_become_the_floats_they_stand_for(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    from edgerag_export.generators.quantizer import quantize

    source = write_tiny_model(tmp_path / "tiny")
    small = quantize(source, tmp_path / "small.gguf", "q4_0").path
    exact = load_file(dequantize(source, tmp_path / "exact") / "model.safetensors")
    rounded = load_file(dequantize(small, tmp_path / "rounded") / "model.safetensors")
    name = "model.layers.0.mlp.gate_proj.weight"
    error = np.abs(exact[name] - rounded[name])
    # Four bits: at most 16 values in each row of 32, and no weight far from what it was.
    assert max(len(np.unique(row)) for row in rounded[name]) <= 16
    assert 0 < error.max() < 0.15 * np.abs(exact[name]).max()


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    source = write_tiny_model(tmp_path / "tiny")
    other = tmp_path / "other.gguf"
    # The architecture's name, and with it the prefix of its keys.
    other.write_bytes(source.read_bytes().replace(b"llama", b"gemma"))
    with pytest.raises(ModelError, match=r"other\.gguf has the architecture gemma"):
        dequantize(other, tmp_path / "out")


def test_an_unknown_way_of_cutting_text_is_refused(tmp_path: Path) -> None:
    vocabulary = Vocabulary("odd", ("a", "b"), (1, 1), (), "", "", "", "", False, "")
    with pytest.raises(ModelError, match="in the manner of odd"):
        write_tokenizer(vocabulary, tmp_path)
