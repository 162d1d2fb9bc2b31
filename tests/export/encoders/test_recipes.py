"""Whole builds by recipe: each kind of encoder becomes a bundle that `models import` takes and the runtime runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgerag.errors import ModelError, SettingsError
from edgerag.inference.embedder import OnnxEmbedder
from edgerag.inference.manifest import read_manifest
from edgerag.inference.reranker import CrossEncoderReranker
from edgerag.models.importer import import_model
from edgerag.protocols import RerankCandidate
from edgerag_export.build import build, plan
from edgerag_export.recipe import load_recipe

Sentences = Callable[[int, int], list[str]]
KINDS = {
    "bge-embedder": 'architecture = "bert"\npooling = "cls"\ndim = 48\nquery_prefix = "find passage : "\n',
    "e5-embedder": 'architecture = "xlm-roberta"\npooling = "mean"\ndim = 48\nquery_prefix = "query : "\n'
    'document_prefix = "passage : "\n',
    "bert-cross-1": 'architecture = "bert"\ntask = "cross-encoder"\n',
    "xlm-roberta-cross": 'architecture = "xlm-roberta"\ntask = "cross-encoder"\n',
}


@pytest.fixture
def write(models: Any, make_sentences: Sentences, tmp_path: Path) -> Callable[..., Path]:
    def write(kind: str, *, correlation: float = 0.99, variant: str = "static") -> Path:
        (tmp_path / "LICENSE.txt").write_text("Made by a test.\n", encoding="utf-8")
        for name, start in (("calibration", 0), ("check", 5)):
            texts = make_sentences(40, start)
            if "cross" in kind:
                texts = [f"{text[:20]}\t{text}" for text in texts]
            (tmp_path / f"{name}.txt").write_text("\n".join(texts), encoding="utf-8")
        path = tmp_path / f"{kind}.toml"
        path.write_text(
            f'name = "{kind}"\nlicense = "CC0-1.0"\nlicense_file = "LICENSE.txt"\nmax_tokens = 24\n'
            f'check = "check.txt"\ncompare = ["static", "weights-8bit", "weights-4bit"]\n{KINDS[kind]}'
            f'[source]\npath = "{models.weights(kind)}"\n'
            f'[quantization]\ncalibration = "calibration.txt"\nvariant = "{variant}"\noutlier_channels = 8\n'
            "[tolerance]\ncosine_mean = 0.99\ncosine_min = 0.98\ntop10_overlap = 0.8\n"
            f"score_correlation = {correlation}\n",
            encoding="utf-8",
        )
        return path

    return write


@pytest.mark.parametrize("kind", KINDS)
def test_recipe_becomes_a_bundle_that_can_be_imported_and_run(
    write: Callable[..., Path], tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERAG_MODELS", str(tmp_path / "models"))
    chosen = plan(load_recipe(write(kind)), output=tmp_path / "out" / kind, cache=tmp_path / "cache")

    build(chosen)

    installed = import_model(tmp_path / "out" / kind)
    manifest = read_manifest(installed.folder)
    assert sorted(manifest.files) == ["license", "model", "recipe", "report", "tokenizer"]
    assert (manifest.precision, manifest.max_tokens) == ("int8-static", 24)
    report = json.loads((installed.folder / "report.json").read_text(encoding="utf-8"))
    assert report["variant"] == "static"
    assert report["tolerance"]["batch_invariance"] == 0.9999
    if "cross" in kind:
        reranker = CrossEncoderReranker.open(installed.folder)
        texts = ["river bank stone", "bread oven salt", "cell gene mouse protein"]
        scores = reranker.score("river water", [RerankCandidate(text, None) for text in texts])
        reranker.close()
        assert np.isfinite(scores).all()
        assert len(set(scores.tolist())) == 3
        assert report["measured"]["score_correlation"] >= 0.99
    else:
        embedder = OnnxEmbedder.open(installed.folder)
        assert embedder.encode_query("river").embedding.shape == (48,)
        embedder.close()
        assert report["measured"]["cosine_mean"] >= 0.99


def test_refusal_of_a_cross_encoder_names_the_variant_that_passes(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write("bert-cross-1", variant="weights-4bit", correlation=0.96)

    with pytest.raises(ModelError, match=r"variant weights-4bit, is outside .*score_correlation is 0\.9") as caught:
        build(plan(load_recipe(path), output=tmp_path / "refused", cache=tmp_path / "cache"))

    assert "weights-8bit" in caught.value.hint
    assert not (tmp_path / "refused").exists()


def test_pairs_that_were_calibrated_on_cannot_be_measured_on(write: Callable[..., Path], tmp_path: Path) -> None:
    recipe = load_recipe(write("bert-cross-1"))

    with pytest.raises(SettingsError, match="40 texts are both calibrated on and measured on"):
        plan(recipe, texts=recipe.beside("calibration.txt"))


def test_own_library_serves_for_calibration(
    write: Callable[..., Path], make_sentences: Sentences, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edgerag.engine import Engine

    documents = tmp_path / "documents"
    documents.mkdir()
    for number in range(6):
        text = ". ".join(f"{line.capitalize()}" for line in make_sentences(12, 11 * number + 1))
        (documents / f"{number}.txt").write_text(text, encoding="utf-8")
    with Engine.open(tmp_path / "library") as engine:
        engine.add([documents])

    for kind in ("bge-embedder", "bert-cross-1"):
        chosen = plan(
            load_recipe(write(kind, correlation=0.9)),
            calibration=tmp_path / "library",
            output=tmp_path / kind,
            cache=tmp_path / "cache",
        )
        build(chosen)

        report = json.loads((tmp_path / kind / "report.json").read_text(encoding="utf-8"))
        assert report["calibration"]["num_texts"] == len(chosen.calibration) >= 6
        # What the documents say stays at home: the report knows a hash and a number.
        assert "river" not in json.dumps(report)
