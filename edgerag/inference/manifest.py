"""`manifest.json`: what a model folder holds, and the hashes without which none of it is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from edgerag.coded_text import coded
from edgerag.errors import ModelError, os_reason
from edgerag.file_hash import hash_file

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 1
REINSTALL_HINT = coded(
    "hint.reinstall", "Install it again: `edgerag models remove NAME`, then `edgerag models pull` or `import`."
)

Task = Literal["embedding", "cross-encoder", "generator"]
Pooling = Literal["mean", "cls", "none"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    path: str
    """Relative to the manifest's folder, `/` between parts, never outside it."""
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    name: str
    task: Task
    files: dict[str, ModelFile]
    """By role: `model` and `tokenizer` for ONNX models, `model` for a GGUF, `license`, ..."""
    license: str
    """SPDX identifier, or words where there is none."""
    dim: int = 0
    """Width of an embedding; 0 for other tasks."""
    pooling: Pooling = "none"
    query_prefix: str = ""
    document_prefix: str = ""
    max_tokens: int = 0
    """Longest input in tokens, special ones included."""
    languages: tuple[str, ...] = ("*",)
    """ISO 639-1 codes, or `*` for a multilingual model."""
    precision: str = "float32"
    """What the weights and the arithmetic were made of, e.g. `int8-static`."""
    source: dict[str, Any] = field(default_factory=dict)
    """Where the weights came from: repository and revision, or package, version and hash."""
    schema_version: int = SCHEMA_VERSION

    @property
    def fingerprint(self) -> str:
        """Hash of everything that changes an embedding's meaning, 32 hex digits."""
        parts = [
            self.files["model"].sha256,
            self.files["tokenizer"].sha256 if "tokenizer" in self.files else "",
            self.pooling,
            self.query_prefix,
            self.document_prefix,
            str(self.max_tokens),
            self.precision,
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def read_manifest(folder: Path) -> Manifest:
    """Read and check the form of a manifest; the files' hashes are checked by `verified_bytes`.

    Raises:
        ModelError: Missing, not JSON, of a newer schema, or with a field that does not fit.
    """
    path = folder / MANIFEST_NAME
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(
            coded("model.no_manifest", "{folder} holds no {name}.", folder=folder, name=MANIFEST_NAME),
            hint=coded("hint.no_model_folder", "It is not a model folder."),
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(
            coded("model.unreadable", "{path} cannot be read: {problem}.", path=path, problem=os_reason(error)),
            hint=REINSTALL_HINT,
        ) from error
    return parse_manifest(raw, origin=str(path))


def parse_manifest(raw: Any, *, origin: str) -> Manifest:
    """Turn the JSON object into a `Manifest`, checking as it goes."""
    if not isinstance(raw, Mapping):
        raise ModelError(f"{origin} is not a JSON object.", hint=REINSTALL_HINT)
    if raw.get("schema_version") != SCHEMA_VERSION:
        raise ModelError(
            f"{origin} has schema version {raw.get('schema_version')!r}; this program reads {SCHEMA_VERSION}.",
            hint="Update edgerag, or install the model again.",
        )
    known = set(Manifest.__dataclass_fields__) | {"fingerprint"}
    if unknown := sorted(set(raw) - known):
        raise ModelError(f"{origin} has unknown fields: {', '.join(unknown)}.", hint="Update edgerag.")
    try:
        files = {role: _model_file(entry, origin) for role, entry in dict(raw["files"]).items()}
        manifest = Manifest(
            name=str(raw["name"]),
            task=cast(Task, raw["task"]),
            files=files,
            license=str(raw["license"]),
            dim=int(raw.get("dim", 0)),
            pooling=cast(Pooling, raw.get("pooling", "none")),
            query_prefix=str(raw.get("query_prefix", "")),
            document_prefix=str(raw.get("document_prefix", "")),
            max_tokens=int(raw.get("max_tokens", 0)),
            languages=tuple(str(code) for code in raw.get("languages", ["*"])),
            precision=str(raw.get("precision", "float32")),
            source=dict(raw.get("source", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            coded("model.bad_manifest", "{path} is not a valid manifest: {problem}.", path=origin, problem=repr(error)),
            hint=REINSTALL_HINT,
        ) from error
    if manifest.task not in ("embedding", "cross-encoder", "generator"):
        raise ModelError(f"{origin} has the unknown task {manifest.task!r}.", hint="Update edgerag.")
    if manifest.pooling not in ("mean", "cls", "none"):
        raise ModelError(f"{origin} has the unknown pooling {manifest.pooling!r}.", hint="Update edgerag.")
    if "model" not in files:
        raise ModelError(f"{origin} names no model file.", hint=REINSTALL_HINT)
    recorded = raw.get("fingerprint")
    if recorded is not None and recorded != manifest.fingerprint:
        raise ModelError(
            coded("model.changed", "{path} was changed after it was made.", path=origin), hint=REINSTALL_HINT
        )
    return manifest


def _model_file(entry: Any, origin: str) -> ModelFile:
    file = ModelFile(str(entry["path"]), str(entry["sha256"]), int(entry["size_bytes"]))
    parts = Path(file.path).parts
    if Path(file.path).is_absolute() or ".." in parts or "\\" in file.path or ":" in file.path:
        raise ModelError(f"{origin} names a file outside its folder: {file.path!r}.", hint="Do not use this model.")
    return file


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `manifest.json` with its fingerprint; the same manifest always gives the same bytes."""
    raw = asdict(manifest) | {"fingerprint": manifest.fingerprint}
    text = json.dumps(raw, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / MANIFEST_NAME).write_text(text, encoding="utf-8", newline="\n")


def describe_file(folder: Path, relative: str) -> ModelFile:
    """Hash a file for a manifest."""
    return ModelFile(relative, hash_file(folder / relative), (folder / relative).stat().st_size)


def verified_bytes(folder: Path, manifest: Manifest, role: str) -> bytes:
    """Read a model file whole and return its bytes only if they are the manifest's.

    Loading these very bytes leaves no moment between check and use in which the file could change.

    Raises:
        ModelError: Missing, truncated, or of another hash.
    """
    if role not in manifest.files:
        raise ModelError(
            coded("model.no_file", "Model {name} has no {role} file.", name=manifest.name, role=role),
            hint=REINSTALL_HINT,
        )
    file = manifest.files[role]
    try:
        content = (folder / file.path).read_bytes()
    except OSError as error:
        raise ModelError(
            coded(
                "model.unreadable",
                "{path} cannot be read: {problem}.",
                path=folder / file.path,
                problem=os_reason(error),
            ),
            hint=REINSTALL_HINT,
        ) from error
    if len(content) != file.size_bytes:
        raise ModelError(
            coded(
                "model.wrong_size",
                "{path} has {size} bytes instead of {expected}.",
                path=folder / file.path,
                size=len(content),
                expected=file.size_bytes,
            ),
            hint=REINSTALL_HINT,
        )
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ModelError(
            coded("model.wrong_hash", "{path} is damaged: its hash is not the manifest's.", path=folder / file.path),
            hint=REINSTALL_HINT,
        )
    return content
