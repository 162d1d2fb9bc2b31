"""Rungs of a generator's ladder as model folders, each compared with the float original once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerag.errors import ModelError
from edgerag.models.gguf import read_gguf_header
from edgerag_export import bundle
from edgerag_export.generators.converter import get_converter, installed_version
from edgerag_export.generators.ladder import Rung, Trial, build_ladder
from edgerag_export.generators.quantizer import quantize
from edgerag_export.generators.to_gguf import convert
from edgerag_export.measure.generator import GeneratorFigures
from edgerag_export.packages import versions
from edgerag_export.progress import Progress
from edgerag_export.sources import Weights
from edgerag_export.step_cache import StepCache
from edgerag_export.trials import TextTrial

if TYPE_CHECKING:
    from edgerag_export.build import Plan

_FLOAT = "f16"
_TIMES = ("_ms", "_per_s")


@dataclass(frozen=True, slots=True)
class StableFigures:
    """What does not depend on the machine's speed: two builds write the same report."""

    measured: GeneratorFigures

    @property
    def size_mb(self) -> float:
        return self.measured.size_mb

    @property
    def perplexity_increase(self) -> float:
        return self.measured.perplexity_increase

    @property
    def greedy_agreement(self) -> float:
        return self.measured.greedy_agreement

    def as_json(self) -> dict[str, Any]:
        values = {name: value for name, value in asdict(self.measured).items() if not name.endswith(_TIMES)}
        return values | {"perplexity_increase": self.perplexity_increase}


class GeneratorMaker:
    """A `Maker` of generators."""

    reference = _FLOAT
    """The rung that is the float original."""

    def __init__(self, plan: Plan, weights: Weights, work: Path, progress: Progress) -> None:
        """Make ready; nothing slow happens before `folder` or `measure`.

        Args:
            plan: Recipe, texts and cache.
            weights: A folder of Hugging Face form, or a GGUF file.
            work: Scratch folder for the model folders.
            progress: Passed on to every step.

        Raises:
            ModelError: llama-cpp-python is not installed.
        """
        installed_version()
        self._plan, self._weights, self._work, self._progress = plan, weights, work, progress
        self._cache = StepCache(plan.cache / "steps")
        self._rungs: dict[str, Rung] = {}
        self._float: Path | None = None

    def folder(self, variant: str) -> Path:
        target = self._work / "variants" / variant
        if not target.is_dir():
            bundle.write_generator(target, self._rung(variant).path, self._plan.recipe, self._weights)
        return target

    def measure(self, variant: str) -> StableFigures:
        return StableFigures(self._rung(variant).figures)

    def timed(self, variant: str) -> GeneratorFigures:
        """All figures, those of speed included."""
        return self._rung(variant).figures

    def facts(self) -> dict[str, Any]:
        return {
            "ladder": asdict(self._plan.recipe.ladder),
            "tensor_types": {name: dict(rung.tensor_types) for name, rung in sorted(self._rungs.items())},
            "begun_from": read_gguf_header(self._weights.gguf).file_type if self._weights.gguf else "weights",
            "made_with": versions("llama_cpp_python", "torch", "transformers"),
        }

    def _rung(self, name: str) -> Rung:
        if name not in self._rungs:
            material = self._plan.trials.material
            assert isinstance(material, TextTrial)
            trial = Trial(material.text, material.prompts)
            found = build_ladder(
                self._original(),
                [name],
                cache=self._cache,
                trial=trial,
                calibration=self._plan.calibration,
                progress=self._progress,
            )
            self._rungs[name] = found[0]
        return self._rungs[name]

    def _original(self) -> Path:
        """The float GGUF from which all rungs are made."""
        if self._float is None:
            make, key = (self._from_gguf, "gguf") if self._weights.gguf else (self._from_weights, "weights")
            inputs = {key: self._weights.key(), "llama_cpp_python": installed_version(), "name": self._plan.recipe.name}
            self._float = self._cache.step("gguf-float", inputs, make) / f"{_FLOAT}.gguf"
        return self._float

    def _from_gguf(self, place: Path) -> None:
        assert self._weights.gguf is not None
        quantize(self._weights.gguf, place / f"{_FLOAT}.gguf", _FLOAT, progress=self._progress)

    def _from_weights(self, place: Path) -> None:
        self._check_architecture()
        converter = get_converter(self._plan.cache / "converter", source=self._plan.converter, progress=self._progress)
        target = place / f"{_FLOAT}.gguf"
        convert(self._weights.folder, target, converter=converter, name=self._plan.recipe.name, progress=self._progress)

    def _check_architecture(self) -> None:
        import json

        found = json.loads((self._weights.folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        if found != self._plan.recipe.architecture:
            raise ModelError(
                f"{self._weights.folder} is a `{found}` model; the recipe says `{self._plan.recipe.architecture}`.",
                hint="Correct `architecture` in the recipe, or pass other weights.",
            )
