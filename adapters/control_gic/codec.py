"""Control-GIC behind the harness's contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.codec import (
    Codec,
    Image,
    Profile,
    Profiled,
    RatePoint,
    UnsupportedImage,
    thread_count,
)
from harness.codec.files import checkout, weights_path

from . import bitstream, upstream
from .bitstream import CELL, MAX_PIXELS, MAX_SIDE, Mode, Tile, TileReader
from .granularity import read_ratios
from .tiles import padded, tiles


class ControlGic(Codec, Profiled):
    """One network; a rate point is how much of an image is coded fine, medium and coarse."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: Path | str | None = None

    def load(self, rate: RatePoint) -> None:
        """Build the network, unless it is there already, and set its ratios."""
        super().load(rate)
        torch.set_num_threads(thread_count())
        self._ratios = read_ratios(rate.options)
        path = weights_path(rate, "run 'harness weights fetch control-gic'")
        if self._loaded != (path or rate.weights):
            folder = checkout(rate, "control-gic")
            state = {} if path is None else upstream.read_checkpoint(path)
            torch.manual_seed(self.options["seed"])
            network = upstream.build(folder)
            if path is None:
                upstream.random_weights(network)
            else:
                upstream.fill(network, state, path)
            self._codebook = upstream.codebook(network)
            self._network = network.to(self.device)
            self._loaded = path or rate.weights
        self._network.encoder.router_config = {
            "target": upstream.ROUTER,
            "params": self._ratios.router_options,
        }

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {
            "fine": self._ratios.fine,
            "medium": self._ratios.medium,
            "coarse": self._ratios.coarse,
            "tile": self.options["tile"],
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
        pixels = torch.from_numpy(padded(image)).to(self.device)
        mode, coded = Mode.ALL, []
        for rows, columns in tiles(height, width, self.options["tile"]):
            signal = pixels[rows, columns].permute(2, 0, 1)[None].float() / 255
            mode, tile = self._encode_tile(signal)
            coded.append(tile)
        return bitstream.write(mode, height, width, coded, self._codebook)

    def _encode_tile(self, signal: Tensor) -> tuple[Mode, Tile]:
        quantised, _, _, masks, indices, _, mode = self._network.encode(signal)
        coarse, medium, fine = (mask[0, 0].bool().cpu().numpy() for mask in masks)
        grid = indices.view(quantised.shape[2:]).cpu().numpy()
        return Mode(mode), Tile(coarse, medium, fine, grid)

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`."""
        mode, height, width, position = bitstream.read_header(stream, self._codebook)
        reader = TileReader(stream, position, mode, self._codebook)
        places = list(tiles(height, width, self.options["tile"]))
        coded = [
            reader.read((rows.stop - rows.start) // CELL, (columns.stop - columns.start) // CELL)
            for rows, columns in places
        ]
        reader.end()
        image = np.empty((height + -height % CELL, width + -width % CELL, 3), np.uint8)
        for (rows, columns), tile in zip(places, coded, strict=True):
            image[rows, columns] = self._decode_tile(tile)
        return np.ascontiguousarray(image[:height, :width])

    def _decode_tile(self, tile: Tile) -> Image:
        indices = torch.from_numpy(tile.indices).to(self.device)
        quantised = self._network.quantize.embedding(indices).permute(2, 0, 1)[None].contiguous()
        masks = [
            torch.from_numpy(mask).to(self.device).int()[None, None]
            for mask in (tile.coarse, tile.medium, tile.fine)
        ]
        signal = self._network.decode(quantised, masks)[0].clamp(0, 1)
        pixels = (signal * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        result: Image = pixels.cpu().numpy()
        return result

    @torch.inference_mode()
    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`; counted on shapes alone, tile by tile."""
        from harness.codec.flops import profile

        folder = checkout(self.rate, "control-gic")
        with torch.device("meta"):
            network = upstream.build(folder)
            network.encoder.router_config = self._network.encoder.router_config
            sizes = Counter(
                (rows.stop - rows.start, columns.stop - columns.start)
                for rows, columns in tiles(height, width, self.options["tile"])
            )
            with upstream.lasting_router(network):
                parts = [
                    (profile(RoundTrip(network), torch.empty(1, 3, *size)), count)
                    for size, count in sizes.items()
                ]
        flops = sum(count * (part.flops or 0) for part, count in parts)
        flops_torch = sum(count * (part.flops_torch or 0) for part, count in parts)
        return Profile(parts[0][0].parameters, flops, flops_torch)


class RoundTrip(nn.Module):
    """Encoder and decoder in one ``forward``."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, signal: Tensor) -> Tensor:
        """What ``signal`` is decoded to."""
        quantised, _, _, masks, *_ = self.network.encode(signal)
        decoded: Tensor = self.network.decode(quantised, masks)
        return decoded
