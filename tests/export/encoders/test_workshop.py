"""Steps are made once, an interrupted build goes on, and the same input gives the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from edgerag.errors import ModelError
from edgerag_export.encoders import calibrate, fuse_graph, torch_to_onnx
from edgerag_export.recipe import Quantization
from edgerag_export.step_cache import StepCache
from edgerag_export.variant import Variant, parse_variant

VARIANTS = ("float32", "float16", "static", "static-percentile", "static-entropy", "static@x86-vnni", "dynamic",
            "weights-8bit", "weights-4bit")  # fmt: skip


@pytest.mark.parametrize("kind", ["bert-embedder", "xlm-roberta-cross"])
def test_two_builds_from_the_same_input_are_byte_identical(models: Any, tmp_path: Path, kind: str) -> None:
    first, second = (models.workshop(kind, cache=StepCache(tmp_path / name)) for name in ("a", "b"))

    for name in VARIANTS:
        assert first.graph(parse_variant(name)) == second.graph(parse_variant(name)), name


def test_all_variants_share_one_export_and_one_calibration(models: Any, tmp_path: Path) -> None:
    steps: list[str] = []
    cache = StepCache(tmp_path / "steps")

    workshop = models.workshop("bert-embedder", cache=cache, progress=lambda step, done, total: steps.append(step))
    graphs = {name: workshop.graph(parse_variant(name)) for name in VARIANTS}

    assert len(set(graphs.values())) == len(VARIANTS)
    assert steps.count("export") == 1
    assert steps.count("fuse") == 1
    assert steps.count("calibrate") == 66  # 48 texts, and once more joined to 18 long ones
    assert steps.count("quantise") == len(VARIANTS) - 1
    assert steps[:3] == ["export", "fuse", "quantise"]
    assert steps[-1] == "quantise"


def test_interrupted_build_goes_on_from_the_last_finished_step(
    models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = StepCache(tmp_path / "steps")
    collect = calibrate.collect

    def interrupted(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(calibrate, "collect", interrupted)
    with pytest.raises(KeyboardInterrupt):
        models.workshop("bert-embedder", cache=cache).graph(Variant())
    monkeypatch.setattr(calibrate, "collect", collect)
    for module, name in ((torch_to_onnx, "export_float32"), (fuse_graph, "fuse")):
        monkeypatch.setattr(module, name, interrupted)

    graph = models.workshop("bert-embedder", cache=cache).graph(Variant())

    assert graph == (models.variant("bert-embedder", "static") / "model.onnx").read_bytes()


def test_finished_graph_needs_no_step_at_all(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    models.variant("bert-embedder", "static")
    steps: list[str] = []

    models.workshop("bert-embedder", progress=lambda step, done, total: steps.append(step)).graph(Variant())

    assert steps == []


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"weights_key": {"weights": "other"}}, {"export", "fuse", "calibrate", "quantise"}),
        ({"calibration": ["river bank stone"]}, {"calibrate", "quantise"}),
        ({"document_prefix": "stone "}, {"calibrate", "quantise"}),
        ({"query_prefix": "stone "}, {"calibrate", "quantise"}),
        ({"max_tokens": 20}, {"calibrate", "quantise"}),
        ({"quantization": Quantization(calibration="", outlier_channels=4)}, {"quantise"}),
        ({"quantization": Quantization(calibration="elsewhere.txt", outlier_channels=8)}, set()),
    ],
    ids=["weights", "texts", "document-prefix", "query-prefix", "length", "option", "path"],
)
def test_only_what_a_change_touches_is_made_again(
    models: Any, tmp_path: Path, changes: dict[str, Any], steps: set[str]
) -> None:
    cache = StepCache(tmp_path / "steps")
    models.workshop("bert-embedder", cache=cache).graph(Variant())
    seen: set[str] = set()

    models.workshop("bert-embedder", cache=cache, progress=lambda step, done, total: seen.add(step), **changes).graph(
        Variant()
    )

    assert seen == steps


def test_questions_are_calibrated_on_where_their_prefix_differs(models: Any) -> None:
    workshop = models.workshop("e5-embedder", calibration=["river bank"])

    assert workshop._calibration_inputs() == [
        "passage : river bank",
        "passage : river bank",  # once more as a long text
        "query : river bank",
    ]


def test_cross_encoder_is_calibrated_on_pairs_with_token_types(models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop = models.workshop("bert-cross-1", calibration=["river bank\tstone water cell"])
    types: list[list[int]] = []
    encode_pair = calibrate.ModelTokenizer.encode_pair

    def noted(self: Any, first: str, second: str, *, max_tokens: int) -> Any:
        row = encode_pair(self, first, second, max_tokens=max_tokens)
        types.append(row.inputs()["token_type_ids"][0].tolist())
        return row

    monkeypatch.setattr(calibrate.ModelTokenizer, "encode_pair", noted)
    workshop.graph(Variant())

    # [CLS] river bank [SEP] stone water cell [SEP]
    assert types[0] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_missing_tokenizer_is_named(models: Any, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(models.weights("bert-embedder"), folder)
    (folder / "tokenizer.json").unlink()

    with pytest.raises(ModelError, match=r"holds no tokenizer\.json") as caught:
        models.workshop("bert-embedder", weights=folder)

    assert "save_pretrained" in caught.value.hint


def test_longer_inputs_than_there_are_positions_are_refused(models: Any) -> None:
    with pytest.raises(ModelError, match="has positions for 32 tokens, the recipe asks for 33"):
        models.workshop("e5-embedder", max_tokens=33)


def test_exporter_that_splits_the_weights_off_is_refused(
    models: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np
    import onnx
    from optimum.exporters import onnx as exporters

    def split(model: str, *, output: str, **options: Any) -> None:
        path = Path(output) / "model.onnx"
        path.parent.mkdir(parents=True)
        tensor = onnx.numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
        graph = onnx.helper.make_graph([], "g", [], [], [tensor])
        onnx.save(
            onnx.helper.make_model(graph),
            path,
            save_as_external_data=True,
            size_threshold=0,
            location="model.onnx_data",
        )

    monkeypatch.setattr(exporters, "main_export", split)

    with pytest.raises(ModelError, match="keeps its weights in a second file") as caught:
        models.workshop("bert-embedder", cache=StepCache(tmp_path / "steps")).float32()

    assert "2 GB" in caught.value.hint
    assert not any((tmp_path / "steps").glob("export-*"))


def test_unknown_task_is_a_mistake_of_the_program(models: Any) -> None:
    with pytest.raises(ValueError, match="generator"):
        models.workshop("bert-embedder", task="generator")
