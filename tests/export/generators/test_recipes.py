"""Whole builds by recipe: a folder of weights becomes a generator that `models import` takes and the runtime runs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edgerag.datatypes import PromptPart, Sampling
from edgerag.errors import ModelError, SettingsError
from edgerag.inference.generator import LlamaGenerator
from edgerag.models.importer import import_model
from edgerag_export.build import build, plan
from edgerag_export.generators.converter import Converter
from edgerag_export.recipe import load_recipe

PARAGRAPHS = [
    f"The mill by the river was built in 18{number}0 by a man who had come from the north with {number} horses."
    for number in range(1, 9)
]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(weights: Path, architecture: str, *, ladder: str = "", tolerance: str = "") -> Path:
        (tmp_path / "LICENSE.txt").write_text("Made by a test.\n", encoding="utf-8")
        (tmp_path / "check.txt").write_text("\n".join(PARAGRAPHS), encoding="utf-8")
        path = tmp_path / "tiny.toml"
        path.write_text(
            f'name = "tiny"\ntask = "generator"\narchitecture = "{architecture}"\nlicense = "CC0-1.0"\n'
            f'license_file = "LICENSE.txt"\nmax_tokens = 1024\ncheck = "check.txt"\n[source]\npath = "{weights}"\n'
            f"[ladder]\n{ladder}\n[tolerance]\nperplexity_increase = 0.05\ngreedy_agreement = 0.8\n{tolerance}\n",
            encoding="utf-8",
        )
        return path

    return write


@pytest.mark.parametrize("family", ["Llama", "Qwen3"])
def test_recipe_becomes_a_generator_that_can_be_imported_and_asked(
    converter: Converter,
    make_model: Callable[[str], Path],
    write: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    family: str,
) -> None:
    monkeypatch.setenv("EDGERAG_MODELS", str(tmp_path / "models"))
    # Below a folder of the test, but with the converter that is there already.
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "converter").symlink_to(converter.folder.parent)
    recipe = load_recipe(write(make_model(family), family.lower(), ladder='rung = "q8_0"'))

    build(plan(recipe, output=tmp_path / "out", cache=cache))

    installed = import_model(tmp_path / "out")
    report = json.loads((installed.folder / "report.json").read_text(encoding="utf-8"))
    assert report["measured"]["greedy_agreement"] >= 0.8
    assert not [name for name in report["measured"] if name.endswith(("_ms", "_per_s"))]
    generator = LlamaGenerator.open(installed.folder, name="tiny", context_tokens=256)
    prompt = [PromptPart("The mill by the river", is_control=False)]
    pieces = list(generator.stream(prompt, Sampling(max_tokens=8, temperature=0.0), threading.Event()))
    generator.close()
    assert "".join(pieces)


def test_architecture_that_is_not_the_recipes_is_refused(
    make_model: Callable[[str], Path], write: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = load_recipe(write(make_model("Llama"), "qwen3"))

    with pytest.raises(ModelError, match="is a `llama` model; the recipe says `qwen3`"):
        build(plan(recipe, output=tmp_path / "out", cache=tmp_path / "cache"))


def test_rung_that_loses_too_much_is_refused_and_one_that_passes_is_named(
    llama_gguf: Path, write: Callable[..., Path], tmp_path: Path
) -> None:
    path = write(llama_gguf.parent, "llama", ladder='rung = "q4_0"\ncompare = ["q8_0", "q4_0"]')
    chosen = plan(load_recipe(path), source=llama_gguf, output=tmp_path / "out", cache=tmp_path / "cache")

    with pytest.raises(
        ModelError, match=r"variant q4_0, is outside .*greedy_agreement is 0\.\d+, must be >= 0\.8"
    ) as caught:
        build(chosen)

    assert "Within the tolerance: q8_0 (--variant q8_0)" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_two_builds_are_byte_identical(llama_gguf: Path, write: Callable[..., Path], tmp_path: Path) -> None:
    recipe = load_recipe(write(llama_gguf.parent, "llama", ladder='rung = "q8_0"'))

    for name in ("first", "second"):
        build(plan(recipe, source=llama_gguf, output=tmp_path / name, cache=tmp_path / f"{name}-cache"))

    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["LICENSE", "manifest.json", "model.gguf", "recipe.toml", "report.json"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name


def test_judged_questions_are_nothing_for_a_generator(write: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not measured on judged questions"):
        plan(load_recipe(write(tmp_path, "llama")), beir=tmp_path)
