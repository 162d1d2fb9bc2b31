"""Listing, pulling, verifying, measuring and removing models on behalf of the screens; rules as in `session.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgerag.errors import ModelError
from edgerag_tui import messages, settings_work
from edgerag_tui.status import ModelStage, ModelStatus
from edgerag_tui.strings import say, say_with_hint, tr
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag.models.catalogue import CatalogueEntry
    from edgerag.models.events import PullResult
    from edgerag.models.speed import Speed
    from edgerag.models.store import InstalledModel
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target

TASKS = ("generator", "cross-encoder", "embedding")
"""In the order of the list."""
SETTING_OF = {task: setting for setting, task in settings_work.MODEL_TASKS.items()}
"""The setting that chooses the model of a task."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model as the screen shows it, wherever it is."""

    name: str
    task: str
    """One of `TASKS`; empty for a broken folder."""
    state: str
    """`bundled`, `installed`, `available`, `untried` (available), `builtin` (a reranker without weights), `broken`."""
    size_bytes: int = 0
    """0: not known."""
    license: str = ""
    description: str = ""
    """Of the catalogue, or why it is broken."""
    speed: Speed | None = None
    precision: str = ""
    parameters: str = ""
    languages: tuple[str, ...] = ()
    max_tokens: int = 0
    """Longest input, or a generator's room for prompt and answer; 0: not known."""
    sources: tuple[str, ...] = ()
    """Where it can be pulled from, or was."""
    folder: str = ""

    @property
    def is_here(self) -> bool:
        return self.state in ("bundled", "installed")

    @property
    def can_pull(self) -> bool:
        return self.state in ("available", "untried")


def list_models(session: Session, *, to: Target) -> Task:
    """Every model that is installed or can be pulled, by task; `ModelsListed`."""

    def work(task: Task) -> list[ModelRow]:
        from edgerag.models import store
        from edgerag.models.catalogue import load_catalogue
        from edgerag.models.speed import key_of, read_speeds

        models, broken = store.scan()
        entries = {entry.name.casefold(): entry for entry in load_catalogue().values()}
        speeds = read_speeds()
        rows = [_installed(model, entries.get(model.name.casefold()), speeds.get(key_of(model))) for model in models]
        rows += [ModelRow(name, "cross-encoder", "builtin") for name in settings_work.RERANKERS]
        here = {model.name.casefold() for model in models}
        rows += [_available(entry) for name, entry in entries.items() if name not in here]
        rows += [
            ModelRow(each.name, "", "broken", description=say(each.reason), folder=str(each.folder)) for each in broken
        ]
        order = {task: place for place, task in enumerate(TASKS)}
        return sorted(rows, key=lambda row: (order.get(row.task, len(order)), row.can_pull))

    return session.run_apart("models", "models", work, to=to, reply=messages.ModelsListed)


def _installed(model: InstalledModel, entry: CatalogueEntry | None, speed: Speed | None) -> ModelRow:
    manifest = model.manifest
    told = [manifest.source.get(key) for key in ("repository", "package", "version")]
    source = " ".join(str(part) for part in told if part)
    return ModelRow(
        model.name,
        manifest.task,
        "bundled" if model.bundled else "installed",
        model.size_bytes,
        manifest.license,
        entry.description if entry is not None else "",
        speed,
        manifest.precision,
        entry.parameters if entry is not None else "",
        manifest.languages,
        manifest.max_tokens,
        (source,) if source else (),
        str(model.folder),
    )


def _available(entry: CatalogueEntry) -> ModelRow:
    return ModelRow(
        entry.name,
        entry.task,
        "available" if entry.tried else "untried",
        entry.size_bytes,
        entry.license,
        entry.description,
        None,
        entry.precision if entry.task != "generator" else "",
        entry.parameters,
        entry.languages,
        entry.context_tokens or entry.max_tokens,
        tuple(say(source.told) for source in entry.sources),
    )


def pull_model(session: Session, name: str, *, to: Target) -> Task:
    """Download a model, which is the only use of a network; `PullAdvanced`, then `Finished` or `Failed`.

    A generator that is the first one is loaded at once.
    """

    def work(task: Task) -> PullResult | None:
        from edgerag.config import load_settings
        from edgerag.models.events import PullResult
        from edgerag.models.pull import pull  # a network client comes with it, here alone

        result = None
        to.post_message(messages.PullAdvanced(task.id, None))
        session.change(pulling=name)
        try:
            for event in pull(name, package_index=load_settings().package_index, stop=task.stop):
                if isinstance(event, PullResult):
                    result = event
                else:
                    to.post_message(messages.PullAdvanced(task.id, event))
        finally:
            session.change(pulling="")
        if result is not None and result.model.manifest.task == "generator":
            _use_first_generator(session, to)
        return result

    return session.run_apart("pull", "pull", work, to=to)


def _use_first_generator(session: Session, to: Target) -> None:
    """Load what is installed where nothing was; in the lane of the answers."""
    if not session.status.is_open or session.status.generator.stage is not ModelStage.ABSENT:
        return
    session.run_apart("ask", "load", lambda task: _reload_generator(session), to=to, reply=lambda task_id, result: None)


def _reload_generator(session: Session) -> None:
    session.change(generator=ModelStatus(ModelStage.LOADING))
    try:
        model = session.engine.models.generator()
    except ModelError as error:
        problem = say_with_hint(error.message, error.hint)
        session.change(generator=ModelStatus(ModelStage.FAILED, problem=problem))
        return
    name = model.name if model is not None else ""
    session.change(generator=ModelStatus(ModelStage.READY if name else ModelStage.ABSENT, name))


def verify_model(session: Session, name: str, *, to: Target) -> Task:
    """Hash the files of a model again; `Finished` with what is wrong, in words."""

    def work(task: Task) -> list[str]:
        from edgerag.models import store

        return store.verify_model(store.find(name))

    return session.run_apart("models", "verify", work, to=to)


def measure_model(session: Session, name: str, *, to: Target) -> Task:
    """Let a model work for some seconds and keep how fast it was; `Finished` with the `Speed`."""

    def work(task: Task) -> Speed:
        from edgerag.config import load_settings
        from edgerag.models import speed, store

        model = store.find(name)
        measured = speed.measure(model, threads=load_settings().threads, stop=task.stop)
        speed.keep_speed(model, measured)
        return measured

    return session.run_apart("models", "measure", work, to=to)


def remove_model(session: Session, name: str, task_of: str, *, to: Target) -> Task:
    """Remove a model, and go back to the default where a setting names it; `Finished` with whether it was there."""

    def work(task: Task) -> bool:
        from edgerag.models import install

        setting = SETTING_OF.get(task_of, "")
        is_named = bool(setting) and _chosen(session, setting).casefold() == name.casefold()
        if is_named and setting == "embedder":
            raise ModelError(tr("errors.own_embedder", name=name), hint=tr("errors.choose_other"))
        is_loaded = session.status.generator.name.casefold() == name.casefold()
        if is_loaded and session.status.is_open:
            session.engine.models.forget_generators()  # Windows removes no file that is open
        removed = install.remove_model(name)
        if is_named:
            settings_work.set_to_default(session, setting)
        elif is_loaded and session.status.is_open:
            _reload_generator(session)
        return removed

    return session.run_apart("ask", "remove", work, to=to)


def _chosen(session: Session, setting: str) -> str:
    from edgerag.config import load_settings

    settings = session.engine.settings if session.status.is_open else load_settings()
    return str(getattr(settings, setting))
