"""What `edgerag export report` found out about the variants of one model, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgerag_export.measure.embedding import Figures
from edgerag_export.measure.generator import GeneratorFigures
from edgerag_export.measure.int8_peak import Peak
from edgerag_export.measure.lengths import LengthFigures
from edgerag_export.measure.rerank import RerankFigures
from edgerag_export.measure.speed import SpeedFigures
from edgerag_export.report.machine import Machine

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class VariantReport:
    """One variant; of `embedding`, `rerank` and `generator` the one that fits the task is there."""

    name: str
    precision: str
    """As its manifest says."""
    size_mb: float
    """Millions of bytes of the weights."""
    is_reference: bool = False
    """The float original, to which the others are compared."""
    failures: tuple[str, ...] = ()
    """What the gate says: each figure outside the recipe's tolerance, and by how much."""
    embedding: Figures | None = None
    rerank: RerankFigures | None = None
    generator: GeneratorFigures | None = None
    speed: SpeedFigures | None = None

    @property
    def passes(self) -> bool:
        return not self.failures

    @property
    def target(self) -> str:
        """The processors it is for: what stands behind the `@` of its name, or `portable`."""
        return self.name.partition("@")[2] or "portable"


@dataclass(frozen=True, slots=True)
class Recommendation:
    chosen: str | None
    """A variant's name; None where none is within the tolerance."""
    reason: str
    front: tuple[str, ...]
    """Variants within the tolerance that no other of them equals in quality, speed and size and beats in one."""
    rejected: tuple[str, ...]
    """Each variant outside the tolerance, with the figures that failed."""


@dataclass(frozen=True, slots=True)
class Report:
    task: str
    """`embedding`, `cross-encoder` or `generator`."""
    model: str
    trial: str
    """Name of the texts on which quality was measured."""
    machine: Machine
    variants: tuple[VariantReport, ...]
    recommendation: Recommendation
    lengths: LengthFigures | None = None
    peak: Peak | None = None
    tolerance: dict[str, float] = field(default_factory=dict)
    """The recipe's bounds, by figure; empty where the gate was not asked."""
    notes: tuple[str, ...] = ()
    """What a reader has to know: what was left out, what was small."""
    made_at: str = ""
    """When, if the caller wants it told: two reports from the same figures are equal without."""
    schema_version: int = SCHEMA_VERSION

    @property
    def reference(self) -> VariantReport | None:
        return next((variant for variant in self.variants if variant.is_reference), None)
