"""Pull a model: the one command that reaches a network.

look up in the catalogue -> each source in turn -> download -> hash -> look inside -> manifest -> rename
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from edgerag import paths
from edgerag.coded_text import coded, one_after_the_other
from edgerag.errors import ModelError
from edgerag.inference.manifest import Manifest
from edgerag.models.catalogue import CatalogueEntry, Source, find_entry
from edgerag.models.describe import OnnxTraits, describe_gguf, describe_onnx
from edgerag.models.disk import DiskFullError, StoppedError, check_free_space
from edgerag.models.download import RetryPolicy
from edgerag.models.events import PullEvent, PullNote, PullResult
from edgerag.models.fetch import Fetched, FetchRun, fetch
from edgerag.models.install import check_name_is_free, install_files, install_lock, pins_lock, staging_folder
from edgerag.models.pins import add_pins, read_pins
from edgerag.models.store import InstalledModel, scan, verify_model
from edgerag.protocols import StopFlag

logger = logging.getLogger(__name__)


def pull(
    name: str,
    *,
    package_index: str = "",
    repin: bool = False,
    stop: StopFlag | None = None,
    retry: RetryPolicy | None = None,
) -> Iterator[PullEvent]:
    """Download and install a model of the catalogue; one that is installed and whole is left alone.

    Args:
        package_index: The setting of this name.
        repin: Download again, and accept other files than those of the first download where the catalogue
            has no hash.

    Yields:
        Notes and progress; a `PullResult` at the end.

    Raises:
        ModelError: Unknown name, or no source gave the model; what was downloaded so far is kept, and the
            next pull continues.
    """
    entry = find_entry(name)
    check_name_is_free(entry.name, may_replace=True)
    models_folder = paths.models_dir()
    failures: list[tuple[Source, ModelError]] = []
    with install_lock(entry.name, stop):
        present = _whole_model(entry.name)
        if present is not None and not repin:
            yield PullResult(present, already_installed=True, source="")
            return
        check_free_space(models_folder, entry.size_bytes)
        for source in entry.sources:
            pins = {} if repin else read_pins(models_folder)
            run = FetchRun(staging_folder(entry.name), pins, package_index, stop, retry)
            yield PullNote(coded("pull.trying", "{name}: trying the {source}", name=entry.name, source=source.told))
            try:
                fetched = yield from fetch(source, run)
                manifest = _describe(entry, fetched)
            except (DiskFullError, StoppedError):
                raise
            except ModelError as error:
                logger.info("%s failed: %s", source, error)
                failures.append((source, error))
                if len(failures) < len(entry.sources):  # the last one is the error itself
                    yield PullNote(
                        coded("pull.source_failed", "{name}: {problem}", name=entry.name, problem=error.message),
                        is_warning=True,
                    )
                continue
            # Pins first: a model without its pin would be accepted changed the next time.
            with pins_lock(stop):
                add_pins(models_folder, run.new_pins)
            model = install_files(entry.name, fetched.files, manifest)
            yield PullResult(model, already_installed=False, source=str(source), pinned=tuple(run.new_pins))
            return
    raise _all_failed(entry, failures)


def _whole_model(name: str) -> InstalledModel | None:
    """The installed model of this name, if none of its files is damaged."""
    for model in scan()[0]:
        if model.name.casefold() == name.casefold():
            return None if verify_model(model) else model
    return None


def _describe(entry: CatalogueEntry, fetched: Fetched) -> Manifest:
    """Look inside; files that cannot be used are deleted, so that the next pull does not find them whole."""
    try:
        if entry.task == "generator":
            return describe_gguf(
                fetched.files["model"],
                name=entry.name,
                license_name=entry.license,
                source=fetched.origin,
                languages=entry.languages,
            )
        traits = OnnxTraits(
            task=entry.task,
            pooling=entry.pooling,
            query_prefix=entry.query_prefix,
            document_prefix=entry.document_prefix,
            max_tokens=entry.max_tokens,
            languages=entry.languages,
            precision=entry.precision,
        )
        manifest = describe_onnx(
            fetched.files, traits, name=entry.name, license_name=entry.license, source=fetched.origin
        )
        if entry.dim not in (0, manifest.dim):
            raise ModelError(
                f"{entry.name} gives vectors of width {manifest.dim}, and the catalogue says {entry.dim}.",
                hint="Correct the entry in models.toml.",
            )
        return manifest
    except ModelError:
        for file in fetched.files.values():
            file.unlink(missing_ok=True)
        raise


def _all_failed(entry: CatalogueEntry, failures: list[tuple[Source, ModelError]]) -> ModelError:
    if len(failures) == 1:
        source, error = failures[0]
        told = coded(
            "pull.failed",
            "{name} could not be pulled from the {source}: {problem}",
            name=entry.name,
            source=source.told,
            problem=error.message,
        )
        return ModelError(told, hint=error.hint)
    reasons = [
        coded(
            "pull.reason",
            "({number}) The {source}: {problem}",
            number=number,
            source=source.told,
            problem=error.message,
        )
        for number, (source, error) in enumerate(failures, 1)
    ]
    told = coded(
        "pull.all_failed",
        "{name} could not be pulled from any of its {number} sources. {reasons}",
        name=entry.name,
        number=len(failures),
        reasons=one_after_the_other(reasons),
    )
    return ModelError(told, hint=one_after_the_other([error.hint for _, error in failures if error.hint]))
