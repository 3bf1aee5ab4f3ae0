"""What keeps the codebooks in use: moving averages, counts, and new words for dead ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...quantizer import Quantized, ResidualVectorQuantizer
from .config import Config

DEAD_SHARE = 0.05
"""A word is dead that is chosen less often than this share of the mean."""

JITTER = 0.05
"""How far apart two words lie that are made of the same vector, in standard deviations."""

USAGE_DECAY = 0.999
"""Of the frequencies that go into the checkpoint, a step."""


@dataclass(frozen=True)
class Usage:
    """How the words of each stage are used.

    Attributes:
        entropy_bits: float, N: entropy of the indices, at most L.
        alive: float, N: the share of words that are not dead.
    """

    entropy_bits: list[float]
    alive: list[float]


def entropy_bits(counts: Tensor) -> Tensor:
    """The entropy of each row of counts, in bits: N x words to N."""
    shares = counts.double() / counts.double().sum(1, keepdim=True).clamp_min(1e-12)
    return -torch.xlogy(shares, shares).sum(1) / torch.log(torch.tensor(2.0))


class Codebooks(nn.Module):
    """Follows what chooses each word, stage by stage.

    Words begin dead, so the first revival places them all on vectors that the network makes;
    those of a trained network are adopted instead.

    Attributes:
        counts: float, N x words: mean number of vectors a step that choose a word.
        sums: float, N x words x C: the mean sum of those vectors.
    """

    def __init__(self, quantizer: ResidualVectorQuantizer, config: Config) -> None:
        super().__init__()
        self._quantizer = [quantizer]  # in a list: it is the network's module, not this one's
        self._config = config
        self.counts: Tensor
        self.sums: Tensor
        shape = quantizer.codebooks.shape
        self.register_buffer("counts", torch.zeros(shape[:2]))
        self.register_buffer("sums", torch.zeros(shape))
        quantizer.codebooks.requires_grad_(not config.ema)

    @torch.no_grad()
    def update(self, latent: Tensor, quantized: Quantized) -> None:
        """Count in one step, and with moving averages move the words.

        Args:
            latent: float, B x C x h x w, what was quantized.
            quantized: The result.
        """
        quantizer, config = self._quantizer[0], self._config
        rows = _rows(latent)
        words = quantizer.codebooks.shape[1]
        for stage, total in enumerate(quantized.latents):
            index = quantized.indices[:, stage].flatten()
            counts = torch.bincount(index, minlength=words).float()
            sums = torch.zeros_like(self.sums[stage]).index_add_(0, index, rows)
            self.counts[stage].lerp_(counts, 1 - config.ema_decay)
            self.sums[stage].lerp_(sums, 1 - config.ema_decay)
            quantizer.usage[stage].mul_(USAGE_DECAY).add_(counts)
            if config.ema:
                mean = self.sums[stage] / self.counts[stage].clamp_min(1e-8)[:, None]
                chosen = self.counts[stage] > 1e-8  # noqa: PLR2004
                quantizer.codebooks[stage].copy_(
                    torch.where(chosen[:, None], mean, quantizer.codebooks[stage])
                )
            rows = _rows(latent) - _rows(total)

    @torch.no_grad()
    def adopt(self) -> None:
        """Take over the words as they are, as alive as the checkpoint's frequencies say."""
        quantizer, config = self._quantizer[0], self._config
        vectors = config.batch * (config.crop // config.settings.factor) ** 2
        usage = quantizer.usage
        self.counts.copy_(usage * vectors / usage.sum(1, keepdim=True))
        self.sums.copy_(self.counts[:, :, None] * quantizer.codebooks)

    @torch.no_grad()
    def revive(self, latent: Tensor, step: int) -> list[int]:
        """Put each dead word on a vector of this step that its stage has to code.

        Args:
            latent: float, B x C x h x w.
            step: Decides, with the seed, which vectors.

        Returns:
            How many words of each stage were replaced.
        """
        quantizer = self._quantizer[0]
        generator = torch.Generator().manual_seed(self._config.seed + (step << 20))
        residual = _rows(latent)
        expected = len(residual) / quantizer.codebooks.shape[1]
        revived = []
        for stage, codebook in enumerate(quantizer.codebooks):
            dead = self._dead()[stage].nonzero().flatten()
            drawn = torch.randint(len(residual), (len(dead),), generator=generator)
            noise = torch.randn(len(dead), residual.shape[1], generator=generator)
            vectors = residual[drawn.to(residual.device)]
            deviation = residual.std(0, correction=0)
            vectors = vectors + JITTER * deviation * noise.to(residual.device)
            codebook[dead] = vectors
            self.counts[stage, dead] = expected
            self.sums[stage, dead] = expected * vectors
            residual = residual - codebook[quantizer.nearest(residual, stage)]
            revived.append(len(dead))
        return revived

    def usage(self) -> Usage:
        """How the words are used now."""
        alive = 1 - self._dead().float().mean(1)
        return Usage(entropy_bits(self.counts).tolist(), alive.tolist())

    def _dead(self) -> Tensor:
        return self.counts <= DEAD_SHARE * self.counts.mean(1, keepdim=True)


def _rows(maps: Tensor) -> Tensor:
    """B x C x h x w to B*h*w x C."""
    return maps.detach().permute(0, 2, 3, 1).flatten(0, 2)
