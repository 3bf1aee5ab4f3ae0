"""Residual vector quantization: each stage codes what the stages before it left over."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from .presets import Settings


class Quantized(NamedTuple):
    """What training needs of a quantization.

    Attributes:
        latents: float, N x B x C x h x w: the sum of the codewords of the first 1 to N stages.
            Gradients pass straight through to the latent.
        indices: int64, B x N x h x w.
        codebook_loss: float, N: mean squared distance of each stage's words from the residuals
            that chose them; gradients to the codebooks alone.
        commitment_loss: float, N: the same value; gradients to the latent alone.
    """

    latents: Tensor
    indices: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor


class ResidualVectorQuantizer(nn.Module):
    """N codebooks of 2^L words; stage after stage quantizes the residual of the one before.

    Attributes:
        codebooks: float, N x 2^L x C.
        usage: float, N x 2^L: how often each word was chosen in training. Range coding alone
            reads it.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.codebooks = nn.Parameter(torch.empty(settings.stages, settings.words, settings.latent))
        self.usage: Tensor
        self.register_buffer("usage", torch.ones(settings.stages, settings.words))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the words, each stage's about half as long as those of the stage before."""
        with torch.no_grad():
            for stage, codebook in enumerate(self.codebooks):
                bound = max(0.5 ** (stage + 1), 2.0**-12)
                codebook.uniform_(-bound, bound)

    def nearest(self, rows: Tensor, stage: int) -> Tensor:
        """The indices of the words of one stage that are nearest to ``rows``.

        |r - e|² is least where r·e - |e|²/2 is greatest: one matrix product and a bias.

        Args:
            rows: float, P x C.
            stage: From 0.

        Returns:
            int64, P.
        """
        codebook = self.codebooks[stage]
        return functional.linear(rows, codebook, -0.5 * codebook.square().sum(1)).argmax(1)

    def encode(self, latent: Tensor) -> Tensor:
        """Quantize a latent.

        Args:
            latent: float, B x C x h x w.

        Returns:
            int64, B x N x h x w.
        """
        batch, channels, height, width = latent.shape
        residual = latent.permute(0, 2, 3, 1).reshape(-1, channels)
        indices: list[Tensor] = []
        for stage in range(self.codebooks.shape[0]):
            index = self.nearest(residual, stage)
            residual = residual - functional.embedding(index, self.codebooks[stage])
            indices.append(index.view(batch, height, width))
        return torch.stack(indices, 1)

    def decode(self, indices: Tensor) -> Tensor:
        """The sum of the codewords of the first n stages.

        Args:
            indices: int64, B x n x h x w, with n from 1 to N.

        Returns:
            float, B x C x h x w, in channels-last memory.
        """
        stages, words, channels = self.codebooks.shape
        offsets = torch.arange(indices.shape[1], device=indices.device) * words
        table = self.codebooks.view(stages * words, channels)
        vectors = functional.embedding(indices + offsets.view(1, -1, 1, 1), table)
        return vectors.sum(1).permute(0, 3, 1, 2)

    def forward(self, latent: Tensor) -> Quantized:
        """Quantize for training; see :class:`Quantized`."""
        batch, channels, height, width = latent.shape
        residual = latent.permute(0, 2, 3, 1).reshape(-1, channels)
        indices: list[Tensor] = []
        latents: list[Tensor] = []
        codebook_loss: list[Tensor] = []
        commitment_loss: list[Tensor] = []
        total = torch.zeros_like(residual)
        for stage in range(self.codebooks.shape[0]):
            index = self.nearest(residual.detach(), stage)
            word = functional.embedding(index, self.codebooks[stage])
            codebook_loss.append(functional.mse_loss(word, residual.detach()))
            commitment_loss.append(functional.mse_loss(residual, word.detach()))
            residual = residual - word.detach()
            total = total + word.detach()
            indices.append(index.view(batch, height, width))
            latents.append(total.view(batch, height, width, channels).permute(0, 3, 1, 2))
        passed_through = torch.stack(latents) + (latent - latent.detach())
        return Quantized(
            passed_through,
            torch.stack(indices, 1),
            torch.stack(codebook_loss),
            torch.stack(commitment_loss),
        )
