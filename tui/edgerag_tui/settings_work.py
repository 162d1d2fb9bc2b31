"""Reading and changing settings on behalf of the screens; rules as in `session.py`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgerag_tui import messages
from edgerag_tui.status import ModelStage, ModelStatus
from edgerag_tui.tasks import Task

if TYPE_CHECKING:
    from edgerag_tui.session import Session
    from edgerag_tui.session_reading import Target

MODEL_TASKS = {"embedder": "embedding", "reranker": "cross-encoder", "generator": "generator"}
"""Settings that name a model, with its task."""
RERANKERS = ("maxsim", "none")
"""What `reranker` may be without a model of its own."""
NEXT_START = frozenset({"embedder", "threads", "exact_scan_limit", "hnsw_ef"})
"""Settings whose models or index stay open as they are; all others count at once."""
SWITCHING = frozenset({"generator", "reranker", "context_tokens"})
"""Settings whose change waits for the answer under way."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting as the screen shows it."""

    name: str
    value: Any
    """In force; of one that counts from the next start on, what will be."""
    default: Any
    origin: str
    """`default`, `file`, `environment`, `command` (line), or `session`: until the program ends."""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    """What it may well be; others are checked."""
    until_restart: Any = None
    """What is in force until the next start, where that differs."""
    can_change: bool = True
    file: str = "config.toml"
    """Where it is kept."""

    @property
    def variable(self) -> str:
        """Its environment variable; empty for what has none."""
        return f"EDGERAG_{self.name.upper()}" if self.file == "config.toml" else ""


@dataclass(frozen=True, slots=True)
class SettingChange:
    """What has become of a change."""

    name: str
    before: Any
    """None: not known, since the settings could not be read."""
    value: Any
    at_next_start: bool
    overridden_by: str
    """Environment variable that will win over the file at the next start; empty where there is none."""


def list_settings(session: Session, *, to: Target) -> Task:
    """Every setting with value and origin; `SettingsListed`."""

    def work(task: Task) -> list[SettingRow]:
        from edgerag.models.store import installed
        from edgerag.settings_file import setting_values

        running = session.engine.settings if session.status.is_open else None
        models = installed()
        rows = []
        for setting in setting_values():
            row = SettingRow(setting.name, setting.value, setting.default, setting.origin, setting.low, setting.high)
            if task_of := MODEL_TASKS.get(setting.name):
                names = tuple(model.name for model in models if model.manifest.task == task_of)
                row = replace(row, choices=(*RERANKERS, *names) if setting.name == "reranker" else names)
            if running is not None and (live := getattr(running, setting.name)) != setting.value:
                if setting.name in NEXT_START:
                    row = replace(row, until_restart=live)
                else:
                    row = replace(row, value=live, origin="session")
            rows.append(row)
        return rows

    return session.run_apart("settings", "settings", work, to=to, reply=messages.SettingsListed)


def change_setting(session: Session, name: str, text: str, *, to: Target) -> Task:
    """Check a value as a person typed it, use it, and write it to the file; `SettingChanged` or `Failed`."""

    def work(task: Task) -> SettingChange:
        from edgerag.config import parse_setting

        value = parse_setting(name, text, origin="this window")
        _check_model(name, value)
        return _change(session, name, value)

    return _run(session, name, work, to)


def reset_setting(session: Session, name: str, *, to: Target) -> Task:
    """Take a setting out of the file, and use what it is then; `SettingChanged` or `Failed`."""

    def work(task: Task) -> SettingChange:
        return _change(session, name, None)

    return _run(session, name, work, to)


def set_to_default(session: Session, name: str) -> None:
    """The same as `reset_setting`, for work that is under way already."""
    _change(session, name, None)


def _run(session: Session, name: str, work: Any, to: Target) -> Task:
    # In the lane of the answers: none loses its generator while it is written.
    lane = "ask" if name in SWITCHING else "settings"
    return session.run_apart(lane, "setting", work, to=to, reply=messages.SettingChanged)


def _check_model(name: str, value: Any) -> None:
    from edgerag.models.store import find

    if name in MODEL_TASKS and value and not (name == "reranker" and value in RERANKERS):
        find(value, MODEL_TASKS[name])  # type: ignore[arg-type]


def _change(session: Session, name: str, value: Any) -> SettingChange:
    """Use a value, then write it (None: take it out of the file); what cannot be used is not written."""
    from edgerag import settings_file

    known = {setting.name: setting for setting in settings_file.setting_values()}[name]
    new = known.default if value is None else value
    before = getattr(session.engine.settings, name) if session.status.is_open else known.value
    use(session, name, new)
    try:
        if value is None:
            settings_file.reset_setting(name)
        else:
            settings_file.write_setting(name, value)
    except Exception:
        use(session, name, before)
        raise
    overridden = known.variable if known.variable in os.environ else ""
    return SettingChange(name, before, new, name in NEXT_START, overridden)


def use(session: Session, name: str, value: Any) -> None:
    """Change a setting of the open engine, loading the model that it names; nothing where it counts later.

    Raises:
        ModelError: The model cannot be loaded; everything is as before.
    """
    if name in NEXT_START or not session.status.is_open:
        return
    engine = session.engine
    if getattr(engine.settings, name) == value:
        return
    before = session.status.models.get(name)
    if before is not None:
        session.change(**{name: ModelStatus(ModelStage.LOADING)})
    try:
        engine.models.switch(replace(engine.settings, **{name: value}))
        engine.settings = engine.models.settings
        loaded = ""
        if before is not None:
            model = engine.models.generator() if name == "generator" else engine.models.reranker
            loaded = model.name if model is not None else ""
    except Exception:
        if before is not None:
            session.change(**{name: before})
        raise
    if before is not None:
        session.change(**{name: ModelStatus(ModelStage.READY if loaded else ModelStage.ABSENT, loaded)})


def places(session: Session) -> list[SettingRow]:
    """The folders, which are chosen before the program starts."""
    from edgerag import paths

    library = session.status.library or str(session.folder or paths.default_library_dir())
    is_default = Path(library) == paths.default_library_dir().absolute()
    rows = [("library", library, "command" if not is_default else "default", "EDGERAG_LIBRARY")]
    rows += [("models", str(paths.models_dir()), "default", "EDGERAG_MODELS")]
    rows += [("config", str(paths.config_dir()), "default", "EDGERAG_CONFIG")]
    return [
        SettingRow(
            f"{name}_folder",
            value,
            "",
            "environment" if origin == "default" and os.environ.get(variable) else origin,
            can_change=False,
            file=variable,
        )
        for name, value, origin, variable in rows
    ]
