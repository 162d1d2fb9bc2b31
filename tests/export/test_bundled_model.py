"""The embedder that comes inside the package: within its recipe's tolerance, on real weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgerag.file_hash import hash_file
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.paths import BUNDLED_MODELS
from edgerag_export.gate import failures
from edgerag_export.measure.embedding import Figures, measure
from edgerag_export.measure.trial import text_trial
from edgerag_export.recipe import Recipe, load_recipe
from edgerag_export.texts import read_texts

FOLDER = BUNDLED_MODELS / "all-MiniLM-L6-v2"
RECIPE = Path(__file__).parents[2] / "export" / "recipes" / "all-minilm-l6-v2.toml"
REFERENCE = Path(__file__).parent / "data" / "all-minilm-l6-v2-float32.npy"
"""Float32 embeddings by torch of the recipe's check texts; `make_reference.py` renews it."""

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(not (FOLDER / "model.onnx").is_file(), reason=f"{FOLDER} holds no model"),
]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPE)


@pytest.fixture(scope="module")
def figures(recipe: Recipe) -> Figures:
    """The model beside itself: what needs no float32 reference."""
    return measure(FOLDER, FOLDER, text_trial("check", read_texts(recipe.beside(recipe.check))[:16]))


def test_embeddings_agree_with_torch_float32(recipe: Recipe) -> None:
    reference = np.load(REFERENCE).astype(np.float32)
    embedder = OnnxEmbedder.open(FOLDER)
    rows = embedder.encode_documents(read_texts(recipe.beside(recipe.check)))
    embedder.close()
    embeddings = np.stack([row.embedding for row in rows])
    cosines = np.sum(embeddings * reference, axis=1)

    # Measured on x86-64 with AVX512-VNNI: 0.9992 and 0.9965.
    assert cosines.mean() >= recipe.tolerance.cosine_mean
    assert cosines.min() >= recipe.tolerance.cosine_min
    overlap = [
        len(set(np.argsort(-exact)[:10]) & set(np.argsort(-small)[:10])) / 10
        for exact, small in zip(reference @ reference.T, embeddings @ embeddings.T, strict=True)
    ]
    assert np.mean(overlap) >= recipe.tolerance.top10_overlap


def test_embedding_does_not_depend_on_other_texts(figures: Figures) -> None:
    assert figures.batch_invariance >= 0.999999
    assert figures.padded_invariance >= 0.9999


def test_size_is_within_the_tolerance(recipe: Recipe, figures: Figures) -> None:
    assert failures(figures, recipe.tolerance) == []
    assert figures.size_mb <= 24


def test_manifest_matches_recipe_and_files(recipe: Recipe) -> None:
    manifest = read_manifest(FOLDER)

    assert (manifest.name, manifest.dim, manifest.max_tokens, manifest.languages) == (
        "all-MiniLM-L6-v2", 384, 256, ("en",)
    )  # fmt: skip
    assert manifest.source == {
        "package": recipe.source.package,
        "version": recipe.source.version,
        "sha256": recipe.source.sha256,
    }
    for file in manifest.files.values():
        assert hash_file(FOLDER / file.path) == file.sha256
    assert (FOLDER / "recipe.toml").read_bytes() == RECIPE.read_bytes()


def test_no_pair_of_weights_can_overflow_without_vnni() -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed: run `make test-export`")
    tensors = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(FOLDER / "model.onnx").graph.initializer
        if tensor.name.endswith(".weight")
    }

    assert len(tensors) == 6 * 8
    for name, weight in tensors.items():
        pairs = weight.astype(int).reshape(-1, 2, weight.shape[1])
        assert np.maximum(pairs, 0).sum(axis=1).max() * 255 <= 32767, name
        assert np.minimum(pairs, 0).sum(axis=1).min() * 255 >= -32768, name
