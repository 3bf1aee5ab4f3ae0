"""The options that several commands share, each declared once.

What a dataclass already says of an option, its type and its default, is taken from there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from harness.cli.names import (
    complete_codec,
    complete_codec_or_all,
    complete_dataset,
    complete_metric,
    complete_rate,
)
from harness.cli.renamed import renamed_option
from harness.cli.types import AtLeast, Exclusion, FolderName, Positive
from harness.plan.request import Request

if TYPE_CHECKING:
    from harness.analysis import BDOptions

F = TypeVar("F", bound=Callable[..., Any])


class Shared:
    """An option that several commands have; decorates a command as ``click.option`` does."""

    def __init__(self, *names: str, **attributes: Any) -> None:
        self.names = names
        self.attributes = attributes

    def __call__(self, command: F) -> F:
        """Give the option to a command."""
        return click.option(*self.names, **self.attributes)(command)

    def but(self, **attributes: Any) -> Shared:
        """The same option, with other attributes where a command's meaning differs."""
        return Shared(*self.names, **(self.attributes | attributes))


def field(owner: type, name: str, **attributes: Any) -> Shared:
    """The option of a dataclass's field, with the field's name, type and default.

    Args:
        owner: The dataclass.
        name: One of its fields, with a default.
        **attributes: What else :func:`click.option` takes.
    """
    kind, default = _hints(owner)[name], getattr(owner, name)
    known: dict[str, Any] = {"default": default, "show_default": default not in {None, ()}}
    if get_origin(kind) is Literal:
        known["type"] = click.Choice(get_args(kind))
    elif kind is bool:
        known |= {"is_flag": True, "show_default": False}
    elif kind is Path:
        known["type"] = click.Path(path_type=Path)
    elif kind == Sequence[str]:
        known |= {"multiple": True, "callback": split}
    return Shared(f"--{name.replace('_', '-')}", **(known | attributes))


_hints = functools.cache(get_type_hints)


