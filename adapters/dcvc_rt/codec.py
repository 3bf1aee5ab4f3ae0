"""DCVC-RT's intra model behind the harness's contract."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
from harness.codec.checkpoint import fingerprint, reading
from harness.codec.files import checkout, weights_path

from . import bitstream
from .bitstream import MAX_PIXELS, MAX_SIDE, Header, Numerics
from .room import Room
from .upstream import load, without_cuda

PADDING = 16
REMEDY = "download it from the folder that adapters/dcvc_rt/README.md names"
TWO_CODERS_OVER = 1280 * 720
"""Upstream codes larger images with two range coders at once."""


class DcvcRt(Codec, Profiled):
    """One network for all rate points; a rate point is a QP, which is in the bitstream."""

    def __init__(self, options: Mapping[str, Any], device: str) -> None:
        super().__init__(options, device)
        self._loaded: tuple[str, Path | None] | None = None
        cuda = device != "cpu"
        self._numerics = Numerics(cuda=cuda, half=cuda and bool(options["half"]))

    def load(self, rate: RatePoint) -> None:
        """Build the network, unless it is there already."""
        super().load(rate)
        torch.set_num_threads(thread_count())
        path = weights_path(rate, REMEDY)
        if self._loaded == (rate.weights, path):
            return
        folder = checkout(rate, "dcvc-rt")
        make_deterministic()
        self._upstream = load(folder)
        torch.manual_seed(self.options["seed"])
        network = self._upstream.image_model.DMCI()
        if path is not None:
            with reading(path, "DCVC-RT's image model"):
                network.load_state_dict(self._upstream.common.get_state_dict(path))
        threads = 0 if self._numerics.cuda else thread_count()
        self._fingerprint = decoder_fingerprint(network, threads)
        self._network = network.to(self.device).eval().requires_grad_(requires_grad=False)
        self._network.update(force_zero_thres=self.options["force_zero_thres"])
        Room(self._network, self.device)
        if self._numerics.half:
            self._network.half()
        self._loaded = (rate.weights, path)

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """See :class:`harness.codec.Codec`."""
        return {
            "fast_path": self._numerics.cuda and self._upstream.has_kernels,
            "precision": "fp16" if self._numerics.half else "fp32",
            "force_zero_thres": self.options["force_zero_thres"],
            "seed": self.options["seed"],
            "threads": torch.get_num_threads(),
        }

    @torch.inference_mode()
    def encode(self, image: Image) -> bytes:
        """See :class:`harness.codec.Codec`."""
        height, width, _ = image.shape
        if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
            raise UnsupportedImage(
                f"{height} x {width} is more than {MAX_PIXELS} pixels, or {MAX_SIDE} on a side"
            )
        qp: int = self.rate.options["qp"]
        signal = self._upstream.cuda_inference.replicate_pad(
            self._signal(image), -height % PADDING, -width % PADDING
        )
        self._network.set_use_two_entropy_coders(height * width > TWO_CODERS_OVER)
        with without_cuda(self._network, self.device):
            payload = self._network.compress(signal, qp)["bit_stream"]
        return bitstream.write(
            Header(self._numerics, qp, height, width), payload, self._fingerprint
        )

    @torch.inference_mode()
    def decode(self, stream: bytes) -> Image:
        """See :class:`harness.codec.Codec`."""
        header, payload = bitstream.read(stream, self._numerics, self._fingerprint)
        height, width = header.height, header.width
        two = height * width > TWO_CODERS_OVER
        size = {"height": height, "width": width, "ec_part": int(two)}
        signal = self._network.decompress(payload, size, header.qp)["x_hat"]
        rgb = self._upstream.transforms.ycbcr2rgb(signal[:, :, :height, :width].float())
        pixels = (rgb[0] * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
        result: Image = pixels.cpu().numpy()
        return result

    def profile(self, height: int, width: int) -> Profile:
        """See :class:`harness.codec.Profiled`; counted on shapes alone, so any size will do."""
        from harness.codec.flops import profile

        with torch.device("meta"):
            network = self._upstream.image_model.DMCI().eval().requires_grad_(requires_grad=False)
            signal = torch.empty(1, 3, height + -height % PADDING, width + -width % PADDING)
        return profile(OnePass(network), signal)

    def _signal(self, image: Image) -> Tensor:
        """1 x 3 x H x W, BT.709 YCbCr in [0, 1], in the network's precision."""
        pixels = torch.from_numpy(image).to(self.device).permute(2, 0, 1)[None]
        ycbcr: Tensor = self._upstream.transforms.rgb2ycbcr(pixels.float() / 255)
        return ycbcr.half() if self._numerics.half else ycbcr


class OnePass(nn.Module):
    """Encoder, entropy model and decoder, each once, without the range coder."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, signal: Tensor) -> Tensor:
        """What upstream's ``compress`` runs, but for the range coder."""
        net = self.network
        y = net.enc(signal, net.q_scale_enc[:1])
        z = net.hyper_enc(net.pad_for_y(y))
        params = net.y_prior_fusion(net.hyper_dec(z))[:, :, : y.shape[2], : y.shape[3]]
        prior = net.compress_prior_4x(
            y,
            params,
            net.y_spatial_prior_reduction,
            net.y_spatial_prior_adaptor_1,
            net.y_spatial_prior_adaptor_2,
            net.y_spatial_prior_adaptor_3,
            net.y_spatial_prior,
        )
        decoded: Tensor = net.dec(prior[-1], net.q_scale_dec[:1])
        return decoded


def decoder_fingerprint(network: nn.Module, threads: int) -> int:
    """CRC-32 of the weights and of the threads on the CPU, on which the last bits depend.

    With it a decoder refuses, at no cost, a bitstream that it could only decode to noise.
    """
    return fingerprint(network.state_dict().values(), zlib.crc32(threads.to_bytes(2, "big")))


def make_deterministic() -> None:
    """What upstream's test sets, but for the number of threads."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
