"""What each form promises beside being close: one file, known operators, safe sums, vectors that do not mix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.onnx_model import OnnxModel
from edgerag.inference.tokenizer import ModelTokenizer
from edgerag_export.encoders import quantize as quantize_module
from edgerag_export.encoders.workshop import oldest_runtime
from edgerag_export.recipe import Quantization
from edgerag_export.step_cache import StepCache
from edgerag_export.variant import parse_variant

Array = NDArray[np.float32]
Sentences = Callable[[int, int], list[str]]
INVARIANT = ("float32", "float16", "static", "static-entropy", "static@x86-vnni", "weights-8bit", "weights-4bit")
OPERATORS = {
    "static": (17, {"MatMulIntegerToFloat", "MultiHeadAttention", "Gelu"}),
    "weights-8bit": (17, {"MatMulNBits", "MultiHeadAttention", "Gelu"}),
    "weights-4bit": (17, {"MatMulNBits", "MultiHeadAttention", "Gelu"}),
    "dynamic": (18, {"QAttention", "SkipLayerNormalization", "BiasGelu"}),
    "float16": (18, {"Attention", "SkipLayerNormalization", "BiasGelu"}),
    "float32": (18, set()),
}
"""Opset, and operators of onnxruntime's own. All ran on 1.20.1, but for `MatMulNBits` with 8 bits: 1.22.1."""


@pytest.mark.parametrize("variant", OPERATORS)
@pytest.mark.parametrize("kind", ["bert-embedder", "xlm-roberta-cross"])
def test_graph_is_one_file_of_known_operators(models: Any, kind: str, variant: str) -> None:
    import onnx

    model = onnx.load(models.variant(kind, variant) / "model.onnx", load_external_data=False)

    opset, own = OPERATORS[variant]
    assert next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")) == opset
    assert {node.op_type for node in model.graph.node if node.domain == "com.microsoft"} == own
    assert {entry.domain for entry in model.opset_import} <= {"", "ai.onnx", "com.microsoft"}
    assert model.ir_version <= 10  # the newest that onnxruntime 1.20 reads
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in model.graph.initializer)


def test_only_weights_in_eight_bits_need_a_newer_runtime() -> None:
    oldest = {name: oldest_runtime(parse_variant(name)) for name in OPERATORS}

    assert oldest.pop("weights-8bit") == "1.22"
    assert set(oldest.values()) == {"1.20"}


@pytest.mark.parametrize("variant", ["static", "weights-8bit", "weights-4bit", "dynamic"])
def test_word_table_takes_a_byte_for_each_number(models: Any, variant: str) -> None:
    import onnx

    model = onnx.load(models.variant("e5-embedder", variant) / "model.onnx")

    tables = {tensor.name: tensor for tensor in model.graph.initializer}
    words, hidden = tables["words"].dims
    assert tables["words"].data_type == onnx.TensorProto.INT8
    assert tuple(tables["word_scales"].dims) == (words, 1)
    assert not [name for name, tensor in tables.items() if name != "words" and words * hidden == np.prod(tensor.dims)]


@pytest.mark.parametrize("variant", INVARIANT)
def test_vector_does_not_depend_on_its_batch(models: Any, make_sentences: Sentences, variant: str) -> None:
    alone, padded = _alone_and_padded(models.variant("bert-embedder", variant), make_sentences(8, 5))

    assert np.sum(alone * padded, axis=1).min() >= 0.99999


def test_dynamic_vector_depends_on_its_batch_but_not_as_the_runtime_runs_it(
    models: Any, make_sentences: Sentences
) -> None:
    folder, texts = models.variant("bert-embedder", "dynamic"), make_sentences(8, 5)

    alone, padded = _alone_and_padded(folder, texts)

    assert np.sum(alone * padded, axis=1).min() < 0.99999
    embedder = OnnxEmbedder.open(folder, threads=2)
    together = np.stack([item.embedding for item in embedder.encode_documents(texts)])
    embedder.close()
    assert np.sum(alone * together, axis=1).min() >= 0.999999


@pytest.mark.parametrize(
    ("variant", "is_safe"),
    [("static", True), ("static@x86-avx2", True), ("static@x86-vnni", False), ("static@arm64", False)],
)
def test_sums_fit_sixteen_bits_where_the_target_needs_it(models: Any, variant: str, is_safe: bool) -> None:
    weights = _int8_tables(models.variant("bert-embedder", variant), ".weight")

    assert len(weights) == 2 * (3 + 1 + 2 * 2)
    assert (max(map(_widest_pair, weights)) <= 128) == is_safe


def test_portable_static_is_the_same_as_for_x86_without_vnni(models: Any) -> None:
    graphs = {
        target: (models.variant("bert-embedder", f"static{target}") / "model.onnx").read_bytes()
        for target in ("", "@x86-avx2", "@x86-vnni", "@arm64")
    }

    assert graphs[""] == graphs["@x86-avx2"]
    assert graphs["@x86-vnni"] == graphs["@arm64"]
    assert graphs[""] != graphs["@x86-vnni"]


