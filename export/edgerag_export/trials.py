"""What a recipe's model is measured on: judged questions, texts that nobody has judged, pairs, or a running text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgerag.errors import SettingsError
from edgerag_export.measure.rerank_trial import RerankTrial, pair_trial, read_rerank_trial
from edgerag_export.measure.trial import Trial, read_beir, text_trial
from edgerag_export.recipe import Recipe
from edgerag_export.texts import read_pairs, read_texts

PROMPT_WORDS = 12
NUM_PROMPTS = 8


@dataclass(frozen=True, slots=True)
class TextTrial:
    """For a generator."""

    name: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole, of which the perplexity is measured."""
        return "\n\n".join(self.paragraphs)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Beginnings of paragraphs, spread over the text, which variant and original go on with."""
        step = max(1, len(self.paragraphs) // NUM_PROMPTS)
        return tuple(" ".join(text.split()[:PROMPT_WORDS]) for text in self.paragraphs[::step][:NUM_PROMPTS])


@dataclass(frozen=True, slots=True)
class Trials:
    """One of these, by the recipe's task."""

    material: Trial | RerankTrial | TextTrial

    @property
    def name(self) -> str:
        return self.material.name

    def texts(self) -> tuple[str, ...]:
        """All texts that are embedded, judged or read."""
        if isinstance(self.material, Trial):
            return self.material.documents
        if isinstance(self.material, RerankTrial):
            return tuple(dict.fromkeys(text for row in self.material.candidates for text in row))
        return self.material.paragraphs

    def measured(self) -> set[Any]:
        """What must not have been calibrated on, in the form of the calibration."""
        if isinstance(self.material, RerankTrial):
            pairs = zip(self.material.queries, self.material.candidates, strict=True)
            return {(query, text) for query, row in pairs for text in row}
        return set(self.texts())

    def describe(self) -> dict[str, Any]:
        """Name and extent, for `--dry-run`."""
        if isinstance(self.material, TextTrial):
            return {"measured_on": self.name, "words": len(self.material.text.split())}
        return {"measured_on": self.name, "queries": len(self.material.queries), "documents": len(self.texts())}


def read_trials(
    recipe: Recipe, *, beir: Path | None = None, texts: Path | None = None, max_documents: int = 0
) -> Trials:
    """Read what the recipe's model is measured on.

    Args:
        beir: Judged collection; not for generators.
        texts: In place of the recipe's `check`.
        max_documents: Of the judged collection; 0: all.

    Raises:
        SettingsError: Not readable, or not of the form that the task needs.
    """
    path = texts if texts is not None else recipe.beside(recipe.check)
    if recipe.task == "generator":
        if beir is not None:
            raise SettingsError("A generator is not measured on judged questions.", hint="Give a text: --texts FILE.")
        return Trials(TextTrial(path.name, tuple(read_texts(path))))
    if recipe.task == "cross-encoder":
        if beir is not None:
            return Trials(read_rerank_trial(beir, max_documents=max_documents))
        return Trials(pair_trial(path.name, read_pairs(path)))
    if beir is not None:
        return Trials(read_beir(beir, max_documents=max_documents))
    return Trials(text_trial(path.name, read_texts(path)))
