"""The models on disk: which are installed, under which name, and whether their files are unchanged.

A model is a folder with a manifest. Those inside the package (`bundled`) cannot be removed or replaced; the
others are folders of `paths.models_dir()`. Folders whose name begins with a dot are an install's work space.
"""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from edgerag import paths
from edgerag.coded_text import coded, with_hint
from edgerag.errors import ModelError, os_reason
from edgerag.file_hash import hash_file
from edgerag.inference.manifest import MANIFEST_NAME, Manifest, ModelFile, Task, read_manifest

logger = logging.getLogger(__name__)

TASK_WORDS: dict[str, str] = {
    "embedding": coded("model.an_embedder", "an embedding model"),
    "cross-encoder": coded("model.a_reranker", "a cross-encoder"),
    "generator": coded("model.a_generator", "a generator"),
}
_NAME_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
# Device names that Windows refuses as a folder, whatever follows the dot:
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)),
}


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model folder whose manifest is well-formed; hashes are checked on loading and by `verify_model`."""

    name: str
    folder: Path
    manifest: Manifest
    bundled: bool
    """Part of the package, not of the models folder."""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.manifest.files.values())

    def file(self, role: str) -> Path:
        """Path of a model file, e.g. role `model`.

        Raises:
            ModelError: The model has no file of this role.
        """
        if role not in self.manifest.files:
            raise ModelError(
                coded("model.no_file", "Model {name} has no {role} file.", name=self.name, role=role),
                hint=reinstall_hint(self),
            )
        return self.folder / self.manifest.files[role].path


@dataclass(frozen=True, slots=True)
class BrokenModel:
    """A folder among the models that cannot be used."""

    name: str
    """The folder's name."""
    folder: Path
    reason: str


def check_name(name: str) -> str:
    """Return the name if it can name a folder on every system.

    Raises:
        ModelError: Empty, too long, or with characters other than letters, digits, `.`, `_` and `-`.
    """
    stem = name.split(".", 1)[0].casefold()
    if not _NAME_FORM.fullmatch(name) or name.endswith(".") or stem in _WINDOWS_DEVICES:
        raise ModelError(
            coded("model.bad_name", "{name} cannot name a model.", name=repr(name)),
            hint=coded(
                "hint.model_name", "Use up to 80 letters, digits, `.`, `_` and `-`, beginning with a letter or digit."
            ),
        )
    return name


def scan() -> tuple[list[InstalledModel], list[BrokenModel]]:
    """Every model folder: the bundled ones first, then by name; and those that cannot be used."""
    models: list[InstalledModel] = []
    broken: list[BrokenModel] = []
    taken: set[str] = set()
    for parent, bundled in ((paths.BUNDLED_MODELS, True), (paths.models_dir(), False)):
        for folder in _folders(parent):
            try:
                manifest = read_manifest(folder)
                name = check_name(manifest.name)
                # File systems that ignore case would not tell such names apart, so neither does edgerag.
                if name.casefold() in taken:
                    raise ModelError(coded("model.same_name", "Another model is called {name} already.", name=name))
            except ModelError as error:
                broken.append(BrokenModel(folder.name, folder, error.message))
                continue
            taken.add(name.casefold())
            models.append(InstalledModel(name, folder, manifest, bundled))
    models.sort(key=lambda model: (not model.bundled, model.name.casefold()))
    return models, broken


def installed(task: Task | None = None) -> list[InstalledModel]:
    """The usable models: the bundled ones first, then by name."""
    models, broken = scan()
    for folder in broken:
        logger.warning("The model folder %s is left out: %s", folder.folder, folder.reason)
    return [model for model in models if task in (None, model.manifest.task)]


def find(name: str, task: Task | None = None) -> InstalledModel:
    """The installed model of a name, whatever the case of its letters.

    Raises:
        ModelError: Not installed, damaged, or made for another task; the hint names what to type.
    """
    models, broken = scan()
    wanted = name.casefold()
    for model in models:
        if model.name.casefold() == wanted:
            if task not in (None, model.manifest.task):
                others = [other.name for other in models if other.manifest.task == task]
                hint = (
                    coded("hint.installed_for", "Installed for that: {names}.", names=", ".join(others))
                    if others
                    else coded("hint.list_models", "`edgerag models list` shows all.")
                )
                kind, needed = TASK_WORDS[model.manifest.task], TASK_WORDS[str(task)]
                told = coded(
                    "model.wrong_task",
                    "{name} is {kind}; {needed} is needed here.",
                    name=model.name,
                    kind=kind,
                    needed=needed,
                )
                raise ModelError(told, hint=hint)
            return model
    for folder in broken:
        if folder.name.casefold() == wanted:
            raise ModelError(
                coded("model.broken", "The model {name} cannot be used: {reason}", name=name, reason=folder.reason),
                hint=coded(
                    "hint.remove_install", "Type `edgerag models remove {name}` and install it again.", name=folder.name
                ),
            )
    raise ModelError(
        coded("model.missing", "No model called {name} is installed.", name=name),
        hint=_not_installed_hint(name, task, models),
    )


