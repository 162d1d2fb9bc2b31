"""`doctor`: is this installation sound, and which value does each setting have?"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import click

from edgerag import __version__, paths
from edgerag.cli.context import CliContext
from edgerag.cli.render import format_size
from edgerag.errors import EdgeragError
from edgerag.settings_file import config_file, setting_values

Verdict = Literal["ok", "note", "problem"]
LOW_DISK_BYTES = 500_000_000
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
        f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}",
    )
    checks: tuple[tuple[str, Callable[[CliContext], Finding]], ...] = (
        ("settings", _settings),
        ("sqlite", _sqlite),
        ("library", _library),
        ("disk", _disk),
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
            yield Finding(name, "problem", f"{error} {error.hint}".strip())


def _settings(context: CliContext) -> Finding:
    context.settings()
    file = config_file()
    return Finding("settings", "ok", f"{file}" if file.is_file() else f"defaults ({file} does not exist)")


def _sqlite(context: CliContext) -> Finding:
    from edgerag.storage.sqlite import driver, is_wal_safe

    version = f"{driver.sqlite_version} ({driver.__name__})"
    if is_wal_safe():
        return Finding("sqlite", "ok", version)
    return Finding(
        "sqlite",
        "note",
        f"{version} is older than 3.51.3: a search may wait while an ingest commits: the write-ahead log is not "
        "safe in it. Nothing is lost.",
    )


def _library(context: CliContext) -> Finding:
    from edgerag.storage.library import Library

    folder = context.library or paths.default_library_dir()
    if not (folder / "library.db").exists():
        return Finding("library", "note", f"none at {folder} yet; `edgerag add PATH` starts one")
    with Library.open(folder, create=False) as library:
        counts = library.counts()
    return Finding("library", "ok", f"{folder}: {counts['documents']} documents, {counts['chunks']} chunks")


def _disk(context: CliContext) -> Finding:
    folder = context.library or paths.default_library_dir()
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    return Finding("disk", "ok" if free > LOW_DISK_BYTES else "problem", f"{format_size(free)} free at {existing}")


def _onnxruntime(context: CliContext) -> Finding:
    import onnxruntime

    if os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        return Finding("onnxruntime", "problem", "telemetry is not switched off: ORT_DISABLE_TELEMETRY was changed")
    return Finding("onnxruntime", "ok", f"{onnxruntime.__version__}, telemetry off")


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
        f"{model.name}, {embedder.dim} dimensions, {format_size(model.size_bytes)}, hash fits",
    )


def _hnswlib(context: CliContext) -> Finding:
    try:
        import hnswlib  # noqa: F401
    except ImportError as error:
        return Finding("hnswlib", "note", f"cannot be loaded ({error}): every search scans all vectors, exactly")
    return Finding("hnswlib", "ok", f"used above {context.settings().exact_scan_limit} chunks")


def _llama(context: CliContext) -> Finding:
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(
            "llama.cpp",
            "note",
            f'not usable ({error}): answers are extractive. pip install "edgerag[llm]" adds it',
        )
    return Finding("llama.cpp", "ok", f"llama-cpp-python {llama_cpp.__version__}")


def _generator(context: CliContext) -> Finding:
    from edgerag.models.store import find, installed

    name = context.settings().generator
    models = [find(name, "generator")] if name else installed("generator")
    if not models:
        return Finding(
            "generator",
            "note",
            "none: answers are extractive. `edgerag models pull smollm2-135m` gets a small one",
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
            f"set to {chosen}, but {cores} cores may be used: more threads than cores are slower",
        )
    return Finding("threads", "ok", f"{chosen or cores} of {cores} usable cores")


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
