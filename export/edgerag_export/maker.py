"""What a build asks of a task: model folders by variant, and what each of them lost against the float original."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol


class Figures(Protocol):
    """What was measured of a variant; `gate` looks up the figures that a tolerance bounds by their names."""

    def as_json(self) -> dict[str, Any]:
        """For `report.json`: the same for the same input, so nothing that depends on the machine's speed."""


class Maker(Protocol):
    """Makes and measures the variants of one model; `EncoderMaker` and `GeneratorMaker` are the two kinds."""

    def folder(self, variant: str) -> Path:
        """Return a complete model folder that the runtime opens, making it first.

        Raises:
            ModelError: A step failed.
        """

    def measure(self, variant: str) -> Figures:
        """Compare a variant with the float original, both run by `edgerag.inference`.

        Raises:
            ModelError: The model could not be run.
        """

    def facts(self) -> dict[str, Any]:
        """What went into it, for `report.json`: options, texts, versions."""
