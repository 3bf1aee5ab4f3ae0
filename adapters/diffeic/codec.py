"""DiffEIC: a latent codec whose decoder is Stable Diffusion 2.1, steered by what was decoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.codec import (
    BitstreamError,
    Codec,
    Image,
    Profile,
    Profiled,
    RatePoint,
    Unavailable,
    UnsupportedImage,
)
from harness.codec.files import checkout

from . import weights
from .bitstream import MAX_PIXELS, MAX_SIDE, MULTIPLE, Stream, padded, read
from .upstream import build

STABLE_DIFFUSION = "v2-1_512-ema-pruned.ckpt"
RANDOM_SEED = 0
"""Seed of the random weights."""
FEWEST_STEPS = 2
"""Upstream's schedule has no variance for one step alone."""
MOST_STEPS = 1000
"""The steps that the model was trained with."""
ATTENTIONS = ("plain", "efficient")


class DiffEIC(Codec, Profiled):
    """Upstream's model, one checkpoint a rate point; the weights of Stable Diffusion are shared."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self.steps = int(options["steps"])
        self.seed = int(options["seed"])
        chosen = str(options["attention"])
        default = "efficient" if device.startswith("cuda") else "plain"
        self.attention = default if chosen == "auto" else chosen
        self.model: Any = None
        self.sampler: Any = None

    def load(self, rate: RatePoint) -> None:
        """Build the model at first, then load what differs from the previous rate point.

        Raises:
            Unavailable: Upstream's checkout or a weights file is missing or does not fit, or an
                option has no such value.
        """
        super().load(rate)
        self._check_options()
        folder = checkout(rate, "diffeic")
        fresh = self.model is None
        if fresh:
            torch.manual_seed(RANDOM_SEED)
            self.model, self.sampler = build(
                folder, efficient_attention=self.attention == "efficient"
            )
        if rate.weights != "random":
            weights.load(self.model, self._files(rate))
        elif fresh:
            weights.enliven(self.model)
        with one_thread():
            self.model.preprocess_model.cpu().update(force=True)
        self.model.to(self.device)

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """What decides how the image looks and how fast it is made."""
        return {
            "sampler": "ddpm",
            "steps": self.steps,
            "seed": self.seed,
            "attention": self.attention,
            "coder_threads": 1,
        }

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`Codec`. Padded by zeros to multiples of 64, as upstream's script does."""
        height, width, _ = image.shape
        if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise UnsupportedImage(
                f"{height} x {width} pixels; DiffEIC's bitstream holds up to {MAX_PIXELS} pixels, "
                f"{MAX_SIDE} a side"
            )
        rows, columns = padded(height, width)
        canvas = np.zeros((rows, columns, 3), np.uint8)
        canvas[:height, :width] = image
        pixels = torch.from_numpy(canvas).to(self.device).permute(2, 0, 1)[None].float() / 255
        guide = self.model.encode_first_stage(pixels * 2 - 1).mode() * self.model.scale_factor
        with one_thread():
            coded = self.model.preprocess_model.compress(pixels, guide)
        (latent,), (hyper,) = coded["strings"]
        return Stream(self._number, height, width, hyper, latent).to_bytes()

    @torch.inference_mode()
    def decode(self, bitstream: bytes) -> Image:
        """See :class:`Codec`. The same bytes and seed give the same image on the same device."""
        stream = read(bitstream)
        if stream.rate != self._number:
            raise BitstreamError(
                f"a bitstream of rate point {stream.rate}, where the weights of "
                f"{self._number} ({self.rate.id}) are loaded"
            )
        rows, columns = padded(stream.height, stream.width)
        content = self._content(stream, rows // MULTIPLE, columns // MULTIPLE)
        condition = {
            "c_latent": [content],
            "c_crossattn": [self.model.get_learned_conditioning([""])],
        }
        torch.manual_seed(self.seed)
        shape = (1, 4, rows // 8, columns // 8)
        noise = torch.randn(shape, device=self.device)
        sampler = self.sampler(self.model, var_type="fixed_small")
        samples = sampler.sample(self.steps, shape, condition, x_T=noise)
        pixels = self.model.decode_first_stage(samples)[0, :, : stream.height, : stream.width]
        rounded = ((pixels + 1) / 2).clamp(0, 1).mul(255).round().to(torch.uint8)
        result: Image = rounded.permute(1, 2, 0).contiguous().cpu().numpy()
        return result

    def profile(self, height: int, width: int) -> Profile:  # noqa: ARG002 - not by size
        """Parameters alone: to count its operations, the network has to be run for minutes."""
        return Profile(sum(p.numel() for p in self.model.parameters()))

    @property
    def _number(self) -> int:
        return int(self.rate.options["number"])

    def _check_options(self) -> None:
        if not FEWEST_STEPS <= self.steps <= MOST_STEPS:
            raise Unavailable(
                f"option steps is {self.steps}, not {FEWEST_STEPS} to {MOST_STEPS}",
                f"give {FEWEST_STEPS} to {MOST_STEPS}",
            )
        if self.attention not in ATTENTIONS:
            names = " or ".join(("auto", *ATTENTIONS))
            raise Unavailable(f"unknown option attention = '{self.attention}'", f"give {names}")

    def _files(self, rate: RatePoint) -> list[Path]:
        """The checkpoints to load; the user's takes the place of the rate point's own.

        It may be upstream's whole model, so that Stable Diffusion's file is not needed.
        """
        own = rate.files.get("checkpoint", rate.files[f"{rate.id}/lc.ckpt"])
        base = rate.files[STABLE_DIFFUSION]
        if "checkpoint" in rate.files and not base.is_file():
            return [own]
        return [base, own]

    def _content(self, stream: Stream, rows: int, columns: int) -> Tensor:
        """The decoded content, 1 x 4 x 8 rows x 8 columns; a hyper latent of rows x columns."""
        strings = [[stream.latent + slack(stream.latent, 320 * 16 * rows * columns)]]
        strings += [[stream.hyper + slack(stream.hyper, 192 * rows * columns)]]
        with one_thread():
            content: Tensor = self.model.preprocess_model.decompress(strings, (rows, columns))
        return content


def slack(string: bytes, symbols: int) -> bytes:
    """Zeros to append to a string before it is decoded, so that no memory after it is read.

    compressai's range decoder does not look for the end. Beyond the string it takes up to 16 bits
    a symbol, and 15 times the string's length where that states a symbol of so many digits.
    """
    return bytes(2 * symbols + 16 * len(string) + 64)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread for a while.

    The range coder's tables and the distributions it is given are exact functions of the last bit
    of these computations, which differs with the number of threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
