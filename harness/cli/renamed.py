"""The spellings of the last release, accepted for one more.

What a renamed option or argument was given goes to the one that replaced it, as if that had been
typed, and one line on standard error says so.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])


def renamed_option(old: str, new: str, *, multiple: bool = False) -> Callable[[F], F]:
    """Accept ``old`` for the option ``new``; of one that is ``multiple`` both are taken."""
    return click.option(
        old,
        cls=_RenamedOption,
        replacement=new,
        multiple=multiple,
        hidden=True,
        is_eager=True,
        expose_value=False,
    )


def positional_results(command: F) -> F:
    """Accept the results folder without ``--results`` before it."""
    argument = click.argument(
        "positional_results",
        cls=_PositionalResults,
        required=False,
        is_eager=True,
        expose_value=False,
    )
    return argument(command)


class _RenamedOption(click.Option):
    def __init__(self, *arguments: Any, replacement: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.replacement = replacement

    def handle_parse_result(self, ctx: click.Context, opts: Any, args: list[str]) -> Any:
        _hand_over(ctx, opts, str(self.name), self.replacement, self.opts[0])
        return None, args


class _PositionalResults(click.Argument):
    def get_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return []

    def handle_parse_result(self, ctx: click.Context, opts: Any, args: list[str]) -> Any:
        _hand_over(ctx, opts, str(self.name), "--results", "the argument RESULTS")
        return None, args


def _hand_over(
    ctx: click.Context, given: MutableMapping[str, Any], name: str, new: str, old: str
) -> None:
    value = given.pop(name, None)
    if not isinstance(value, str | list):  # click's own mark of what was not given
        return
    if not ctx.resilient_parsing:
        notice = f"{old} is now {new}; the old spelling goes with the next release"
        click.echo(notice, err=True)
    key = new.lstrip("-").replace("-", "_")
    if isinstance(value, list):
        given[key] = [*cast("list[str]", given.get(key, [])), *value]
    else:
        given.setdefault(key, value)
