"""Names of the forms in which an encoder can be written: a method, its ranges, and the processors it is for."""

from __future__ import annotations

from dataclasses import dataclass

from edgerag.errors import SettingsError

METHODS = ("float32", "float16", "static", "dynamic", "weights-8bit", "weights-4bit")
"""`static`: int8 products with fixed, calibrated input scales. `dynamic`: input scales taken from each batch.
`weights-8bit`, `weights-4bit`: only the weights are small, in blocks (MatMulNBits)."""
RANGES = ("min-max", "percentile", "entropy")
"""How `static` finds the range of its inputs: all that was seen; all but the rarest; the least loss of information."""
TARGETS = ("portable", "x86-avx2", "x86-vnni", "arm64")
"""Processors: `portable` computes the same on all of them; `x86-avx2` cannot overflow without VNNI; `x86-vnni` and
`arm64` use all eight bits because products are added in 32 bits there."""


@dataclass(frozen=True, slots=True)
class Variant:
    method: str = "static"
    ranges: str = "min-max"
    """Of `static` alone."""
    target: str = "portable"

    @property
    def name(self) -> str:
        """E.g. `static`, `static-entropy`, `dynamic@x86-vnni`; `parse_variant` reads it back."""
        ranges = "" if self.ranges == "min-max" else f"-{self.ranges}"
        target = "" if self.target == "portable" else f"@{self.target}"
        return f"{self.method}{ranges}{target}"

    @property
    def precision(self) -> str:
        """What a manifest says of the weights and the arithmetic, e.g. `int8-static`; part of the fingerprint."""
        kinds = {"static": "int8-static", "dynamic": "int8-dynamic", "weights-8bit": "int8-weights",
                 "weights-4bit": "int4-weights"}  # fmt: skip
        base = kinds.get(self.method, self.method)
        return base + self.name.removeprefix(self.method)


def parse_variant(name: str) -> Variant:
    """Read a variant's name.

    Raises:
        SettingsError: Not one of the known methods, ranges and targets.
    """
    head, _, target = name.partition("@")
    method, ranges = head, "min-max"
    for kind in RANGES[1:]:
        if head == f"static-{kind}":
            method, ranges = "static", kind
    if method not in METHODS or (target or "portable") not in TARGETS:
        raise SettingsError(
            f"There is no variant `{name}`.",
            hint=f"METHOD or METHOD@TARGET: {', '.join(METHODS)}, static-percentile, static-entropy; "
            f"targets {', '.join(TARGETS)}.",
        )
    return Variant(method, ranges, target or "portable")
