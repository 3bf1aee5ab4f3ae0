"""The command line: one file per command, imported when that command is used."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from harness import __version__
from harness.errors import HarnessError, Lack

COMMANDS = {
    "run": "Measure codecs on images; the same command again finishes what is missing.",
    "plan": "Show what 'run' would do: cases, what is done, expected time and disk space.",
    "runtime": "Measure only speed and memory, over resolutions.",
    "list": "List codecs, data sets, metrics or runs.",
    "doctor": "Show what works here, what does not, and the command that fixes it.",
    "check": "Test an adapter against the codec contract.",
    "env": "List, build, enter or remove the environments that codecs run in.",
    "upstream": "Fetch the repositories whose code adapters run.",
    "weights": "Fetch the weights of codecs.",
    "bdrate": "Print tables of BD-rates.",
    "report": "Write R-D plots, tables and an HTML page of results.",
    "verify": "Make recorded cases again and compare, or check the digests of files.",
    "bundle": "Pack the records of results into one archive, to sit beside a paper.",
    "compare": "Compare a candidate with its base; exit code 1 if it got worse.",
    "history": "Show a codec's metrics over its checkpoints, and where they changed.",
    "paper": "Write a paper's tables and figures, measured values beside published ones.",
    "encode": "Encode one image file with a codec.",
    "decode": "Decode one bitstream file with a codec.",
    "completion": "Print the completion script for bash, zsh or fish.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when the command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All commands, in the order in which people need them."""
        return [*COMMANDS]  # 'list' is here the command of that name, once it is imported

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
            formatter.write_dl([*COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def group() -> None:
    """Benchmark image codecs: real bytes, real decoders, numbers that can be defended."""


def main(arguments: list[str] | None = None) -> Any:
    """The ``harness`` program.

    Exit codes: 0 done; 1 something that was asked for failed; 2 a bad request; 130 interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what runs is ended in order
    try:
        return group.main(arguments, prog_name="harness", standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except Exception as error:
        if "--debug" in (sys.argv if arguments is None else arguments):
            raise
        lack = _lack(error)
        click.secho(f"error: {lack.problem}", fg="red", err=True)
        if lack.remedy:
            click.secho(f"  {lack.remedy}", err=True)
        sys.exit(2)


def _lack(error: Exception) -> Lack:
    """What is wrong and what to do about it, as two lines for the user."""
    from harness.codec import CodecError

    if isinstance(error, HarnessError | CodecError):
        return Lack(error.problem, error.remedy)
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else "harness"
        return Lack(_misuse(error), f"'{command} --help' shows what it takes")
    return Lack(
        f"unexpected {type(error).__name__}: {error}",
        "please report what 'harness --debug ...' prints; finished work is kept",
    )


def _misuse(error: click.UsageError) -> str:
    missing = isinstance(error, click.MissingParameter)
    if not missing and isinstance(error, click.BadParameter) and error.param is not None:
        option = isinstance(error.param, click.Option)
        name = error.param.opts[0] if option else error.param.human_readable_name
        return f"{name} {error.message}"
    return error.format_message()
