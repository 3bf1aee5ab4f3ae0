"""What a training is decided by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from harness.errors import HarnessError

from ...presets import PRESETS, Settings

Precision = Literal["float32", "bfloat16", "float16"]

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Config:
    """The settings of a training; the defaults are the paper's where it gives them.

    The paper gives crops, batch, optimizer, learning rates, steps and ``share``. It does not
    give the weights of the losses; those here are VQGAN's (Esser et al., CVPR 2021).

    Attributes:
        preset: Which network, a name of :data:`.presets.PRESETS`.
        steps: Number of optimizer steps.
        batch: Crops a step.
        crop: Side of the square crops in pixels, a multiple of the preset's f.
        learning_rate: Of both optimizers.
        late_learning_rate: From three quarters of the steps on.
        share: p, the part of the loss that all stages but the last have together.
        l1: Weight of the mean absolute error, for images in [-1, 1].
        lpips: Weight of LPIPS on VGG16.
        adversarial: Weight of the generator's loss, besides the adaptive one.
        codebook: Weight of the codebooks' loss, where they are learned.
        commitment: Weight of the commitment loss.
        lpips_start: The step from which LPIPS counts.
        adversarial_start: The step from which the discriminator trains and counts.
        ema: Codebooks follow the mean of what chose them; otherwise gradients move them.
        ema_decay: Of those means, a step.
        revive_every: How often words that nobody chooses are replaced, in steps.
        seed: Of the weights, the crops and the replaced words.
        precision: Of the networks; losses and codebooks are in float32 always.
        log_every: Steps a row of the log.
        save_every: Steps between checkpoints, each with an R-D point; whole rows of the log.
    """

    preset: str = "progic"
    steps: int = 2_000_000
    batch: int = 16
    crop: int = 256
    learning_rate: float = 1e-4
    late_learning_rate: float = 1e-5
    share: float = 0.5
    l1: float = 1.0
    lpips: float = 1.0
    adversarial: float = 0.8
    codebook: float = 1.0
    commitment: float = 0.25
    lpips_start: int = 0
    adversarial_start: int = 50_000
    ema: bool = True
    ema_decay: float = 0.99
    revive_every: int = 100
    seed: int = 0
    precision: Precision = "float32"
    log_every: int = 100
    save_every: int = 10_000

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            known = ", ".join(PRESETS)
            raise HarnessError(f"no preset {self.preset!r}", f"known: {known}")
        factor = self.settings.factor
        if self.crop < factor or self.crop % factor:
            raise HarnessError(
                f"crops of {self.crop} pixels do not fit {self.preset}",
                f"choose a multiple of {factor}",
            )
        if self.save_every % self.log_every:
            raise HarnessError(
                f"a checkpoint every {self.save_every} steps falls between two rows of the log",
                f"choose a multiple of {self.log_every}",
            )
        if not 0 <= self.share < 1:
            raise HarnessError(f"share is {self.share}", "choose a number from 0 to below 1")

    @property
    def settings(self) -> Settings:
        """Of the network."""
        return PRESETS[self.preset]

    @property
    def stage_weights(self) -> list[float]:
        """lambda_i of each stage: p / (N - 1), and 1 - p for the last one; they sum to 1."""
        stages = self.settings.stages
        if stages == 1:
            return [1.0]
        return [self.share / (stages - 1)] * (stages - 1) + [1 - self.share]

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return self.learning_rate if step < 0.75 * self.steps else self.late_learning_rate

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """What ``other`` settings decide otherwise: ``batch 8 (now 16)``."""
        return [
            f"{field.name} {other.get(field.name)} (now {getattr(self, field.name)})"
            for field in fields(self)
            if other.get(field.name) != getattr(self, field.name)
        ]
