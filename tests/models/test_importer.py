"""Importing models from this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgerag.errors import ModelError
from edgerag.inference.external_data import has_external_data
from edgerag.inference.manifest import Manifest, describe_file, read_manifest, write_manifest
from edgerag.models import store
from edgerag.models.importer import import_model
from edgerag.models.onnx_folder import ImportOptions
from tests.models.gguf_writer import KEYS, gguf_bytes, write_gguf
from tests.models.onnx_writer import cross_encoder_bytes, embedder_bytes, write_tokenizer


def _onnx_folder(folder: Path, content: bytes, *, below: str = "") -> Path:
    (folder / below).mkdir(parents=True, exist_ok=True)
    (folder / below / "model.onnx").write_bytes(content)
    write_tokenizer(folder / "tokenizer.json")
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 512, "model_type": "bert"}))
    return folder


def _nothing_left(models_folder: Path) -> bool:
    files = [path for path in models_folder.rglob("*") if path.is_file() and path.name != "writer.lock"]
    return not files


def test_gguf_file_becomes_a_generator(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "My Model (v2).gguf")

    model = import_model(source)

    assert model.name == "My-Model-v2"
    assert model.manifest.task == "generator"
    assert model.manifest.license == "apache-2.0"
    assert model.manifest.precision == "Q4_1"
    assert model.manifest.max_tokens == 512
    assert model.manifest.source["file"] == "My Model (v2).gguf"
    assert store.find("my-model-v2").file("model").read_bytes() == source.read_bytes()
    assert store.verify_model(model) == []


def test_name_of_ones_own_is_taken(tmp_path: Path) -> None:
    assert import_model(write_gguf(tmp_path / "x.gguf"), name="mine").name == "mine"


def test_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "x.gguf")
    import_model(source, name="mine")

    with pytest.raises(ModelError, match="called mine is installed already"):
        import_model(source, name="MINE")
    with pytest.raises(ModelError, match="part of edgerag"):
        import_model(source, name="all-minilm-l6-v2")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a model at all", "not a GGUF file"),
        (gguf_bytes()[:-40], "truncated"),
        (gguf_bytes(KEYS | {"general.type": (8, "adapter")}), "an adapter for another model"),
        (gguf_bytes(KEYS | {"general.architecture": (8, "clip")}), "the image part of another model"),
        (gguf_bytes({"general.architecture": (8, "llama")}), "holds no tokenizer"),
    ],
    ids=["junk", "truncated", "adapter", "projector", "no tokenizer"],
)
def test_file_that_is_no_generator_is_refused_and_leaves_nothing(
    tmp_path: Path, models_folder: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "x.gguf").write_bytes(content)

    with pytest.raises(ModelError, match=reason):
        import_model(tmp_path / "x.gguf")

    assert _nothing_left(models_folder)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        import_model(tmp_path / "none")


def _made_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "weights").mkdir()
    write_gguf(folder / "weights" / "model.gguf")
    files = {"model": describe_file(folder, "weights/model.gguf")}
    write_manifest(folder, Manifest(name="made", task="generator", files=files, license="MIT"))
    return folder


def test_folder_with_a_manifest_is_copied_as_it_is(tmp_path: Path) -> None:
    folder = _made_folder(tmp_path / "export")
    (folder / "unrelated.txt").write_text("not part of the model")

    model = import_model(folder)

    assert model.name == "made"
    assert read_manifest(model.folder) == read_manifest(folder)
    assert store.verify_model(model) == []
    assert not (model.folder / "unrelated.txt").exists()


def test_folder_whose_file_is_not_the_manifests_is_refused(tmp_path: Path, models_folder: Path) -> None:
    folder = _made_folder(tmp_path / "export")
    content = bytearray((folder / "weights" / "model.gguf").read_bytes())
    content[-1] ^= 1
    (folder / "weights" / "model.gguf").write_bytes(content)

    with pytest.raises(ModelError, match=r"model\.gguf is damaged"):
        import_model(folder)

    assert _nothing_left(models_folder)


def test_onnx_folder_becomes_an_embedding_model(tmp_path: Path) -> None:
    folder = _onnx_folder(tmp_path / "tiny-embedder", embedder_bytes(dim=4), below="onnx")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (folder / "LICENSE").write_text("MIT")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')

    model = import_model(folder, options=ImportOptions(query_prefix="query: ", languages=("de",)))

    manifest = model.manifest
    assert (model.name, manifest.task, manifest.dim, manifest.pooling) == (
        "tiny-embedder",
        "embedding",
        4,
        "mean",
    )
    assert (manifest.query_prefix, manifest.languages, manifest.max_tokens) == ("query: ", ("de",), 512)
    assert (manifest.license, manifest.precision) == ("mit", "float32")
    assert sorted(manifest.files) == ["license", "model", "tokenizer"]
    assert store.verify_model(model) == []


def test_onnx_folder_with_one_score_becomes_a_cross_encoder(tmp_path: Path) -> None:
    model = import_model(_onnx_folder(tmp_path / "judge", cross_encoder_bytes()))

    assert model.manifest.task == "cross-encoder"
    assert model.manifest.pooling == "none"


def test_pooling_that_nothing_says_must_be_given(tmp_path: Path, models_folder: Path) -> None:
    folder = _onnx_folder(tmp_path / "tiny", embedder_bytes())

    with pytest.raises(ModelError, match="how token vectors become one") as caught:
        import_model(folder)
    assert "--pooling" in caught.value.hint
    assert _nothing_left(models_folder)

    assert import_model(folder, options=ImportOptions(pooling="cls")).manifest.pooling == "cls"


def test_longest_input_that_nothing_says_must_be_given(tmp_path: Path) -> None:
    folder = _onnx_folder(tmp_path / "judge", cross_encoder_bytes())
    (folder / "config.json").unlink()

    with pytest.raises(ModelError, match="how long an input may be") as caught:
        import_model(folder)
    assert "--max-tokens" in caught.value.hint

    assert import_model(folder, options=ImportOptions(max_tokens=128)).manifest.max_tokens == 128


def test_smallest_limit_counts(tmp_path: Path) -> None:
    folder = _onnx_folder(tmp_path / "judge", cross_encoder_bytes())
    (folder / "config.json").write_text('{"max_position_embeddings": 514, "model_type": "xlm-roberta"}')
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}')

    assert import_model(folder).manifest.max_tokens == 512


def test_weights_in_a_second_file_are_refused(
    tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _onnx_folder(tmp_path / "split", embedder_bytes(external=True))
    (folder / "model.onnx_data").write_bytes(bytes(4 * 7 * 4))
    # Not even if the second file lies where the program runs.
    monkeypatch.chdir(folder)

    with pytest.raises(ModelError, match="second file"):
        import_model(folder, options=ImportOptions(pooling="mean"))

    assert _nothing_left(models_folder)


def test_graph_of_the_package_keeps_its_weights_in_itself() -> None:
    content = store.find("all-MiniLM-L6-v2").file("model").read_bytes()

    assert has_external_data(content) is False
    assert has_external_data(b"junk") is False
    assert has_external_data(embedder_bytes(external=True)) is True


@pytest.mark.parametrize(
    ("content", "task", "reason"),
    [
        (b"junk", None, "not an ONNX file"),
        (embedder_bytes(), "cross-encoder", r"shape \(1, 5, 4\) for a pair"),
        (cross_encoder_bytes(num_scores=5), "cross-encoder", r"shape \(1, 5\) for a pair"),
        (cross_encoder_bytes(), "embedding", r"shape \(1, 1\) for a text"),
        (cross_encoder_bytes(), "generator", "no GGUF file"),
    ],
    ids=["junk", "embedder as judge", "many scores", "judge as embedder", "as generator"],
)
def test_graph_that_does_not_fit_its_task_is_refused(
    tmp_path: Path, models_folder: Path, content: bytes, task: str | None, reason: str
) -> None:
    folder = _onnx_folder(tmp_path / "tiny", content)

    with pytest.raises(ModelError, match=reason):
        import_model(folder, options=ImportOptions(task=task, pooling="mean"))  # type: ignore[arg-type]

    assert _nothing_left(models_folder)


def test_folder_without_tokenizer_or_with_several_graphs_is_refused(tmp_path: Path) -> None:
    folder = _onnx_folder(tmp_path / "tiny", embedder_bytes())
    (folder / "model.onnx").rename(folder / "model_a.onnx")
    (folder / "model_b.onnx").write_bytes(b"")

    with pytest.raises(ModelError, match=r"several ONNX models: model_a\.onnx, model_b\.onnx"):
        import_model(folder)
    (folder / "model_b.onnx").unlink()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"lacks tokenizer\.json"):
        import_model(folder)
    with pytest.raises(ModelError, match="holds no ONNX model"):
        import_model(tmp_path / "home")


def test_models_folder_that_cannot_be_made_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGERAG_MODELS", str(tmp_path / "file" / "models"))

    with pytest.raises(ModelError, match="cannot be read: Not a directory") as caught:
        import_model(write_gguf(tmp_path / "x.gguf"))

    assert "EDGERAG_MODELS" in caught.value.hint
