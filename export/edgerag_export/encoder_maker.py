"""Variants of an encoder as model folders, each compared with float32 once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerag.errors import ModelError
from edgerag_export import bundle
from edgerag_export.encoders.workshop import EncoderWorkshop, oldest_runtime
from edgerag_export.maker import Figures
from edgerag_export.packages import versions
from edgerag_export.progress import Progress
from edgerag_export.sources import Weights
from edgerag_export.step_cache import StepCache
from edgerag_export.variant import parse_variant

if TYPE_CHECKING:
    from edgerag_export.build import Plan


class EncoderMaker:
    """A `Maker` of embedders and cross-encoders."""

    def __init__(self, plan: Plan, weights: Weights, work: Path, progress: Progress) -> None:
        """Make ready; nothing slow happens before `folder`.

        Args:
            plan: Recipe, texts and cache.
            weights: A folder of Hugging Face form.
            work: Scratch folder for the model folders.
            progress: Passed on to every step.

        Raises:
            ModelError: The weights are a GGUF file, or not what the recipe says.
        """
        if weights.gguf is not None:
            raise ModelError(f"{weights.gguf.name} is a generator.", hint="An encoder is made from safetensors.")
        self._plan, self._weights, self._work, self._progress = plan, weights, work, progress
        recipe = plan.recipe
        self._workshop = EncoderWorkshop(
            weights=weights.folder,
            weights_key=weights.key(),
            task=recipe.task,
            architecture=recipe.architecture,
            max_tokens=recipe.max_tokens,
            calibration=["\t".join(item) if isinstance(item, tuple) else item for item in plan.calibration],
            query_prefix=recipe.query_prefix,
            document_prefix=recipe.document_prefix,
            quantization=recipe.quantization,
            cache=StepCache(plan.cache / "steps"),
            progress=progress,
        )
        width = self._workshop.architecture.hidden
        if recipe.task == "embedding" and width != recipe.dim:
            raise ModelError(
                f"{weights.folder} gives vectors of {width} numbers, the recipe says {recipe.dim}.",
                hint="Correct `dim` in the recipe, or pass other weights.",
            )
        self._figures: dict[str, Figures] = {}
        self._reference: Any = None

    def folder(self, variant: str) -> Path:
        target = self._work / "variants" / variant
        if not target.is_dir():
            chosen = parse_variant(variant)
            bundle.write_encoder(
                target, self._workshop.graph(chosen), self._plan.recipe, self._weights, precision=chosen.precision
            )
        return target

    def measure(self, variant: str) -> Figures:
        if variant not in self._figures:
            self._figures[variant] = self._compare(variant)
        return self._figures[variant]

    def facts(self) -> dict[str, Any]:
        options = asdict(self._plan.recipe.quantization)
        return {
            "quantization": options,
            "needs_onnxruntime": oldest_runtime(parse_variant(self._plan.variant)),
            "made_with": versions("torch", "transformers", "optimum-onnx", "onnx", "onnxruntime", "numpy"),
        }

    def _compare(self, variant: str) -> Figures:
        # deferred: onnxruntime and the text collections, which making a graph does not need
        from edgerag_export.measure.embedding import compare, embed_reference
        from edgerag_export.measure.rerank import compare_rerank, score_reference
        from edgerag_export.measure.rerank_trial import RerankTrial
        from edgerag_export.measure.trial import Trial

        def advance(label: str, done: int, total: int) -> None:
            self._progress(f"measure {label}", done, total)

        folder, exact, material = self.folder(variant), self.folder("float32"), self._plan.trials.material
        if isinstance(material, RerankTrial):
            self._reference = self._reference or score_reference(exact, material, progress=advance)
            return compare_rerank(folder, self._reference, progress=advance)
        assert isinstance(material, Trial)
        self._reference = self._reference or embed_reference(exact, material, progress=advance)
        return compare(folder, self._reference, progress=advance)
