"""``harness completion``: the shell's completion script."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash:  harness completion bash >> ~/.bashrc
    zsh:   harness completion zsh >> ~/.zshrc
    fish:  harness completion fish > ~/.config/fish/completions/harness.fish
    """  # noqa: D301 - click needs the control character itself
    from click.shell_completion import get_completion_class

    from harness.cli import group

    completion = get_completion_class(shell)
    assert completion is not None  # noqa: S101 - the choices are those that click has
    click.echo(completion(group, {}, "harness", "_HARNESS_COMPLETE").source())
