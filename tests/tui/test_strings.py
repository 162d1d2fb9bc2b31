"""The catalogue: both languages say the same things, and the code asks for nothing else."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import edgerag_tui
from edgerag.ask.absence import Stage
from edgerag.config import setting_fields
from edgerag_tui import strings
from edgerag_tui.keymap import action_id, bind
from edgerag_tui.model_names import BUILT_IN
from edgerag_tui.models_work import TASKS
from edgerag_tui.screens.inspect import PANES
from edgerag_tui.screens.models_content import COLUMNS, Doing
from edgerag_tui.screens.search_request import MODES, SearchRequest
from edgerag_tui.screens.settings_content import GROUPS
from edgerag_tui.sections import SECTIONS
from edgerag_tui.status import ROLES
from tests.tui.engine_texts import engine_texts

TIMED = (
    "filter",
    "lexical",
    "embed",
    "vector",
    "fuse",
    "load",
    "rerank",
    "retrieve",
    "evidence",
    "prompt",
    "first_token",
)
TIMED += ("generate", "total")
"""Stages that an answer's times name."""
TRANSLATED_CHECKS = (
    "settings",
    "library",
    "disk",
    "processor",
    "embedder",
    "generator",
    "threads",
    "terminal",
    "offline",
)
"""Checks of the doctor's that are not called after a program."""
DEGRADED = ("lexical", "embed", "vector", "storage", "freshness", "retrieve", "evidence", "rerank", "generate", "cite")
DEGRADED += ("conversation",)
"""Stages that `degraded` names."""
PACKAGE = Path(edgerag_tui.__file__).parent
# Keys that are put together in the code, with what they are put together from.
COMPOSED = {
    *(f"sections.{section.id}" for section in SECTIONS),
    *(f"about.{section.id}" for section in SECTIONS),
    *(f"actions.app.go_{section.id}" for section in SECTIONS),
    *(f"roles.{role}" for role in ROLES),
    *(f"stages.{stage}" for stage in ("scan", "ingest", "index")),
    *(f"themes.{theme}" for theme in ("dark", "light", "contrast")),
    *(f"document.state_{state}" for state in ("moved", "changed")),
    *(f"models.task_{task or 'none'}" for task in (*TASKS, "")),
    *(f"models.state_{state}" for state in ("bundled", "installed", "available", "untried", "builtin", "broken")),
    *(f"models.doing_{doing.value}" for doing in Doing),
    *(f"models.name_{kind}" for kind in BUILT_IN),
    *(f"models.column_{name}" for name in COLUMNS),
    *(f"settings.about.{setting.name}" for setting in setting_fields()),
    *(f"settings.about.{name}" for group in ("interface", "places") for name in GROUPS[group]),
    *(f"settings.group_{group}" for group in (*GROUPS, "other")),
    *(f"settings.origin_{origin}" for origin in ("default", "environment", "command", "session")),
    *(f"engine.{code}" for code in engine_texts()),
    *(f"degraded.{stage}" for stage in DEGRADED),
    *(f"doctor.{verdict}" for verdict in ("ok", "note", "problem")),
    *(f"doctor.name_{name}" for name in TRANSLATED_CHECKS),
    *(f"search.mode_{mode}" for mode in MODES),
    *(f"search.stage_{stage}" for stage in SearchRequest().stages),
    *(f"inspect.way_{way}" for way in ("exact", "hnsw", "hnsw_tail")),
    *(f"inspect.own_{stage}" for stage in SearchRequest().stages),
    *(f"inspect.pane_{pane}" for pane in PANES),
    *(f"inspect.stage_{stage}" for stage in (*get_args(Stage), *TIMED)),
}


def texts_in_code() -> Iterator[str]:
    """Every string literal of the package."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def calls(name: str, place: int) -> Iterator[str]:
    """Literal arguments of all calls of a function."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                argument = node.args[place] if len(node.args) > place else None
                if isinstance(argument, ast.Constant):
                    yield argument.value
                elif isinstance(argument, ast.IfExp):
                    yield from (
                        part.value for part in (argument.body, argument.orelse) if isinstance(part, ast.Constant)
                    )


def test_both_languages_have_the_same_keys() -> None:
    assert strings.catalogue("zh").keys() == strings.catalogue("en").keys()


def test_both_languages_fill_in_the_same_names() -> None:
    english, chinese = strings.catalogue("en"), strings.catalogue("zh")
    for key, text in english.items():
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
        assert {name for _, name, _, _ in string.Formatter().parse(chinese[key]) if name} == names, key


def test_every_string_that_the_code_asks_for_is_there() -> None:
    wanted = {*calls("tr", 0), *(f"actions.{action_id(bind('a', 'b', name))}" for name in calls("bind", 2)), *COMPOSED}
    assert sorted(wanted - strings.catalogue("en").keys()) == []


def test_no_string_is_left_over() -> None:
    used = {*texts_in_code(), *(f"actions.{action_id(bind('a', 'b', name))}" for name in calls("bind", 2)), *COMPOSED}
    numbered = {"actions.ask.open", "actions.inspect.pane"}
    widgets = {key for key in strings.catalogue("en") if key.startswith("help.widgets.")}
    assert sorted(strings.catalogue("en").keys() - used - numbered - widgets) == []


def test_no_string_reads_as_markup() -> None:
    for language in strings.LANGUAGES:
        for key, text in strings.catalogue(language).items():
            # What the engine says comes to the screen through `safe`, as its values do.
            if key != "help.keymap" and not key.startswith("engine."):
                assert "[" not in text, key


def test_language_follows_the_environment() -> None:
    assert strings.language_of({"LANG": "zh_CN.UTF-8"}) == "zh"
    assert strings.language_of({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}) == "en"
    assert strings.language_of({"LANG": "de_DE.UTF-8"}) == "en"
    assert strings.language_of({}) == "en"
