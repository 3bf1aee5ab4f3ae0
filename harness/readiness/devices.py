"""Which device a codec runs on, and whether it is there."""

from __future__ import annotations

import importlib.util

from harness.catalog.codec_spec import CodecSpec
from harness.errors import HarnessError, Lack
from harness.readiness.machine import gpu_count


def device_of(codec: CodecSpec, asked: str) -> str:
    """The device on which a codec runs if ``asked`` is requested: ``cpu`` if it knows no other."""
    return "cpu" if codec.constraints.devices == ("cpu",) else asked


def codec_device_lack(codec: CodecSpec, device: str) -> Lack | None:
    """A lack if the codec does not run on such a device, or ``None``."""
    kind = device.partition(":")[0]
    if kind in codec.constraints.devices:
        return None
    allowed = " or ".join(codec.constraints.devices)
    return Lack(f"codec '{codec.name}' does not run on {kind}", f"use --device {allowed}")


def require_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        HarnessError: See :func:`device_lack`.
    """
    if (lack := device_lack(device)) is not None:
        raise HarnessError.of(lack)


def device_lack(device: str) -> Lack | None:
    """Why ``cpu``, ``cuda`` or ``cuda:N`` cannot be used on this machine, or ``None``.

    A device counts as present if the driver or the harness's own PyTorch shows it: a codec
    may run in its own environment, whose PyTorch may support what ours does not.
    """
    kind, _, index = device.partition(":")
    if kind == "cpu" and not index:
        return None
    if kind != "cuda" or (index and not index.isdigit()):
        return Lack(f"unknown device {device!r}", "use cpu, cuda or cuda:N")
    count = max(gpu_count(), _torch_devices())
    if int(index or 0) < count:
        return None
    return Lack(
        f"device {device!r} is not there: this machine shows {count} CUDA devices",
        "use --device cpu, or install a PyTorch that matches the driver",
    )


def _torch_devices() -> int:
    if importlib.util.find_spec("torch") is None:
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
