"""OSCAR behind the harness's contract."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.codec import (
    BitstreamError,
    Codec,
    Image,
    Profile,
    Profiled,
    RatePoint,
    UnsupportedImage,
    thread_count,
)
from harness.codec.files import checkout, weights_path

from . import bitstream, stable_diffusion, upstream
from .bitstream import MAX_PIXELS, MAX_SIDE, Coded
from .levels import LEVELS, padded_size


class Oscar(Codec, Profiled):
    """One network for all rate points; a rate point is a level."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: Path | str | None = None

    def load(self, rate: RatePoint) -> None:
        """Build the network, unless it is there already."""
        super().load(rate)
        torch.set_num_threads(thread_count())
        self._level: int = rate.options["level"]
        path = weights_path(rate, "run 'harness weights fetch oscar'", file="oscar.pkl")
        if self._loaded == (path or rate.weights):
            return
        folder = checkout(rate, "oscar")
        os.environ["HF_HUB_OFFLINE"] = "1"
        torch.manual_seed(self.options["seed"])
        if path is None:
            self._network: Any = upstream.build(folder, self.device, None)
        else:
            checkpoint = upstream.read_checkpoint(path)
            stable = stable_diffusion.folder(rate.files)
            self._network = upstream.build(folder, self.device, stable)
            upstream.fill(self._network, checkpoint, path)
        self._loaded = path or rate.weights

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {
            "level": self._level,
            "posterior": "mode",
            "threads": torch.get_num_threads(),
            "seed": self.options["seed"],
        }

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        rows, columns = padded_size(height, width)
        pixels = np.pad(image, ((0, rows - height), (0, columns - width), (0, 0)), mode="edge")
        signal = torch.from_numpy(pixels).to(self.device).permute(2, 0, 1)[None].float()
        latent = latent_of(self._network, signal / 127.5 - 1)
        norms = latent.flatten(2).norm(dim=-1)[0].float().cpu().numpy()
        features = self._network.hyper_encoders[self._level].backbone(latent)
        cells = features.flatten(2).transpose(1, 2)
        _, indices, _ = self._network.hyper_encoders[self._level].quantizer(cells)
        chosen = indices.flatten().cpu().numpy().astype(np.uint16)
        return bitstream.write(Coded(self._level, height, width, norms, chosen))

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`; the network is the same at every level."""
        coded = bitstream.read(stream)
        if coded.level != self._level:
            raise BitstreamError(
                f"the bitstream is of level {coded.level}, the rate point of {self._level}"
            )
        grid = LEVELS[coded.level].grid(coded.height, coded.width)
        indices = torch.from_numpy(coded.indices.astype(np.int64)).to(self.device)[None]
        quantizer = self._network.hyper_encoders[coded.level].quantizer
        features = quantizer.get_output_from_indices(indices).transpose(1, 2)
        features = features.reshape(1, -1, *grid)
        norms = torch.from_numpy(coded.norms).to(self.device)
        latent = rescaled_latent(self._network, coded.level, features, norms)
        predicted = prediction(self._network, coded.level, latent)
        step = self._network.timesteps[coded.level]
        scheduler = self._network.noise_scheduler
        denoised = scheduler.step(predicted, step, latent).pred_original_sample
        signal = signal_of(self._network, denoised)[0]
        pixels = ((signal.clamp(-1, 1) + 1) * 127.5).nan_to_num().round().to(torch.uint8)
        cropped = pixels.permute(1, 2, 0)[: coded.height, : coded.width].contiguous()
        image: Image = cropped.cpu().numpy()
        return image

    @torch.inference_mode()
    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`; counted on shapes alone.

        The search for the nearest word and the scheduler's step are left out: both look at
        values, and both are small.
        """
        from harness.codec.flops import profile

        folder = checkout(self.rate, "oscar")
        with torch.device("meta"):
            network = upstream.build(folder, "meta", None)
            signal = torch.empty(1, 3, *padded_size(height, width))
            return profile(RoundTrip(network, self._level), signal)


def latent_of(network: Any, signal: Tensor) -> Tensor:
    """The latent of a signal in [-1, 1]: the posterior's mode, of which upstream takes a sample."""
    mode: Tensor = network.vae.encode(signal).latent_dist.mode()
    latent: Tensor = mode * network.vae.config.scaling_factor
    return latent


def rescaled_latent(network: Any, level: int, features: Tensor, norms: Tensor) -> Tensor:
    """The coarse latent of quantised features, with the norms of the original's channels."""
    coarse: Tensor = network.hyper_encoders[level].proj(features)
    scales: Tensor = norms / coarse.flatten(2).norm(dim=-1)
    return coarse * scales[..., None, None]


def prediction(network: Any, level: int, latent: Tensor) -> Tensor:
    """What the diffusion model makes of a latent, at the time step of the level."""
    context = network.embeddings[None].float()
    predicted: Tensor = network.unet(
        latent, network.timesteps[level], encoder_hidden_states=context
    ).sample
    return predicted


def signal_of(network: Any, latent: Tensor) -> Tensor:
    """What a latent is decoded to: 1 x 3 x H x W, about in [-1, 1]."""
    signal: Tensor = network.vae.decode(latent / network.vae.config.scaling_factor).sample
    return signal


class RoundTrip(nn.Module):
    """Encoder and decoder in one ``forward``, without the two steps that look at values."""

    def __init__(self, network: Any, level: int) -> None:
        super().__init__()
        self.network = network
        self.level = level

    def forward(self, signal: Tensor) -> Tensor:
        """An image of the size of ``signal``."""
        latent = latent_of(self.network, signal)
        features = self.network.hyper_encoders[self.level].backbone(latent)
        norms = latent.flatten(2).norm(dim=-1)[0]
        latent = rescaled_latent(self.network, self.level, features, norms)
        return signal_of(self.network, prediction(self.network, self.level, latent))