def test_dynamic_weights_have_seven_bits_where_sums_could_overflow(models: Any) -> None:
    narrow = _int8_tables(models.variant("bert-embedder", "dynamic"), "_quantized")
    wide = _int8_tables(models.variant("bert-embedder", "dynamic@x86-vnni"), "_quantized")

    assert len(narrow) == len(wide) == 2 * 4
    assert max(np.abs(table.astype(int)).max() for table in narrow) <= 64
    assert max(np.abs(table.astype(int)).max() for table in wide) == 127


@pytest.mark.parametrize("kind", ["bert-cross-1", "xlm-roberta-cross"])
def test_last_layer_of_a_cross_encoder_computes_the_first_token_alone(models: Any, kind: str) -> None:
    import onnx

    for variant in ("static", "weights-8bit"):
        graph = onnx.load(models.variant(kind, variant) / "model.onnx").graph
        sliced = [
            node.output[0] for node in graph.node if node.op_type == "Slice" and node.output[0].endswith(".first")
        ]
        assert sliced
        assert all(name.startswith("layer1.") for name in sliced)


def test_scales_half_as_large_again_in_one_layer_show_in_the_vectors(
    models: Any, make_sentences: Sentences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = quantize_module.quantize

    def damaged(*arguments: Any) -> Any:
        first, second = honest(*arguments)
        output = replace(second.output, weight_scale=second.output.weight_scale * np.float32(1.5))
        return first, replace(second, output=output)

    monkeypatch.setattr(quantize_module, "quantize", damaged)
    graph = models.workshop("bert-embedder", cache=StepCache(tmp_path / "steps")).graph(parse_variant("static"))
    folder = models.write(tmp_path / "damaged", "bert-embedder", graph)

    # Measured: 1 - cosine is 0.0015 instead of 0.00004.
    default = 1 - _mean_cosine(models, make_sentences, models.variant("bert-embedder", "static"))
    assert 1 - _mean_cosine(models, make_sentences, folder) > 10 * default


def test_scale_per_tensor_with_reduced_range_shows_in_the_vectors(
    models: Any, make_sentences: Sentences, tmp_path: Path
) -> None:
    coarse = Quantization(
        calibration="", per_channel=False, weight_max=63, smoothing=0.0, error_feedback=False, fits_pairs=False,
        outlier_channels=0,
    )  # fmt: skip
    graph = models.workshop("bert-embedder", quantization=coarse).graph(parse_variant("static"))
    folder = models.write(tmp_path / "coarse", "bert-embedder", graph)

    # Measured: 1 - cosine 20 times that of the default.
    default = 1 - _mean_cosine(models, make_sentences, models.variant("bert-embedder", "static"))
    assert 1 - _mean_cosine(models, make_sentences, folder) > 5 * default


def _alone_and_padded(folder: Path, texts: list[str]) -> tuple[Array, Array]:
    manifest = read_manifest(folder)
    tokenizer, model = ModelTokenizer.open(folder, manifest), OnnxModel.open(folder, manifest)
    rows = [tokenizer.encode(text, max_tokens=manifest.max_tokens) for text in texts]
    alone = [model.run(row.inputs())[0].mean(axis=0) for row in rows]
    shape = (len(rows), max(len(row.ids) for row in rows))
    ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for place, row in enumerate(rows):
        ids[place, : len(row.ids)], mask[place, : len(row.ids)] = row.ids, 1
    hidden = model.run({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)})
    together = [hidden[place, : len(row.ids)].mean(axis=0) for place, row in enumerate(rows)]
    return _unit(np.stack(alone)), _unit(np.stack(together))


def _unit(rows: Array) -> Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _mean_cosine(models: Any, make_sentences: Sentences, folder: Path) -> float:
    texts = make_sentences(30, 3)
    found = []
    for place in (models.variant("bert-embedder", "float32"), folder):
        embedder = OnnxEmbedder.open(place)
        found.append(np.stack([item.embedding for item in embedder.encode_documents(texts)]))
        embedder.close()
    return float(np.sum(found[0] * found[1], axis=1).mean())


def _int8_tables(folder: Path, ending: str) -> list[NDArray[np.int8]]:
    import onnx

    tensors = onnx.load(folder / "model.onnx").graph.initializer
    return [
        onnx.numpy_helper.to_array(tensor)
        for tensor in tensors
        if tensor.name.endswith(ending) and tensor.data_type == onnx.TensorProto.INT8
    ]


def _widest_pair(weight: NDArray[np.int8]) -> int:
    pairs = weight.astype(int)[: len(weight) // 2 * 2].reshape(-1, 2, weight.shape[1])
    return int(max(np.maximum(pairs, 0).sum(axis=1).max(), np.maximum(-pairs, 0).sum(axis=1).max()))
