"""The loop: steps, rows of the logs, checkpoints with R-D points; continues where it was killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from harness.codec import thread_count
from harness.errors import HarnessError
from harness.readiness.machine import revision

from ...checkpoint import load_checkpoint
from ...network import Network
from ..save import save_checkpoint
from .config import Config
from .data import Photographs, batches
from .logs import Log
from .means import Means
from .state import load_state, save_state
from .trainer import LOSSES, Trainer
from .validation import COLUMNS, Row, Validation

STATE = "training-state.safetensors"
TIMES = ("images_per_second", "waiting_share")

Say = Callable[[str], None]


def train(
    config: Config,
    photographs: Photographs,
    output: Path,
    *,
    device: str = "cpu",
    weights: Path | None = None,
    workers: int = 0,
    say: Say = print,
) -> Path:
    """Train, or continue a training that was killed.

    Killed at any time and started again with the same arguments, it ends on a CPU with the
    very weights and losses of an undisturbed one, for the same number of threads.

    Args:
        config: The settings.
        photographs: To train and to measure on.
        output: The folder for ``<preset>.safetensors``, the state, and three tables:
            ``losses.csv``, ``codebooks.csv`` and ``rate_distortion.csv``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        weights: A checkpoint to begin from, where no state is there to continue.
        workers: Processes that read images ahead.
        say: Takes a line of progress.

    Returns:
        The checkpoint.

    Raises:
        HarnessError: The folder holds another training, or LPIPS's weights cannot be had.
        Unavailable: ``weights`` is not a checkpoint.
    """
    torch.set_num_threads(thread_count())
    output.mkdir(parents=True, exist_ok=True)
    state, checkpoint = output / STATE, output / f"{config.preset}.safetensors"
    network, begun_from = _beginning(weights, config)
    trainer = Trainer(config, device, network)
    step = load_state(state, trainer, config, photographs.digest) if state.is_file() else 0
    if step:
        say(f"continues after step {step:,}")
    losses = Log(output / "losses.csv", [*LOSSES, "learning_rate", *TIMES], step)
    usage = Log(output / "codebooks.csv", ["stage", "entropy_bits", "alive", "revived"], step)
    points = Log(output / "rate_distortion.csv", COLUMNS, step)
    validation = Validation(photographs.held_out, config.preset, device)
    source = batches(photographs.training, config, step, workers)
    means = Means()
    for number in range(step, config.steps):
        with means.waiting():
            pixels = next(source)
        means.add(trainer.step(number, pixels))
        done = number + 1
        if done % config.log_every == 0 or done == config.steps:
            row = {
                **means.values(),
                "learning_rate": config.learning_rate_at(number),
                **means.times(config.batch),
            }
            losses.write(done, row)
            alive = _write_usage(usage, done, trainer)
            say(
                f"step {done:,}/{config.steps:,}  l1 {row['l1']:.4f}  lpips {row['lpips']:.4f}  "
                f"adversarial {row['adversarial']:.3f}  words used {alive:.0%}  "
                f"{row['images_per_second']:.1f} images/s, {row['waiting_share']:.0%} waiting"
            )
            means = Means()
        if done % config.save_every == 0 or done == config.steps:
            metadata = {
                "step": str(done),
                "data": photographs.digest,
                "training": json.dumps(config.as_dict()),
                "revision": str(revision()["revision"]),
                "begun_from": begun_from,
            }
            save_checkpoint(checkpoint, trainer.network, metadata)
            for point in validation.measure(checkpoint):
                points.write(done, point)
            save_state(state, trainer, done, config, photographs.digest)
            say(f"step {done:,}: {_described(point)} on {len(photographs.held_out)} images")
    return checkpoint


def _beginning(weights: Path | None, config: Config) -> tuple[Network | None, str]:
    """The network to begin from and the sha256 of its weights, or nothing."""
    if weights is None:
        return None, ""
    beginning = load_checkpoint(weights)
    if beginning.network.settings != config.settings:
        raise HarnessError(
            f"{weights} is a checkpoint of another preset than {config.preset}",
            "name its preset with --preset",
        )
    return beginning.network, beginning.sha256


def _write_usage(log: Log, step: int, trainer: Trainer) -> float:
    """One row a stage; returns the mean share of words that are alive."""
    usage = trainer.codebooks.usage()
    columns = zip(usage.entropy_bits, usage.alive, trainer.revived, strict=True)
    for stage, (entropy, alive, revived) in enumerate(columns, 1):
        row = {"stage": stage, "entropy_bits": entropy, "alive": alive, "revived": revived}
        log.write(step, row)
    trainer.revived = [0] * len(trainer.revived)
    return sum(usage.alive) / len(usage.alive)


def _described(point: Row) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in point.items() if name != "stage")
