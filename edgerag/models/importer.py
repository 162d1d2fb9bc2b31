"""Install a model from a file or a folder of this machine."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edgerag.errors import ModelError
from edgerag.inference.manifest import MANIFEST_NAME, read_manifest
from edgerag.models.describe import describe_gguf, describe_onnx
from edgerag.models.disk import check_free_space
from edgerag.models.gguf import MAGIC, read_gguf_header
from edgerag.models.install import check_name_is_free, copy_file, install_files, install_lock, staging_folder
from edgerag.models.onnx_folder import (
    ImportOptions,
    find_license_file,
    find_onnx_files,
    guess_license,
    guess_traits,
)
from edgerag.models.store import InstalledModel, check_name
from edgerag.protocols import StopFlag


def import_model(
    source: Path, *, name: str = "", options: ImportOptions | None = None, stop: StopFlag | None = None
) -> InstalledModel:
    """Copy a model into the models folder: a GGUF file, a folder with a manifest, or one with an ONNX model.

    Args:
        name: Empty: the manifest's, or the file's or folder's own.

    Raises:
        ModelError: Not a model, damaged, a name that is taken, or something that cannot be found out.
    """
    options = options or ImportOptions()
    if source.is_file():
        return _import_gguf(source, name or _name_from(source.stem), options, stop)
    if not source.is_dir():
        raise ModelError(f"{source} does not exist.", hint="Give a GGUF file or the folder of an ONNX model.")
    if (source / MANIFEST_NAME).is_file():
        return _import_folder(source, name, stop)
    return _import_onnx(source, name or _name_from(source.resolve().name), options, stop)


def _import_gguf(source: Path, name: str, options: ImportOptions, stop: StopFlag | None) -> InstalledModel:
    try:
        with source.open("rb") as stream:
            is_gguf = stream.read(4) == MAGIC
        size_bytes = source.stat().st_size
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    if not is_gguf:
        raise ModelError(f"{source} is not a GGUF file.", hint="For an ONNX model give its folder.")
    if options.task not in (None, "generator"):
        raise ModelError(f"{source.name} is a GGUF file: a generator.", hint="Leave out `--task`.")
    read_gguf_header(source)  # before hundreds of MB are copied
    with _place(name, size_bytes, stop) as folder:
        copy = folder / f"{_name_from(source.stem)}.gguf"
        copy_file(source, copy, stop)
        origin = {"kind": "file", "file": source.name}
        manifest = describe_gguf(
            copy, name=name, license_name=options.license, source=origin, languages=options.languages
        )
        return install_files(name, {"model": copy}, manifest)


def _import_folder(source: Path, name: str, stop: StopFlag | None) -> InstalledModel:
    """A folder that edgerag made: every file must be the manifest's."""
    manifest = read_manifest(source)
    manifest = replace(manifest, name=name or manifest.name)
    total_bytes = sum(file.size_bytes for file in manifest.files.values())
    with _place(manifest.name, total_bytes, stop) as folder:
        copies: dict[str, Path] = {}
        for number, (role, file) in enumerate(manifest.files.items()):
            copies[role] = folder / f"file-{number}"
            if not (source / file.path).is_file():
                raise ModelError(f"{source} lacks {file.path}.", hint="Copy the whole folder again.")
            if copy_file(source / file.path, copies[role], stop) != file.sha256:
                raise ModelError(
                    f"{source / file.path} is damaged: its hash is not the manifest's.",
                    hint="Copy the folder again from where it was made.",
                )
        if manifest.task == "generator":
            read_gguf_header(copies["model"])
        return install_files(manifest.name, copies, manifest)


def _import_onnx(source: Path, name: str, options: ImportOptions, stop: StopFlag | None) -> InstalledModel:
    if options.task == "generator":
        raise ModelError(f"{source} holds no GGUF file.", hint="Generators are imported from a GGUF file.")
    originals = find_onnx_files(source)
    # All that can be refused is refused before anything is copied.
    traits = guess_traits(source, originals, options, name=name)
    license_file = find_license_file(source)
    if license_file is not None:
        originals["license"] = license_file
    total_bytes = sum(file.stat().st_size for file in originals.values())
    with _place(name, total_bytes, stop) as folder:
        copies = {role: folder / file.name for role, file in originals.items()}
        for role, file in originals.items():
            copy_file(file, copies[role], stop)
        manifest = describe_onnx(
            copies,
            traits,
            name=name,
            license_name=options.license or guess_license(source),
            source={"kind": "folder", "folder": source.resolve().name, "file": originals["model"].name},
        )
        return install_files(name, copies, manifest)


@contextlib.contextmanager
def _place(name: str, size_bytes: int, stop: StopFlag | None) -> Iterator[Path]:
    """A staging folder under the install lock; a failed import leaves nothing: it cannot be continued."""
    check_name_is_free(name, may_replace=False)
    with install_lock(name, stop):
        check_name_is_free(name, may_replace=False)
        folder = staging_folder(name) / "import"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        check_free_space(folder, size_bytes)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _name_from(text: str) -> str:
    """A name made from a file's: whatever cannot be part of one becomes a hyphen."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80]
    if not name:
        raise ModelError(f"No name can be made from {text!r}.", hint="Give one with `--name`.")
    return check_name(name)
