"""ProGIC behind the harness's contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    Progressive,
    RatePoint,
    Unavailable,
    UnsupportedImage,
    WithHeader,
    thread_count,
)
from harness.codec.files import weights_path

from . import bitstream, runtime
from .bitstream import CHECKPOINT_BYTES, MAX_PIXELS, MAX_SIDE, Header, Packed, StageCoder
from .checkpoint import load_checkpoint, weights_sha256
from .exported import is_exported, part_paths, read_origin
from .network import Network, random_network
from .presets import PRESETS, Settings, preset_name, preset_number


@dataclass(frozen=True)
class Model:
    """Something that runs, and what must be known of the weights in it.

    Attributes:
        runtime: Runs the network.
        settings: Of the network.
        sha256: Of the weights, in hexadecimal.
        usage: float, stages x words, how often each word was chosen in training; ``None`` in an
            exported form, which cannot range code.
        step: Training steps that made the weights, where the file states them.
    """

    runtime: runtime.Runtime
    settings: Settings
    sha256: str
    usage: Tensor | None
    step: int | None = None

    @property
    def id(self) -> bytes:
        """What a bitstream's header says of the weights."""
        return bytes.fromhex(self.sha256)[:CHECKPOINT_BYTES]


def profile_of(settings: Settings, height: int, width: int) -> Profile:
    """Parameters and operations with all stages; counted on shapes alone, so any size will do."""
    from calflops import calculate_flops
    from torch.utils.flop_counter import FlopCounterMode

    rows, columns = settings.latent_size(height, width)
    with torch.device("meta"), torch.inference_mode():
        network = Network(settings).eval()
        signal = torch.empty(1, 3, rows * settings.factor, columns * settings.factor)
        flops, _, _ = calculate_flops(
            network, args=[signal], print_results=False, output_as_string=False
        )
        with FlopCounterMode(display=False) as counter:
            network(signal)
    parameters = sum(p.numel() for p in network.parameters())
    return Profile(parameters, round(flops), counter.get_total_flops())


class ProGIC(Codec, Progressive, Profiled, WithHeader):
    """A rate point is a number of stages; the bytes of fewer stages are a prefix of the bytes."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: tuple[str, Path | None] | None = None

    def load(self, rate: RatePoint) -> None:
        """Read the weights, unless those of ``rate`` are there already."""
        super().load(rate)
        torch.set_num_threads(thread_count())
        preset: str = self.options["preset"]
        path = weights_path(
            rate,
            f"train them, name a checkpoint as {preset}@FILE, or use --weights random",
            file=f"{preset}.safetensors",
        )
        if self._loaded != (rate.weights, path):
            self.model = self._model(rate, path)
            self.coder = self._coder()
            self._loaded = (rate.weights, path)

    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        settings = self.model.settings
        below, right = -height % settings.factor, -width % settings.factor
        pixels = np.pad(image, ((0, below), (0, right), (0, 0)), mode="edge")
        header = Header(
            preset=preset_number(settings),
            stages=settings.stages,
            height=height,
            width=width,
            checkpoint=self.model.id,
            range_coded=self.options["range_coding"],
        )
        stream = bitstream.write(header, self.model.runtime.encode(pixels), self.coder)
        return stream[: self.prefix_length(stream, self.rate)]

    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`; all whole stages that the bytes hold."""
        header = self._checked_header(stream)
        indices = bitstream.read(stream, self.model.settings, self.coder)
        pixels = self.model.runtime.decode(indices)
        return np.ascontiguousarray(pixels[: header.height, : header.width])

    def facts(self) -> Mapping[str, int]:
        """See :class:`harness.codec.Codec`: the training step, by which histories are ordered."""
        return {} if self.model.step is None else {"step": self.model.step}

    def header_bytes(self, stream: bytes) -> int:
        """See :class:`harness.codec.WithHeader`: what stands before the stages."""
        _, length = bitstream.read_header(stream)
        return length

    def prefix_length(self, stream: bytes, rate: RatePoint) -> int:
        """See :class:`harness.codec.Progressive`."""
        ends = bitstream.stage_ends(stream, self.model.settings, self.coder)
        stages: int = rate.options["stages"]
        if not 1 <= stages < len(ends):
            raise BitstreamError(f"{stages} stages, where the bitstream holds {len(ends) - 1}")
        return ends[stages]

    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`."""
        return profile_of(self.model.settings, height, width)

    def _model(self, rate: RatePoint, path: Path | None) -> Model:
        if path is not None and is_exported(path):
            model = self._exported(rate, path)
        else:
            model = self._eager(rate, path)
        expected = self.options["preset"]
        if model.settings != PRESETS[expected]:
            found = preset_name(model.settings)
            raise Unavailable(
                f"{path} is a checkpoint of {found}, not of {expected}", f"name it as {found}@FILE"
            )
        return model

    def _eager(self, rate: RatePoint, path: Path | None) -> Model:
        if rate.weights == "random" or path is None:
            network = random_network(PRESETS[self.options["preset"]], self.options["seed"])
            sha256, step = weights_sha256(network), ""
        else:
            checkpoint = load_checkpoint(path)
            network, sha256 = checkpoint.network, checkpoint.sha256
            step = checkpoint.metadata.get("step", "")
        usage = network.quantizer.usage.clone()
        running = runtime.eager(
            network,
            self.device,
            half=self.options["half"],
            compiled=self.options["compile"],
        )
        steps = int(step) if step.isdecimal() else None
        return Model(running, network.settings, sha256, usage, steps)

    def _exported(self, rate: RatePoint, path: Path) -> Model:
        paths = part_paths(path)
        origin = read_origin(path)
        if {read_origin(other) for other in paths.values()} != {origin}:
            raise Unavailable(
                f"{path} and its other half were exported from different weights",
                "export both at once, as docs/progic.md says",
            )
        if origin.weights != rate.weights:
            raise Unavailable(
                f"{path} has {origin.weights} weights", f"use --weights {origin.weights}"
            )
        running: runtime.Runtime
        if path.suffix == ".onnx":
            running = runtime.OnnxRuntime(paths, self.device)
        else:
            running = runtime.torchscript(paths, self.device)
        return Model(running, origin.settings, origin.sha256, usage=None)

    def _coder(self) -> StageCoder:
        if not self.options["range_coding"]:
            return Packed(self.model.settings.index_bits)
        if self.model.usage is None:
            raise Unavailable(
                "range coding needs the words' frequencies, which exported files do not have",
                "name a .safetensors file",
            )
        try:
            from .entropy import RangeCoded
        except ModuleNotFoundError as error:
            raise Unavailable(
                "range coding needs constriction", "pip install constriction"
            ) from error
        return RangeCoded(self.model.usage.numpy())

    def _checked_header(self, stream: bytes) -> Header:
        header, _ = bitstream.read_header(stream)
        settings = self.model.settings
        if header.preset != preset_number(settings):
            raise BitstreamError(
                f"the bitstream is of preset number {header.preset}, the weights of "
                f"{preset_name(settings)} (number {preset_number(settings)})"
            )
        if header.checkpoint != self.model.id:
            raise BitstreamError(
                f"the bitstream was written with weights {header.checkpoint.hex()}…, "
                f"those at hand are {self.model.id.hex()}…"
            )
        if header.range_coded != self.options["range_coding"]:
            raise BitstreamError(
                "the bitstream is range coded, this codec is not, or the other way round"
            )
        return header
