"""Weights of a repository on a model hub, at one commit: only the files that an export needs, each continued if cut."""

from __future__ import annotations

import fnmatch
import os
from pathlib import Path, PurePosixPath

from edgerag.errors import ModelError
from edgerag.file_hash import hash_file
from edgerag.models.catalogue import HubSource, SourceFile
from edgerag.models.download import download
from edgerag.models.hub_source import locate_hub_file
from edgerag_export.progress import Progress
from edgerag_export.recipe import Source

_WANTED = (
    "config.json", "generation_config.json", "tokenizer*.json", "tokenizer.model", "special_tokens_map.json", "vocab.*",
    "merges.txt", "added_tokens.json", "sentencepiece*.model", "model.safetensors", "model-*-of-*.safetensors",
    "model.safetensors.index.json", "LICENSE*", "LICENCE*",
)  # fmt: skip
_COMPLETE = ".complete"
_PICKLED = "pytorch_model.bin"
"""Taken only where there are no safetensors: unpickling runs code."""


def download_repository(source: Source, cache: Path, *, progress: Progress) -> Path:
    """Return a folder with the repository's files at the recipe's commit.

    A repository that was downloaded whole needs no connection; a cut download is continued. Hashes are compared
    with those that the hub announces and, for the weights, with the recipe's.

    Args:
        source: Names repository and revision.
        cache: One folder for each repository and commit is made below it.
        progress: Called with `fetch`, bytes done and bytes in all.

    Raises:
        ModelError: No connection, no such repository, commit or file, or another hash.
    """
    kind = f"-{PurePosixPath(source.file).stem}" if source.file else ""
    folder = cache / f"{source.repository.replace('/', '--')}-{source.revision[:12]}{kind}"
    if (folder / _COMPLETE).is_file():
        return folder
    wanted = [source.file] if source.file else _choose(_list_files(source))
    folder.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        target = folder / PurePosixPath(name).name
        is_weights = target.suffix in (".safetensors", ".bin", ".gguf")
        expected = source.sha256 if is_weights and len([n for n in wanted if n.endswith(target.suffix)]) == 1 else ""
        if target.is_file() and (not expected or hash_file(target) == expected):
            continue
        place = HubSource(source.repository, source.revision, (SourceFile("model", name, expected),))
        found = locate_hub_file(place, place.files[0])
        for transfer in download(found.remote, target):
            progress("fetch", transfer.done_bytes, transfer.total_bytes)
        sha256 = found.remote.sha256 or expected
        if sha256 and hash_file(target) != sha256:
            target.unlink()
            raise ModelError(
                f"{name} of {source.repository} arrived with another SHA-256 than {sha256}.",
                hint="Try again; if it stays so, do not use it.",
            )
    (folder / _COMPLETE).touch()
    return folder


def _list_files(source: Source) -> list[str]:
    """Names of all files at the commit."""
    # Before huggingface_hub is imported, which reads these once: it reports to its makers otherwise.
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_XET"] = "1"
    import huggingface_hub  # deferred, and the reason why only a build from a hub imports this module

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    try:
        api = huggingface_hub.HfApi(endpoint=endpoint)
        return list(api.list_repo_files(source.repository, revision=source.revision))
    except Exception as error:  # its HTTP client, and with it the base of connection errors, changes with its version
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
        raise ModelError(
            f"The hub does not list {source.repository} at {source.revision[:12]}: {reason}.",
            hint="Is this machine online? Or pass the weights with --source. HF_ENDPOINT names another hub, "
            "HF_TOKEN opens private ones.",
        ) from error


def _choose(names: list[str]) -> list[str]:
    """The files that an export needs, configuration first."""
    # Some repositories keep other forms of the model in subfolders.
    top = [name for name in names if "/" not in name]
    chosen = [name for pattern in _WANTED for name in fnmatch.filter(top, pattern)]
    if not any(name.endswith(".safetensors") for name in chosen) and _PICKLED in top:
        chosen.append(_PICKLED)
    return list(dict.fromkeys(chosen))
