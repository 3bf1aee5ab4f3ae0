"""One step of training: the losses of all stages, one backward pass, the codebooks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ...network import Network, random_network, to_signal
from ...quantizer import Quantized
from .adversary import (
    PatchDiscriminator,
    adaptive_weight,
    discriminator_loss,
    generator_loss,
)
from .codebooks import Codebooks
from .config import Config
from .perceptual import Lpips

M = TypeVar("M", bound=nn.Module)

LOSSES = (
    "l1",
    "lpips",
    "codebook",
    "commitment",
    "adversarial",
    "adaptive_weight",
    "discriminator",
)


@dataclass(frozen=True)
class Forward:
    """What the network made of a batch.

    Attributes:
        images: float, B x 3 x H x W in [-1, 1].
        latent: float, B x C x h x w.
        quantized: Of the latent.
        reconstructions: float, N x B x 3 x H x W: after 1 to N stages.
    """

    images: Tensor
    latent: Tensor
    quantized: Quantized
    reconstructions: Tensor


class Trainer:
    """Network, discriminator, codebooks, and their optimizers, on one device.

    Attributes:
        network: What is trained.
        codebooks: Of the network.
        revived: How many words of each stage were replaced since the log was last written.
    """

    def __init__(self, config: Config, device: str, network: Network | None = None) -> None:
        """Make everything anew, drawn by the seed.

        Args:
            config: Of the training.
            device: ``cpu``, ``cuda`` or ``cuda:N``.
            network: To begin from; random weights when ``None``.
        """
        self._config = config
        self._device = torch.device(device)
        trained = network is not None
        network = network or random_network(config.settings, config.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            discriminator = PatchDiscriminator()
        self.network = self._placed(network.train())
        self.discriminator = self._placed(discriminator)
        self.codebooks = Codebooks(self.network.quantizer, config).to(self._device)
        if trained:
            self.codebooks.adopt()
        self._lpips = Lpips().to(self._device) if config.lpips else None
        self.optimizer = self._adam([p for p in self.network.parameters() if p.requires_grad])
        self.discriminator_optimizer = self._adam(list(self.discriminator.parameters()))
        self.scaler = torch.amp.GradScaler(self._device.type, enabled=config.precision == "float16")
        self._stage_weights = torch.tensor(config.stage_weights, device=self._device)
        self.revived = [0] * config.settings.stages

    def step(self, step: int, pixels: Tensor) -> dict[str, Tensor]:
        """Train on one batch.

        Args:
            step: From 0.
            pixels: uint8, B x H x W x 3.

        Returns:
            Each of :data:`LOSSES`, weighted over the stages, not yet by its own weight. Tensors
            on the device, so that nothing waits for it.
        """
        config = self._config
        for optimizer in (self.optimizer, self.discriminator_optimizer):
            for group in optimizer.param_groups:
                group["lr"] = config.learning_rate_at(step)
        images = to_signal(pixels.to(self._device, non_blocking=True))
        images = images.contiguous(memory_format=torch.channels_last)
        if step % config.revive_every == 0:
            self._revive(images, step)
        forward = self._forward(images)
        losses = self._train_network(forward, step)
        self.codebooks.update(forward.latent, forward.quantized)
        if step >= config.adversarial_start and config.adversarial:
            losses["discriminator"] = self._train_discriminator(forward)
        self.scaler.update()
        zero = torch.zeros((), device=self._device)
        return {name: losses.get(name, zero).detach() for name in LOSSES}

    def _forward(self, images: Tensor) -> Forward:
        with self._autocast():
            latent = self.network.analysis(images)
        latent = latent.float()
        quantized = self.network.quantizer(latent)
        with self._autocast():
            reconstructions = torch.stack(
                [
                    self.network.synthesis(total, stages)
                    for stages, total in enumerate(quantized.latents, 1)
                ]
            )
        return Forward(images, latent, quantized, reconstructions.float())

    def _train_network(self, forward: Forward, step: int) -> dict[str, Tensor]:
        """Backward through all stages at once, and a step of the optimizer.

        The gradients of both parts of the loss are taken in the reconstructions first. The
        adaptive weight then needs them in the last layer only, and VGG16 and the
        discriminator are gone through once.
        """
        config, weights = self._config, self._stage_weights
        made = forward.reconstructions
        losses = {
            "l1": (weights * (made - forward.images).abs().flatten(1).mean(1)).sum(),
            "codebook": (weights * forward.quantized.codebook_loss).sum(),
            "commitment": (weights * forward.quantized.commitment_loss).sum(),
        }
        distortion = config.l1 * losses["l1"]
        if self._lpips is not None and step >= config.lpips_start:
            with self._autocast():
                lpips = self._lpips(forward.images, made)
            losses["lpips"] = (weights * lpips.float().mean(1)).sum()
            distortion = distortion + config.lpips * losses["lpips"]
        gradient = self._gradient(distortion, made)
        if config.adversarial and step >= config.adversarial_start:
            with self._autocast():
                logits = self.discriminator(made.flatten(0, 1))
            losses["adversarial"] = generator_loss(logits, weights)
            heard = self._gradient(losses["adversarial"], made)
            losses["adaptive_weight"] = adaptive_weight(
                self._in_last_layer(made, gradient), self._in_last_layer(made, heard)
            )
            gradient = gradient + config.adversarial * losses["adaptive_weight"] * heard
        quantization = config.commitment * losses["commitment"]
        if not config.ema:
            quantization = quantization + config.codebook * losses["codebook"]
        self.optimizer.zero_grad()
        ends = [made, self.scaler.scale(quantization)]
        torch.autograd.backward(ends, [gradient, None])
        self.scaler.step(self.optimizer)
        return losses

    def _train_discriminator(self, forward: Forward) -> Tensor:
        fakes = forward.reconstructions.detach().flatten(0, 1)
        with self._autocast():
            real, fake = self.discriminator(forward.images), self.discriminator(fakes)
        loss = discriminator_loss(real, fake, self._stage_weights)
        self.discriminator_optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.discriminator_optimizer)
        return loss

    @torch.no_grad()
    def _revive(self, images: Tensor, step: int) -> None:
        with self._autocast():
            latent = self.network.analysis(images)
        revived = self.codebooks.revive(latent.float(), step)
        self.revived = [a + b for a, b in zip(self.revived, revived, strict=True)]

    def _gradient(self, loss: Tensor, made: Tensor) -> Tensor:
        """Of the scaled loss in the reconstructions."""
        (gradient,) = torch.autograd.grad(self.scaler.scale(loss), made)
        return gradient

    def _in_last_layer(self, made: Tensor, gradient: Tensor) -> Tensor:
        """A gradient in the reconstructions, carried on to the weights of the last layer."""
        weight = self.network.synthesis.head.weight
        (carried,) = torch.autograd.grad(made, weight, gradient, retain_graph=True)
        result: Tensor = carried
        return result

    def _placed(self, module: M) -> M:
        return module.to(self._device).to(memory_format=torch.channels_last)

    def _adam(self, parameters: list[nn.Parameter]) -> Adam:
        return Adam(parameters, self._config.learning_rate, betas=(0.5, 0.9))

    def _autocast(self) -> AbstractContextManager[None]:
        precision = self._config.precision
        return torch.autocast(
            self._device.type,
            getattr(torch, precision) if precision != "float32" else None,
            enabled=precision != "float32",
        )