def split(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Let an option be given several times or once with commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def combined(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one decorator; help lists them in this order."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


codec_option = field(
    Request, "codec", metavar="NAME,...", shell_complete=complete_codec_or_all,
    help="Codec names, 'name@checkpoint', or 'all'.",
)  # fmt: skip
dataset_option = field(
    Request, "dataset", metavar="NAME,...", shell_complete=complete_dataset,
    help="Data sets, or folders of images.",
)  # fmt: skip
rate_option = field(
    Request, "rate", metavar="ID,...", shell_complete=complete_rate,
    help="Rate points; all when not given.",
)  # fmt: skip
resolution_option = field(
    Request, "resolution", metavar="HxW,...",
    help="Height x width to derive from each image, or 'native'.",
)  # fmt: skip
metric_option = combined(
    field(
        Request, "metric", default=(), show_default=False, metavar="NAME,...",
        shell_complete=complete_metric, help="Metrics; all when not given.",
    ),
    renamed_option("--metrics", "--metric", multiple=True),
)  # fmt: skip
device_option = field(Request, "device", metavar="DEVICE", help="cpu, cuda or cuda:N.")
limit_option = field(
    Request, "limit", type=AtLeast(1), metavar="IMAGES",
    help="Take only the first images of each data set.",
)  # fmt: skip
repeats_option = field(
    Request, "repeats", type=AtLeast(1), metavar="CALLS",
    help="Timed calls for each case, at least; the median is reported.",
)  # fmt: skip
warmup_option = field(
    Request, "warmup", type=AtLeast(0), metavar="CALLS",
    help="Untimed calls before the first timed one, at least, for each image size.",
)  # fmt: skip
timeout_option = field(
    Request, "timeout", type=Positive(), metavar="SECONDS",
    help="The longest that one encode or decode call may take.",
)  # fmt: skip
memory_option = field(
    Request, "memory_limit", type=Positive(), metavar="GIB",
    help="The most memory a codec's process may take; 90 % of the machine's when not given.",
)  # fmt: skip
threads_option = field(
    Request, "threads", type=AtLeast(1), metavar="THREADS",
    help="Threads for the codec; all usable cores when not given.",
)  # fmt: skip
environment_option = field(
    Request, "environment", help="Where codecs run whose manifest names an environment."
)
weights_option = field(
    Request, "weights",
    help="Random weights need no download; they give true speed and memory, but no quality.",
)  # fmt: skip
results_option = field(
    Request, "results", metavar="FOLDER",
    help="The results folder, which contains a folder for each run.",
)  # fmt: skip
read_results_option = results_option.but(help="A results folder, or the folder of one run.")
name_option = field(
    Request, "name", type=FolderName(), help="The run's folder within the results folder."
)
no_download_option = Shared("--no-download", is_flag=True, help="Do not download data sets.")

measuring_options = combined(
    codec_option,
    dataset_option,
    rate_option,
    resolution_option,
    field(Request, "upsample", help="Enlarge images that are too small, instead of skipping them."),
    metric_option,
    device_option,
    limit_option,
    repeats_option,
    warmup_option,
    timeout_option,
    memory_option,
    threads_option,
    environment_option,
    weights_option,
    field(Request, "keep", help="What to keep beside the records once a case is scored."),
    results_option,
    name_option,
)
"""Everything that says what to measure and how: the options of ``run`` and ``plan``."""

one_codec_options = combined(
    Shared(
        "--codec", required=True, metavar="NAME", shell_complete=complete_codec,
        help="A codec's name, or 'name@checkpoint'.",
    ),
    Shared(
        "--rate", metavar="ID", shell_complete=complete_rate,
        help="Rate point; the middle one when not given.",
    ),
    device_option,
    threads_option,
    environment_option,
    weights_option,
    timeout_option,
)  # fmt: skip
"""The options of the commands that code one file."""

anchor_option = Shared(
    "--anchor", metavar="CODEC", shell_complete=complete_codec,
    help="Codec that BD-rates compare with; a classical one when not given.",
)  # fmt: skip
pareto_option = Shared(
    "--pareto", is_flag=True,
    help="Keep only the Pareto front of each curve, instead of refusing one that is not monotone.",
)  # fmt: skip
bd_options = combined(
    pareto_option,
    Shared(
        "--min-overlap", type=click.FloatRange(0, 1), show_default="1/2", metavar="SHARE",
        help="Least share of the narrower quality range that both curves must cover.",
    ),
    Shared(
        "--exclude", multiple=True, type=Exclusion(),
        help="Leave out a codec's rate points below this mean bpp; repeatable.",
    ),
)  # fmt: skip
"""How BD-rates are computed; :func:`bd_options_of` reads them."""

device_memory_option = Shared(
    "--device-memory", type=Positive(), metavar="GB",
    help="Mark what ran out of the device's memory as '> GB', as papers do.",
)  # fmt: skip
out_option = Shared(
    "--out", type=click.Path(path_type=Path, file_okay=False), show_default=True,
    metavar="FOLDER", help="The folder to write to.",
)  # fmt: skip
limits_option = Shared(
    "--limits", type=click.Path(path_type=Path), metavar="FILE",
    help="TOML file that states how large a change must be to count.",
)  # fmt: skip
json_option = Shared("--json", "as_json", is_flag=True, help="Print JSON.")


def format_option(*formats: str) -> Shared:
    """``--format``, the way of printing tables; the first is the default."""
    return Shared(
        "--format", "style", type=click.Choice(formats), default=formats[0], show_default=True,
        help="How to print the tables.",
    )  # fmt: skip


def request_of(options: Mapping[str, Any], *, download: bool) -> Request:
    """The request that the measuring options make."""
    chosen = {name: value for name, value in options.items() if name != "metric" or value}
    return Request(download=download, **chosen)


def bd_options_of(
    *, pareto: bool, min_overlap: float | None, exclude: Sequence[tuple[str, float]]
) -> BDOptions:
    """How BD-rates are to be computed, by the options given."""
    from harness.analysis import BDOptions

    options = BDOptions(pareto=pareto, exclude=dict(exclude))
    return options if min_overlap is None else replace(options, min_overlap=min_overlap)
