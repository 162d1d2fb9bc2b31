"""`--in PATH`: only these documents."""

from __future__ import annotations

import click

from edgerag.datatypes import DocumentFilter


def _as_filter(context: click.Context, parameter: click.Parameter, paths: tuple[str, ...]) -> DocumentFilter | None:
    if any(not path.strip() for path in paths):
        raise click.BadParameter("must not be blank.")
    return DocumentFilter(paths=paths) if paths else None


within_option = click.option(
    "--in",
    "within",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    callback=_as_filter,
    help="Only in this file or folder, or where this pattern fits ('*.md', '2024/**'); the end of a path is enough. "
    "May be repeated.",
)
