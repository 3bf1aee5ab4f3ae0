"""Options that several commands share, and the completion of names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])


def split(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Let an option be given several times or once with commas."""
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _complete(names: Callable[[], list[str]]) -> Callable[..., list[CompletionItem]]:
    def complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
        done, comma, last = incomplete.rpartition(",")
        return [CompletionItem(done + comma + name) for name in names() if name.startswith(last)]

    return complete


def _codec_names() -> list[str]:
    from harness.catalog.codecs import load_catalog

    return ["all", *load_catalog().codecs]


def _dataset_names() -> list[str]:
    from harness.paths import data_folder

    return [path.stem for path in sorted(data_folder("datasets").glob("*.toml"))]


def _metric_names() -> list[str]:
    from harness.catalog.metrics import METRICS

    return list(METRICS)


complete_codec = _complete(_codec_names)
complete_dataset = _complete(_dataset_names)
complete_metric = _complete(_metric_names)

environment_option = click.option(
    "--environment", type=click.Choice(["auto", "inline", "venv", "docker"]), default="auto",
    show_default=True, help="Where a codec runs whose manifest names an environment.",
)  # fmt: skip

codec_option = click.option(
    "--codec", multiple=True, default=("all",), show_default=True, callback=split,
    shell_complete=complete_codec, metavar="NAMES",
    help="Codec names, 'name@checkpoint', or 'all'; commas between several.",
)  # fmt: skip
dataset_option = click.option(
    "--dataset", multiple=True, default=("sample",), show_default=True, callback=split,
    shell_complete=complete_dataset, metavar="NAMES",
    help="Data sets, or folders of images.",
)  # fmt: skip
device_option = click.option(
    "--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.",
)  # fmt: skip
warmup_option = click.option(
    "--warmup", type=int, default=1, show_default=True,
    help="Calls before timing, once for each image size.",
)  # fmt: skip
timeout_option = click.option(
    "--timeout", type=float, default=600.0, show_default=True, metavar="SECONDS",
    help="The longest that one encode or decode call of a case may take.",
)  # fmt: skip
memory_option = click.option(
    "--memory-limit", type=float, metavar="GIB",
    help="The most memory a codec's process may take; 90 % of the machine's by default.",
)  # fmt: skip
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Threads for the codec; all by default.",
)  # fmt: skip
weights_option = click.option(
    "--weights", type=click.Choice(["pretrained", "random"]), default="pretrained",
    show_default=True, help="Random weights give true speed and memory, and no quality.",
)  # fmt: skip
results_option = click.option(
    "--results", type=click.Path(path_type=Path), default=Path("results"),
    show_default=True, help="The results folder.",
)  # fmt: skip

_MEASURING = (
    codec_option,
    dataset_option,
    click.option(
        "--rate", multiple=True, callback=split, metavar="IDS",
        help="Rate points; all when not given.",
    ),
    click.option(
        "--resolution", default="native", show_default=True, metavar="HxW,...",
        help="Height x width to derive from each image, or 'native'.",
    ),
    click.option("--upsample", is_flag=True, help="Enlarge images that are too small."),
    click.option(
        "--metrics", multiple=True, callback=split, shell_complete=complete_metric,
        metavar="NAMES", help="Metrics; all when not given.",
    ),
    device_option,
    click.option("--limit", type=int, help="Take only the first images of each data set."),
    click.option(
        "--repeats", type=int, default=1, show_default=True,
        help="Timed calls a case; the median is reported.",
    ),
    warmup_option,
    timeout_option,
    memory_option,
    threads_option,
    environment_option,
    weights_option,
    click.option(
        "--keep", type=click.Choice(["all", "bitstreams", "none"]), default="all",
        show_default=True, help="What to keep beside the records, once scored.",
    ),
    results_option,
    click.option(
        "--name", default="default", show_default=True, help="The run's folder in it.",
    ),
)  # fmt: skip


_ONE_CODEC = (
    click.option(
        "--codec", required=True, shell_complete=complete_codec, metavar="NAME",
        help="A codec's name, or 'name@checkpoint'.",
    ),
    click.option("--rate", metavar="ID", help="Rate point; the middle one when not given."),
    device_option,
    environment_option,
    click.option(
        "--weights", type=click.Choice(["pretrained", "random"]), default="pretrained",
        show_default=True, help="Which weights a network runs with.",
    ),
    click.option(
        "--timeout", type=float, default=600.0, show_default=True, metavar="SECONDS",
        help="The longest that it may take.",
    ),
)  # fmt: skip


def one_codec_options(command: F) -> F:
    """The options of the commands that code one file."""
    for option in reversed(_ONE_CODEC):
        command = option(command)
    return command


def measuring_options(command: F) -> F:
    """All options that say what to measure and how: those of ``run`` and ``plan``."""
    for option in reversed(_MEASURING):
        command = option(command)
    return command


def request_of(options: dict[str, Any], *, download: bool) -> Any:
    """The request that the options make."""
    from harness.plan.request import Request

    if not options["metrics"]:
        del options["metrics"]
    return Request(download=download, **options)
