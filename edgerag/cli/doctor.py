"""`doctor`: is this installation sound, and which value does each setting have?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import click

from edgerag import __version__, paths
from edgerag.cli.context import CliContext
from edgerag.cli.fallbacks import distance_way, extensions_in_words, generator_way, int8_way, is_slow
from edgerag.cli.render import format_size
from edgerag.coded_text import coded, with_hint
from edgerag.cpu import this_processor
from edgerag.errors import EdgeragError, ModelError
from edgerag.settings_file import config_file, setting_values

Verdict = Literal["ok", "note", "problem"]
LOW_DISK_BYTES = 500_000_000
FULL_DISK_BYTES = 50_000_000
IS_BUNDLE = bool(getattr(sys, "frozen", False))
MARKS: dict[str, str] = {"ok": "ok  ", "note": "note", "problem": "BAD "}


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    verdict: Verdict
    text: str


@click.command()
@click.option("--settings", "show_settings", is_flag=True, help="Show every setting: value, origin, meaning.")
@click.pass_obj
def doctor(context: CliContext, show_settings: bool) -> int:
    """Check this installation: SQLite, models, native libraries, disk. Exit 1 if something needs attention."""
    if show_settings:
        _show_settings(context)
        return 0
    findings = list(find_all(context))
    if context.as_json:
        context.print_json({"findings": [{"name": f.name, "verdict": f.verdict, "text": f.text} for f in findings]})
    else:
        for finding in findings:
            click.echo(f"{MARKS[finding.verdict]}  {finding.name}: {finding.text}")
    return 1 if any(finding.verdict == "problem" for finding in findings) else 0


def find_all(context: CliContext) -> Iterator[Finding]:
    """Every check, one after the other; one that fails is a finding too."""
    yield Finding(
        "edgerag",
        "ok",
        coded(
            "doctor.edgerag",
            "{version} on Python {python}, {system} {machine}",
            version=__version__,
            python=platform.python_version(),
            system=platform.system(),
            machine=platform.machine(),
        ),
    )
    checks: tuple[tuple[str, Callable[[CliContext], Finding]], ...] = (
        ("settings", _settings),
        ("sqlite", _sqlite),
        ("library", _library),
        ("disk", _disk),
        ("processor", _processor),
        ("onnxruntime", _onnxruntime),
        ("embedder", _embedder),
        ("hnswlib", _hnswlib),
        ("llama.cpp", _llama),
        ("generator", _generator),
        ("threads", _threads),
    )
    for name, check in checks:
        try:
            yield check(context)
        except EdgeragError as error:
            yield Finding(name, "problem", with_hint(error.message, error.hint))


def _settings(context: CliContext) -> Finding:
    context.settings()
    file = config_file()
    text = str(file)
    if not file.is_file():
        text = coded("doctor.defaults", "defaults ({file} does not exist)", file=file)
    return Finding("settings", "ok", text)


def _sqlite(context: CliContext) -> Finding:
    from edgerag.storage.sqlite import driver, is_wal_safe

    version = f"{driver.sqlite_version} ({driver.__name__})"
    if is_wal_safe():
        return Finding("sqlite", "ok", version)
    return Finding(
        "sqlite",
        "note",
        coded(
            "doctor.old_sqlite",
            "{version} is older than 3.51.3: a search may wait while an ingest commits: the write-ahead log is not "
            "safe in it. Nothing is lost.",
            version=version,
        ),
    )


def _library(context: CliContext) -> Finding:
    from edgerag.storage.library import Library

    folder = paths.chosen_dir(context.library or paths.default_library_dir())
    if not (folder / "library.db").exists():
        text = coded("doctor.no_library", "none at {folder} yet; `edgerag add PATH` starts one", folder=folder)
        return Finding("library", "note", text)
    with Library.open(folder, create=False) as library:
        counts = library.counts()
    text = coded(
        "doctor.library",
        "{folder}: {documents} documents, {chunks} chunks",
        folder=folder,
        documents=counts["documents"],
        chunks=counts["chunks"],
    )
    return Finding("library", "ok", text)


def _disk(context: CliContext) -> Finding:
    folder = paths.chosen_dir(context.library or paths.default_library_dir())
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    text = coded("doctor.disk", "{size} free at {folder}", size=format_size(free), folder=existing)
    if free > LOW_DISK_BYTES:
        return Finding("disk", "ok", text)
    # A stick is small, and so may the library on it be: no fault until nothing more fits.
    if free > FULL_DISK_BYTES:
        return Finding("disk", "note", coded("doctor.disk_low", "{text}: reading many files may fill it", text=text))
    return Finding(
        "disk", "problem", coded("doctor.disk_full", "{text}: too little to read files; free some", text=text)
    )


def _processor(context: CliContext) -> Finding:
    processor = this_processor()
    return Finding("processor", "ok" if processor.source else "note", extensions_in_words(processor))


def _onnxruntime(context: CliContext) -> Finding:
    import onnxruntime

    if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        text = coded("doctor.telemetry", "telemetry is not switched off: ORT_DISABLE_TELEMETRY was changed")
        return Finding("onnxruntime", "problem", text)
    way = int8_way(this_processor())
    text = coded("doctor.onnxruntime", "{version}, telemetry off", version=onnxruntime.__version__)
    return Finding("onnxruntime", "ok", coded("doctor.and", "{text}, {more}", text=text, more=way) if way else text)


def _embedder(context: CliContext) -> Finding:
    from edgerag.inference.embedder import OnnxEmbedder
    from edgerag.models.store import find

    model = find(context.settings().embedder, "embedding")
    embedder = OnnxEmbedder.open(model.folder)
    embedder.encode_query("Is this model sound?")
    embedder.close()
    return Finding(
        "embedder",
        "ok",
        coded(
            "doctor.embedder",
            "{name}, {dim} dimensions, {size}, hash fits",
            name=model.name,
            dim=embedder.dim,
            size=format_size(model.size_bytes),
        ),
    )


def _hnswlib(context: CliContext) -> Finding:
    try:
        import hnswlib  # noqa: F401
    except ImportError as error:
        text = coded(
            "doctor.no_hnswlib", "cannot be loaded ({problem}): every search scans all vectors, exactly", problem=error
        )
        return Finding("hnswlib", "note", text)
    # A bundle's is compiled for the baseline; one that pip compiled, for the machine that it was compiled on.
    way = distance_way(this_processor(), is_portable=IS_BUNDLE)
    limit = context.settings().exact_scan_limit
    text = coded("doctor.hnswlib", "used above {limit} chunks; up to that, all vectors are compared", limit=limit)
    if way:
        text = coded(
            "doctor.hnswlib_way",
            "used above {limit} chunks, {way}; up to that, all vectors are compared",
            limit=limit,
            way=way,
        )
    return Finding("hnswlib", "ok", text)


def _llama(context: CliContext) -> Finding:
    from edgerag.inference.generator_native import load_library
    from edgerag.inference.ggml_variants import prepared_arithmetic

    try:
        library = load_library()
    except ModelError as error:
        if error.code != "generator.not_installed":
            raise
        text = coded("doctor.no_llama", "not installed: answers are extractive.")
        remedy = coded("doctor.add_llama", 'pip install "edgerag[llm]" adds it')
        if IS_BUNDLE:
            remedy = coded("doctor.llm_bundle", "a bundle named -llm has it")
        return Finding("llama.cpp", "note", with_hint(text, remedy))
    arithmetic = prepared_arithmetic()
    version = f"llama-cpp-python {library.__version__}"
    if arithmetic is None:
        return Finding("llama.cpp", "ok", version)
    way = generator_way(arithmetic.variant, arithmetic.extensions)
    return Finding(
        "llama.cpp",
        "note" if is_slow(arithmetic.extensions) else "ok",
        coded("doctor.and", "{text}, {more}", text=version, more=way),
    )


def _generator(context: CliContext) -> Finding:
    from edgerag.models.store import find, installed

    name = context.settings().generator
    models = [find(name, "generator")] if name else installed("generator")
    if not models:
        return Finding(
            "generator",
            "note",
            coded(
                "doctor.no_generator",
                "none: answers are extractive. `edgerag models pull smollm2-135m` gets a small one",
            ),
        )
    return Finding("generator", "ok", f"{models[0].name}, {format_size(models[0].size_bytes)}")


def _threads(context: CliContext) -> Finding:
    from edgerag.cores import usable_cores

    chosen = context.settings().threads
    cores = usable_cores()
    if chosen > cores:
        return Finding(
            "threads",
            "problem",
            coded(
                "doctor.many_threads",
                "set to {chosen}, but {cores} cores may be used: more threads than cores are slower",
                chosen=chosen,
                cores=cores,
            ),
        )
    text = coded("doctor.threads", "{chosen} of {cores} usable cores", chosen=chosen or cores, cores=cores)
    return Finding("threads", "ok", text)


def _show_settings(context: CliContext) -> None:
    file = config_file()
    rows = []
    for setting in setting_values():
        origin = {"default": "default", "file": str(file), "environment": setting.variable}[setting.origin]
        rows.append((setting.name, setting.value, origin, setting.about))
    if context.as_json:
        context.print_json(
            {
                "file": str(file),
                "settings": [
                    {"name": name, "value": value, "origin": origin, "about": about}
                    for name, value, origin, about in rows
                ],
            }
        )
        return
    click.echo(f"# {file}")
    for name, value, origin, about in rows:
        shown = list(value) if isinstance(value, tuple) else value
        click.echo(f"{name} = {shown!r}  ({origin})\n    {about}")
