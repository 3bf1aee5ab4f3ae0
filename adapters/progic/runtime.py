"""What runs the network: PyTorch, TorchScript or ONNX Runtime, all with the same interface."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from harness.codec import Image, Unavailable, thread_count

from .bitstream import Indices
from .network import CPU_BAND, Network

TensorFunction = Callable[[Tensor], Tensor]


class Runtime(Protocol):
    """The two halves of the network on arrays."""

    def encode(self, pixels: Image) -> Indices:
        """uint8, H x W x 3, H and W multiples of f, to uint16, N x H/f x W/f."""

    def decode(self, indices: Indices) -> Image:
        """uint16, n x h x w, to uint8, f*h x f*w x 3."""


class TorchRuntime:
    """An encoder and a decoder that take and give tensors on a device."""

    def __init__(self, encoder: TensorFunction, decoder: TensorFunction, device: str) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._device = device

    @torch.inference_mode()
    def encode(self, pixels: Image) -> Indices:
        """See :class:`Runtime`."""
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self._device)[None]
        indices: Indices = self._encoder(batch)[0].cpu().numpy().astype(np.uint16)
        return indices

    @torch.inference_mode()
    def decode(self, indices: Indices) -> Image:
        """See :class:`Runtime`."""
        batch = torch.from_numpy(indices.astype(np.int64)).to(self._device)[None]
        pixels: Image = self._decoder(batch)[0].cpu().numpy()
        return pixels


class OnnxRuntime:
    """ONNX Runtime's sessions of the two halves, each made when it is first needed."""

    def __init__(self, paths: Mapping[str, Path], device: str) -> None:
        self._paths = paths
        self._device = device

    @functools.cached_property
    def _encoder(self) -> Any:
        return _onnx_session(self._paths["encoder"], self._device)

    @functools.cached_property
    def _decoder(self) -> Any:
        return _onnx_session(self._paths["decoder"], self._device)

    def encode(self, pixels: Image) -> Indices:
        """See :class:`Runtime`."""
        (indices,) = self._encoder.run(None, {"pixels": pixels[None]})
        result: Indices = indices[0].astype(np.uint16)
        return result

    def decode(self, indices: Indices) -> Image:
        """See :class:`Runtime`."""
        (pixels,) = self._decoder.run(None, {"indices": indices.astype(np.int64)[None]})
        result: Image = pixels[0]
        return result


def eager(network: Network, device: str, *, half: bool, compiled: bool) -> TorchRuntime:
    """PyTorch, as fast as it goes on the device.

    Args:
        network: Taken over: moved to the device and set up for it.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        half: Run the transforms in half precision on a GPU; a CPU gains nothing by it.
        compiled: Use ``torch.compile``; the first image of each size then takes minutes.
    """
    on_gpu = device.startswith("cuda")
    if half and on_gpu:
        network.half_transforms()
    if not on_gpu and not compiled:
        network.set_band(CPU_BAND).dilate_pointwise()
    network = network.to(device).to(memory_format=torch.channels_last)
    encoder: TensorFunction = network.encoder()
    decoder: TensorFunction = network.decoder()
    if compiled:
        encoder, decoder = torch.compile(encoder), torch.compile(decoder)
    return TorchRuntime(encoder, decoder, device)


def torchscript(paths: Mapping[str, Path], device: str) -> TorchRuntime:
    """Exported TorchScript.

    Raises:
        Unavailable: A file is missing or does not load.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # TorchScript is what phones run
        try:
            load = cast(Callable[[Path, str], TensorFunction], torch.jit.load)
            encoder, decoder = load(paths["encoder"], device), load(paths["decoder"], device)
        except (OSError, ValueError, RuntimeError) as error:
            raise Unavailable(f"TorchScript does not load: {error}", "export it again") from error
    return TorchRuntime(encoder, decoder, device)


def _onnx_session(path: Path, device: str) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise Unavailable("an .onnx file needs onnxruntime", "pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    kind = "CUDAExecutionProvider" if device.startswith("cuda") else "CPUExecutionProvider"
    if kind not in onnxruntime.get_available_providers():
        raise Unavailable(f"this onnxruntime has no {kind}", "pip install onnxruntime-gpu")
    return onnxruntime.InferenceSession(path, options, providers=[kind])
