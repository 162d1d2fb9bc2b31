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
from edgerag.errors import ModelError
from edgerag.inference.manifest import MANIFEST_NAME, Manifest, ModelFile, Task, hash_file, read_manifest

logger = logging.getLogger(__name__)

TASK_WORDS: dict[str, str] = {
    "embedding": "an embedding model",
    "cross-encoder": "a cross-encoder",
    "generator": "a generator",
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
            raise ModelError(f"Model {self.name} has no {role} file.", hint=reinstall_hint(self))
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
            f"{name!r} cannot name a model.",
            hint="Use up to 80 letters, digits, `.`, `_` and `-`, beginning with a letter or digit.",
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
                    raise ModelError(f"Another model is called {name} already.")
            except ModelError as error:
                broken.append(BrokenModel(folder.name, folder, str(error)))
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
                hint = f"Installed for that: {', '.join(others)}." if others else "`edgerag models list` shows all."
                kind, needed = TASK_WORDS[model.manifest.task], TASK_WORDS[str(task)]
                raise ModelError(f"{model.name} is {kind}; {needed} is needed here.", hint=hint)
            return model
    for folder in broken:
        if folder.name.casefold() == wanted:
            raise ModelError(
                f"The model {name} cannot be used: {folder.reason}",
                hint=f"Type `edgerag models remove {folder.name}` and install it again.",
            )
    raise ModelError(f"No model called {name} is installed.", hint=_not_installed_hint(name, task, models))


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
        raise ModelError(f"The model {model.name} is damaged: {problem}.", hint=reinstall_hint(model))
    return path


def reinstall_hint(model: InstalledModel) -> str:
    """What to do about a damaged model."""
    if model.bundled:
        return "It is part of edgerag: install edgerag again."
    return f"Type `edgerag models remove {model.name}`, then `edgerag models pull` or `import` it again."


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
            f"The models folder {parent} cannot be read: {error.strerror}.",
            hint="Check its permissions, or name another folder in EDGERAG_MODELS.",
        ) from error


def _file_problem(folder: Path, file: ModelFile) -> str | None:
    path = folder / file.path
    try:
        size_bytes = path.stat().st_size
        if size_bytes != file.size_bytes:
            return f"{file.path} has {size_bytes} bytes instead of {file.size_bytes}"
        if hash_file(path) != file.sha256:
            return f"{file.path} is damaged: its hash is not the manifest's"
    except FileNotFoundError:
        return f"{file.path} is missing"
    except OSError as error:
        return f"{file.path} cannot be read: {error.strerror}"
    return None


def _not_installed_hint(name: str, task: Task | None, models: list[InstalledModel]) -> str:
    from edgerag.models.catalogue import load_catalogue  # deferred: only needed to explain a failure

    try:
        available = [entry.name for entry in load_catalogue().values() if task in (None, entry.task)]
    except ModelError as error:
        return f"The catalogue cannot be read: {error} {error.hint}"
    exact = [entry for entry in available if entry.casefold() == name.casefold()]
    if exact:
        return f"Type `edgerag models pull {exact[0]}`."
    here = [model.name for model in models if task in (None, model.manifest.task)]
    by_folded = {known.casefold(): known for known in (*available, *here)}
    near = [by_folded[match] for match in difflib.get_close_matches(name.casefold(), by_folded, n=3)]
    if near and near[0] in here:
        return f"Did you mean {near[0]}, which is installed?"
    if near:
        return f"Did you mean {near[0]}? Type `edgerag models pull {near[0]}`."
    return "`edgerag models list` shows what is installed and what can be pulled."
