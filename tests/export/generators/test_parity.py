"""What llama.cpp computes from a converted file is what transformers computes from the folder.

Tolerances are about twice what was measured (x86-64, AVX2 build of llama-cpp-python 0.3.36, torch 2.13): root of the
mean square difference of the logits, over their standard deviation. The models have two layers and random weights, on
which rounding tells more than on trained ones. Float files differ by what llama.cpp keeps in float16: keys and values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerag.errors import ModelError
from edgerag.inference.generator_native import LlamaContext

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed: run `make test-export`")

TOKENS = [1, 504, 3575, 28, 913, 7_001, 49_000, 260, 351, 30, 198, 2_004, 11_111, 17, 33_333, 5]
TOLERANCE = {"f32": 0.0025, "f16": 0.004, "q8_0": 0.1, "q4_0": 0.8}
"""Measured: 0.0012, 0.0020, 0.050 and 0.41 (Llama); 0.0011, 0.0017, 0.035 and 0.40 (Qwen3)."""


def torch_logits(folder: Path, change: Callable[[Any], None] = lambda model: None) -> np.ndarray:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        change(model)
        return np.asarray(model(torch.tensor([TOKENS])).logits[0].numpy())


def llama_logits(file: Path, adapter: Path | None = None, scale: float = 1.0) -> np.ndarray:
    context = LlamaContext(file, threads=1, context_tokens=64)
    try:
        if adapter is not None:
            context.use_adapter(adapter, scale=scale)
        return context.evaluate_all(TOKENS).copy()
    finally:
        context.close()


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_the_converted_model_computes_what_transformers_does(
    family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from edgerag_export.generators.quantizer import quantize

    expected = torch_logits(request.getfixturevalue(f"{family}_folder"))
    source: Path = request.getfixturevalue(f"{family}_gguf")
    found = {"f32": difference(llama_logits(source), expected)}
    for rung in ("f16", "q8_0", "q4_0"):
        found[rung] = difference(
            llama_logits(quantize(source, tmp_path / f"{rung}.gguf", rung, threads=1).path), expected
        )
    assert {rung: value for rung, value in found.items() if value > TOLERANCE[rung]} == {}, found
    # Each rung loses more than the one above: the comparison does see what quantising does.
    assert found["f32"] < found["q8_0"] < found["q4_0"]


def write_adapter(folder: Path, *, rank: int, alpha: float) -> dict[str, Any]:
    """An adapter in peft's form over four tables of both layers; returns the two factors of each."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    random = torch.Generator().manual_seed(5)
    shapes = {"q_proj": (64, 64), "k_proj": (32, 64), "o_proj": (64, 64), "down_proj": (64, 128)}
    factors: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for layer in range(2):
        for name, (rows, columns) in shapes.items():
            part = "mlp" if name == "down_proj" else "self_attn"
            a = 0.1 * torch.randn(rank, columns, generator=random)
            b = 0.1 * torch.randn(rows, rank, generator=random)
            table = f"model.layers.{layer}.{part}.{name}"
            factors[f"{table}.weight"] = (a, b)
            tensors[f"base_model.model.{table}.lora_A.weight"] = a
            tensors[f"base_model.model.{table}.lora_B.weight"] = b
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "target_modules": sorted(shapes), "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return factors


def test_a_converted_adapter_does_what_merging_it_in_torch_does(
    llama_folder: Path, llama_gguf: Path, qwen3_gguf: Path, converter: Any, tmp_path: Path
) -> None:
    from edgerag_export.generators.to_gguf import convert_lora

    factors = write_adapter(tmp_path / "adapter", rank=4, alpha=12.0)
    made = convert_lora(tmp_path / "adapter", llama_folder, tmp_path / "adapter.gguf", converter=converter)

    def merge(model: Any) -> None:
        weights = dict(model.named_parameters())
        for name, (a, b) in factors.items():
            weights[name] += 12.0 / 4 * (b @ a)

    merged = torch_logits(llama_folder, merge)
    assert difference(llama_logits(llama_gguf, made), merged) < TOLERANCE["f32"]
    assert difference(llama_logits(llama_gguf, made, scale=0.0), torch_logits(llama_folder)) < TOLERANCE["f32"]
    # It does something: without it the logits are others (measured: 1.0).
    assert difference(llama_logits(llama_gguf), merged) > 0.5
    # And it is refused by a model it does not belong to.
    with pytest.raises(ModelError, match=r"adapter\.gguf is no adapter for this model"):
        llama_logits(qwen3_gguf, made)
