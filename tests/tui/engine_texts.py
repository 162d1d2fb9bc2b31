"""Every coded text of the engine, read out of its sources: what the application's catalogue has to have words for."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import edgerag
from edgerag import errors

PACKAGE = Path(edgerag.__file__).parent
FIRST_TEMPLATE = {"coded": 1, "_counted": 2}
"""Functions that make a coded text, and which argument is its first template."""
ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.EdgeragError)
}
ERRORS |= {"NetworkError", "StatusError", "HashError", "DiskFullError"}


@dataclass
class EngineText:
    templates: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)

    @property
    def names(self) -> set[str]:
        """The values that the text carries."""
        return set().union(*map(placeholders, self.templates))


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def engine_texts() -> dict[str, EngineText]:
    """By code.

    Raises:
        AssertionError: A code or a template is put together, so that nobody could look it up.
    """
    found: dict[str, EngineText] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = dict(_constants(tree))
        for call in _calls(tree):
            assert isinstance(call.func, ast.Name)
            where = f"{file.relative_to(PACKAGE)}:{call.lineno}"
            code = call.args[0]
            if call.func.id == "coded" and isinstance(code, ast.Name):
                continue  # within `_counted`, whose callers are looked at
            assert isinstance(code, ast.Constant) and isinstance(code.value, str), f"{where}: no literal code"
            text = found.setdefault(code.value, EngineText())
            text.places.append(where)
            for argument in call.args[FIRST_TEMPLATE[call.func.id] :]:
                templates = list(_templates(argument, constants))
                assert templates, f"{where}: no literal template"
                text.templates |= set(templates)
    return found


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FIRST_TEMPLATE:
            yield node


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name) and isinstance(statement.value.value, str):
                    yield target.id, statement.value.value


def _templates(node: ast.expr, constants: dict[str, str]) -> Iterator[str]:
    match node:
        case ast.Constant(str(text)):
            yield text
        case ast.Name(name) if name in constants:
            yield constants[name]
        case ast.IfExp(_, body, orelse):
            yield from _templates(body, constants)
            yield from _templates(orelse, constants)


def uncoded_errors(*, without: frozenset[str]) -> list[str]:
    """Errors of the engine that are made of plain text, by place.

    Args:
        without: Modules, as paths below the package, that are not looked at.
    """
    found: list[str] = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name in without or name.split("/", 1)[0] in without:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            if node.func.id not in ERRORS:
                continue
            hints = [keyword.value for keyword in node.keywords if keyword.arg == "hint"]
            if any(isinstance(part, ast.Constant | ast.JoinedStr) and _said(part) for part in (node.args[0], *hints)):
                found.append(f"{name}:{node.lineno}")
    return found


def _said(node: ast.expr) -> bool:
    return not (isinstance(node, ast.Constant) and node.value == "")
