"""`completion`: scripts for the shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a completion script for SHELL.

    \b
    bash: eval "$(edgerag completion bash)"      (in ~/.bashrc)
    zsh:  eval "$(edgerag completion zsh)"       (in ~/.zshrc)
    fish: edgerag completion fish | source       (in ~/.config/fish/config.fish)
    """
    from edgerag.cli.root import root

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root, {}, "edgerag", "_EDGERAG_COMPLETE").source())
