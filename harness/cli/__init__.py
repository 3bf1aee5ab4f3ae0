"""The command line: one file a command, loaded when it is called for."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from harness import __version__
from harness.errors import HarnessError

COMMANDS = {
    "run": "Measure codecs on images; the same command again finishes what is missing.",
    "plan": "Show what 'run' would do: cases, what is done, expected time and disk.",
    "runtime": "Measure speed and memory alone, over resolutions.",
    "list": "List codecs, datasets, metrics or runs.",
    "doctor": "Show what works here, what does not, and the command that fixes it.",
    "check": "Test an adapter against the contract.",
    "env": "List, build, enter or remove the environments that codecs run in.",
    "upstream": "Fetch the repositories that adapters run code of.",
    "weights": "Fetch the weights of codecs.",
    "bdrate": "Print BD-rate tables of a results folder.",
    "report": "Write R-D plots, tables and an HTML page of a results folder.",
    "compare": "Compare a candidate with its base; exit code 1 where it got worse.",
    "history": "Show a codec's metrics over its checkpoints, and where they changed.",
    "paper": "Write a paper's tables and figures, measured beside published.",
    "encode": "Encode one image file with a codec.",
    "decode": "Decode one bitstream file with a codec.",
    "completion": "Print the shell completion script for bash, zsh or fish.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the order people meet them."""
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        """The command of that name, or ``None``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"harness.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def group(ctx: click.Context, *, debug: bool) -> None:
    """Benchmark image codecs: real bytes, real decoders, numbers that can be defended."""
    ctx.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> Any:
    """The ``harness`` program.

    Exit codes: 0 done; 1 something that was asked for failed; 2 a bad request; 130 interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended in order
    try:
        return group(arguments, prog_name="harness")
    except Exception as error:
        from harness.codec import CodecError

        if "--debug" in (sys.argv if arguments is None else arguments):
            raise
        if isinstance(error, HarnessError | CodecError):
            problem, remedy = error.problem, error.remedy
        else:
            problem = f"unexpected {type(error).__name__}: {error}"
            remedy = "please report what 'harness --debug ...' prints; finished work is kept"
        click.secho(f"error: {problem}", fg="red", err=True)
        if remedy:
            click.secho(f"  {remedy}", err=True)
        sys.exit(2)
