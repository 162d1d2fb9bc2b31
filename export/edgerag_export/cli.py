"""`edgerag export`: the commands of the export side. Heavy packages load when a build starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import edgerag  # noqa: F401  first: it switches onnxruntime's telemetry off before that can be imported
from edgerag.cli.numbers import FiniteRange
from edgerag_export.cli_options import FILE, FOLDER, NEW, global_options, input_options, planned, show, with_messages
from edgerag_export.cli_progress import StepProgress


@click.group()
def export() -> None:
    """Make small models out of published ones, and show what that cost."""


@export.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output", type=NEW, metavar="DIR", help="Model folder to write or replace. Default: the recipe's name, here."
)
@click.option(
    "--variant",
    default="",
    metavar="NAME",
    help="Instead of the recipe's: static, static-entropy, dynamic@arm64, weights-8bit, ...; q8_0, q4_k_m, ...",
)
@input_options
@click.pass_context
@with_messages
def build(ctx: click.Context, recipe: Path, output: Path | None, variant: str, dry_run: bool, **inputs: Any) -> None:
    """Build the model folder of RECIPE, if it stays within the recipe's tolerance.

    Fetches the weights (checking their hash), turns them into ONNX or GGUF, quantises, measures the result
    against the float original with edgerag's own runtime, and writes nothing that lost too much. An
    interrupted build goes on where it stopped.
    """
    # deferred: `--help` needs none of it
    from edgerag_export import build as steps
    from edgerag_export.recipe import load_recipe

    plan = steps.plan(load_recipe(recipe), variant=variant, output=output, **inputs)
    if dry_run:
        show(ctx, planned(plan) | {"output": str(plan.output)})
        return
    progress = StepProgress(quiet=global_options(ctx).quiet)
    try:
        figures = steps.build(plan, progress=progress)
    finally:
        progress.close()
    built = {"recipe": plan.recipe.name, "variant": plan.variant, "output": str(plan.output)}
    show(ctx, {**built, **figures.as_json()})


@export.command()
@click.argument("recipe", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="RECIPE|REPORT")
@click.option("--output", type=NEW, metavar="DIR", help="For report.html and report.json. Default: NAME-report, here.")
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Only these; may be repeated.")
@click.option(
    "--budget-s",
    type=FiniteRange(0),
    default=120.0,
    show_default=True,
    help="Time for measuring speed, all variants together, in s; 0: none.",
)
@input_options
@click.pass_context
@with_messages
def report(
    ctx: click.Context,
    recipe: Path,
    output: Path | None,
    variants: tuple[str, ...],
    budget_s: float,
    dry_run: bool,
    **inputs: Any,
) -> None:
    """Measure all variants of RECIPE and write report.html and report.json; or show a REPORT (.json) again."""
    from edgerag_export.cli_report import run_report  # deferred: as above

    run_report(ctx, recipe, output=output, variants=variants, budget_s=budget_s, dry_run=dry_run, inputs=inputs)


@export.command()
@click.argument("adapter", type=FOLDER)
@click.option("--base", type=FOLDER, required=True, metavar="DIR", help="Folder of the model it was trained on.")
@click.option("--output", type=NEW, required=True, metavar="FILE", help="GGUF file to write.")
@click.option("--converter", type=FILE, metavar="FILE", help="As of `build`.")
@click.option("--cache", type=NEW, metavar="DIR", help="As of `build`.")
@click.pass_context
@with_messages
def lora(
    ctx: click.Context, adapter: Path, base: Path, output: Path, converter: Path | None, cache: Path | None
) -> None:
    """Turn the LoRA ADAPTER (a folder in the form of `peft`) into a GGUF file that llama.cpp loads beside its base."""
    # deferred: as above
    from edgerag.file_hash import hash_file
    from edgerag_export.generators.converter import get_converter
    from edgerag_export.generators.to_gguf import check_lora, convert_lora
    from edgerag_export.sources import default_cache

    progress = StepProgress(quiet=global_options(ctx).quiet)
    check_lora(adapter, base)
    try:
        found = get_converter((cache or default_cache()) / "converter", source=converter, progress=progress)
        convert_lora(adapter, base, output, converter=found, progress=progress)
    finally:
        progress.close()
    show(ctx, {"output": str(output), "size_mb": output.stat().st_size / 1e6, "sha256": hash_file(output)})


@export.command()
@click.option("--cache", type=NEW, metavar="DIR", help="The one to empty; default: that of `build`.")
@click.pass_context
@with_messages
def clean(ctx: click.Context, cache: Path | None) -> None:
    """Delete the finished steps of earlier builds. Downloads stay."""
    from edgerag_export.sources import default_cache  # deferred: as above
    from edgerag_export.step_cache import StepCache

    steps = StepCache((cache or default_cache()) / "steps")
    show(ctx, {"cache": str(steps.folder), "freed_mb": steps.clear() / 1e6})
