"""What is always visible: a frozen picture of library, models and work, renewed by the session."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

ROLES = ("embedder", "reranker", "generator")


class ModelStage(Enum):
    """Where a model is on its way into memory."""

    WAITING = "waiting"
    LOADING = "loading"
    READY = "ready"
    ABSENT = "absent"
    """None is installed, or the settings want none."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    stage: ModelStage = ModelStage.WAITING
    name: str = ""
    problem: str = ""
    """Why it failed, with what to do about it."""


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """An ingest under way."""

    stage: str
    """`scan`, `ingest` or `index`."""
    done_share: float
    chunks_per_s: float
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Status:
    library: str = ""
    """Folder of the library; empty until it is open."""
    problem: str = ""
    """Why the library could not be opened, with what to do about it."""
    num_documents: int = 0
    num_chunks: int = 0
    num_failed: int = 0
    """Files that could not be read."""
    num_stale: int | None = None
    """Documents whose file has changed or gone since it was read; None: not looked at yet."""
    embedder: ModelStatus = field(default_factory=ModelStatus)
    reranker: ModelStatus = field(default_factory=ModelStatus)
    generator: ModelStatus = field(default_factory=ModelStatus)
    tokens_per_s: float | None = None
    """Of the last generated answer."""
    pulling: str = ""
    """Model that is being downloaded: the only time at which a network is used."""
    sync: SyncStatus | None = None
    degraded: tuple[str, ...] = ()
    """Stages of the last question or search that were skipped or fell back, as `stage: reason`."""

    @property
    def is_open(self) -> bool:
        return bool(self.library)

    @property
    def models(self) -> dict[str, ModelStatus]:
        """By role, in the order in which they load."""
        return {"embedder": self.embedder, "reranker": self.reranker, "generator": self.generator}

    @property
    def is_loading(self) -> bool:
        """Whether the library or a model is still on its way."""
        if self.problem:
            return False
        return not self.is_open or any(
            model.stage in (ModelStage.WAITING, ModelStage.LOADING) for model in self.models.values()
        )
