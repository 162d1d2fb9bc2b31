"""From weights to a model folder: parity with float32, same bytes twice, and a gate that holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag_export import build as steps
from edgerag_export.encoders import quantize as quantize_module
from edgerag_export.recipe import load_recipe

Writer = Callable[..., Path]
PER_TENSOR_REDUCED_RANGE = """
per_channel = false
weight_max = 63
smoothing = 0.0
error_feedback = false
fits_pairs = false
"""


def _build(recipe: Path, weights: Path, output: Path) -> steps.Figures:
    # A cache of its own: a second build must compute everything again.
    cache = output.with_name(f"{output.name}-cache")
    return steps.build(steps.plan(load_recipe(recipe), output=output, source=weights, cache=cache))


def _torch_embeddings(weights: Path, texts: list[str]) -> np.ndarray:
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    tokenizer.no_padding()
    model = AutoModel.from_pretrained(weights).eval()
    rows = []
    for text in texts:
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            pooled = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(dim=0)
        rows.append((pooled / pooled.norm()).numpy())
    return np.stack(rows)


def test_built_folder_agrees_with_torch_and_says_what_it_is(
    weights: Path, write_recipe: Writer, tmp_path: Path
) -> None:
    output = tmp_path / "out" / "tiny"

    figures = _build(write_recipe(), weights, output)

    texts = ["river bank stone", "cell gene mouse protein law", "bread oven salt train bridge steel school child"]
    embedder = OnnxEmbedder.open(output)
    embeddings = np.stack([item.embedding for item in embedder.encode_documents(texts)])
    embedder.close()
    # 0.998: measured 0.9995 when the test was written; weights and inputs have eight bits.
    assert np.sum(embeddings * _torch_embeddings(weights, texts), axis=1).min() >= 0.998
    assert figures.batch_invariance >= 0.99999
    assert figures.padded_invariance >= 0.99999
    manifest = read_manifest(output)
    assert (manifest.name, manifest.dim, manifest.max_tokens, manifest.pooling) == ("tiny", 48, 24, "mean")
    assert manifest.precision == "int8-static"
    assert manifest.source["weights_sha256"] == hashlib.sha256((weights / "model.safetensors").read_bytes()).hexdigest()
    tokenizer = json.loads((output / "tokenizer.json").read_text(encoding="utf-8"))
    assert tokenizer["padding"] is None
    assert tokenizer["truncation"] is None
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    assert report["measured"]["cosine_mean"] == figures.cosine_mean
    assert sorted(path.name for path in output.parent.iterdir()) == ["tiny", "tiny-cache"]


def test_two_builds_are_byte_identical(weights: Path, write_recipe: Writer, tmp_path: Path) -> None:
    recipe = write_recipe()
    first, second = tmp_path / "first", tmp_path / "second"

    _build(recipe, weights, first)
    _build(recipe, weights, second)

    assert sorted(path.name for path in first.iterdir()) == [
        "LICENSE", "manifest.json", "model.onnx", "recipe.toml", "report.json", "tokenizer.json"
    ]  # fmt: skip
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_gate_refuses_one_layer_with_scales_half_as_large_again(
    weights: Path, write_recipe: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = quantize_module.quantize

    def damaged(*arguments: object) -> object:
        first, second = honest(*arguments)  # type: ignore[arg-type]
        output = replace(second.output, weight_scale=second.output.weight_scale * np.float32(1.5))
        return first, replace(second, output=output)

    monkeypatch.setattr(quantize_module, "quantize", damaged)

    with pytest.raises(ModelError, match=r"cosine_mean is 0\.\d+, must be >= 0\.998 \(0\.\d+ below\)"):
        _build(write_recipe(), weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gate_refuses_a_scale_per_tensor_with_reduced_range(
    weights: Path, write_recipe: Writer, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="outside its recipe's tolerance"):
        _build(write_recipe(quantization=PER_TENSOR_REDUCED_RANGE), weights, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gate_keeps_the_folder_that_was_there(weights: Path, write_recipe: Writer, tmp_path: Path) -> None:
    output = tmp_path / "tiny"
    _build(write_recipe(), weights, output)
    before = (output / "model.onnx").read_bytes()

    with pytest.raises(ModelError, match="size_mb is"):
        _build(write_recipe(tolerance="size_mb = 0.001"), weights, output)

    assert (output / "model.onnx").read_bytes() == before


def test_folder_that_is_no_model_is_not_replaced(weights: Path, write_recipe: Writer, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")

    with pytest.raises(ModelError, match="is not a model folder"):
        _build(write_recipe(), weights, tmp_path / "photos")

    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"