def verify_model(model: InstalledModel) -> list[str]:
    """Hash every file again.

    Returns:
        What is wrong, in words, one entry a file; empty where every file is the manifest's.
    """
    problems = (_file_problem(model.folder, file) for file in model.manifest.files.values())
    return [problem for problem in problems if problem is not None]


def verified_file(model: InstalledModel, role: str = "model") -> Path:
    """Path of a model file after hashing it whole, for libraries that load from a path (llama.cpp).

    Raises:
        ModelError: Missing, truncated, or of another hash.
    """
    path = model.file(role)
    problem = _file_problem(model.folder, model.manifest.files[role])
    if problem is not None:
        told = coded("model.damaged", "The model {name} is damaged: {problem}.", name=model.name, problem=problem)
        raise ModelError(told, hint=reinstall_hint(model))
    return path


def reinstall_hint(model: InstalledModel) -> str:
    """What to do about a damaged model."""
    if model.bundled:
        return coded("hint.bundled", "It is part of edgerag: install edgerag again.")
    return coded(
        "hint.remove_pull",
        "Type `edgerag models remove {name}`, then `edgerag models pull` or `import` it again.",
        name=model.name,
    )


def _folders(parent: Path) -> list[Path]:
    try:
        entries = [entry for entry in parent.iterdir() if not entry.name.startswith(".")]
        # A folder without a manifest that merely lies here (`__pycache__`, notes) is no model, broken or not.
        return sorted(
            (entry for entry in entries if (entry / MANIFEST_NAME).is_file()),
            key=lambda entry: entry.name.casefold(),
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ModelError(
            coded(
                "model.folder_unreadable",
                "The models folder {folder} cannot be read: {problem}.",
                folder=parent,
                problem=os_reason(error),
            ),
            hint=coded("hint.models_folder", "Check its permissions, or name another folder in EDGERAG_MODELS."),
        ) from error


def _file_problem(folder: Path, file: ModelFile) -> str | None:
    path = folder / file.path
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return coded(
                "model.file_size",
                "{file} has {size} bytes instead of {expected}",
                file=file.path,
                size=size_bytes,
                expected=file.size_bytes,
            )
        if hash_file(path) != file.sha256:
            return coded("model.file_hash", "{file} is damaged: its hash is not the manifest's", file=file.path)
    except FileNotFoundError:
        return coded("model.file_missing", "{file} is missing", file=file.path)
    except OSError as error:
        return coded(
            "model.file_unreadable", "{file} cannot be read: {problem}", file=file.path, problem=os_reason(error)
        )
    return None


def _not_installed_hint(name: str, task: Task | None, models: list[InstalledModel]) -> str:
    from edgerag.models.catalogue import load_catalogue  # deferred: only needed to explain a failure

    try:
        available = [entry.name for entry in load_catalogue().values() if task in (None, entry.task)]
    except ModelError as error:
        return coded(
            "hint.catalogue", "The catalogue cannot be read: {problem}", problem=with_hint(error.message, error.hint)
        )
    exact = [entry for entry in available if entry.casefold() == name.casefold()]
    if exact:
        return coded("hint.pull", "Type `edgerag models pull {name}`.", name=exact[0])
    here = [model.name for model in models if task in (None, model.manifest.task)]
    by_folded = {known.casefold(): known for known in (*available, *here)}
    near = [by_folded[match] for match in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    if near and near[0] in here:
        return coded("hint.near_installed", "Did you mean {name}, which is installed?", name=near[0])
    if near:
        return coded("hint.near_pull", "Did you mean {name}? Type `edgerag models pull {name}`.", name=near[0])
    return coded("hint.list_all", "`edgerag models list` shows what is installed and what can be pulled.")
