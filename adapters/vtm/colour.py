"""RGB to Y'CbCr and back, 4:4:4 or 4:2:0, with every choice that moves the numbers an option.

Matrices and ranges are those of ITU-T H.273: equations 41 to 43 (the primaries' weights), 26 to 28
(limited range) and 29 to 31 (full range). In 4:2:0 a chroma sample lies halfway between two rows
of luma samples, and across as ``siting`` says: ``left``, on the even luma columns (H.273 type 0,
MPEG-2), or ``center``, halfway between two columns (type 1, JPEG).

The weights have four decimals, so sums of weighted 8-bit samples are whole numbers in units of
1/10000. They are kept whole until the last step, one division: a sample that lies exactly between
two integers is seen to do so, and goes to the even one; one that is an integer is not rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Plane: TypeAlias = npt.NDArray[np.uint16]
"""Samples of one component: uint16, H x W."""
Planes: TypeAlias = tuple[Plane, Plane, Plane]
"""Y, Cb and Cr."""
Floats: TypeAlias = npt.NDArray[np.float64]
"""Samples in double precision."""

ONE = 10_000
"""The sum of the three weights of a matrix."""
WEIGHTS = {"bt709": (2126, 7152, 722), "bt601": (2990, 5870, 1140)}
"""K_R, K_G and K_B, in units of 1/ONE."""
PEAK = 255  # of 8-bit RGB


def box(x: float) -> float:
    """The mean of the samples around; with half the weight at its edge, it stays symmetric."""
    return 1.0 if abs(x) < 1 / 2 else 1 / 2 if abs(x) == 1 / 2 else 0.0


def linear(x: float) -> float:
    """Linear interpolation."""
    return max(0.0, 1 - abs(x))


def cubic(x: float) -> float:
    """Keys' cubic with a = -1/2 (Catmull-Rom)."""
    x = abs(x)
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0  # noqa: PLR2004 - its support


def lanczos(x: float) -> float:
    """The sinc windowed by its own main lobe over three zeros a side."""
    support = 3
    return float(np.sinc(x) * np.sinc(x / support)) if abs(x) < support else 0.0


KERNELS: Mapping[str, tuple[Callable[[float], float], int]] = {
    "box": (box, 1), "linear": (linear, 1), "cubic": (cubic, 2), "lanczos": (lanczos, 3),
}  # fmt: skip
"""Kernels by name, each with a whole number that its support does not pass."""

CHOICES: Mapping[str, tuple[str | int, ...]] = {
    "matrix": tuple(WEIGHTS),
    "range": ("full", "limited"),
    "gray": ("integer", "half"),
    "depth": (8, 10),
    "rounding": ("nearest", "down"),
    "rgb_rounding": ("nearest", "down"),
    "chroma": ("4:2:0", "4:4:4"),
    "siting": ("left", "center"),
    "downsampling": tuple(KERNELS),
    "upsampling": tuple(KERNELS),
}


@dataclass(frozen=True)
class Conversion:
    """One way from 8-bit RGB to Y'CbCr and back.

    Attributes:
        matrix: ``bt709`` or ``bt601``.
        range: ``full`` (0 to 2^depth - 1) or ``limited`` (luma 16 to 235, chroma 16 to 240, times
            2^(depth - 8)).
        gray: The chroma of gray: ``integer``, 2^(depth - 1), as in H.273; or ``half`` of the full
            range, 2^(depth - 1) - 1/2, in 4:4:4 at full range.
        depth: Bits of a Y'CbCr sample, 8 or 10.
        rounding: Of Y'CbCr, to ``nearest``, or ``down`` as a cast to integers does.
        rgb_rounding: Of RGB, likewise.
        chroma: ``4:2:0`` or ``4:4:4``.
        siting: Where chroma samples lie in 4:2:0, ``left`` or ``center``.
        downsampling: The kernel of :data:`KERNELS`, made twice as wide, that takes chroma down.
        upsampling: The kernel that interpolates chroma.
    """

    matrix: str
    range: str
    gray: str
    depth: int
    rounding: str
    rgb_rounding: str
    chroma: str
    siting: str
    downsampling: str
    upsampling: str

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Conversion:
        """The conversion that a codec's options name.

        Raises:
            ValueError: An option has a value that is none of its :data:`CHOICES`, or that another
                option rules out.
        """
        chosen = {field.name: options[field.name] for field in fields(cls)}
        for name, value in chosen.items():
            if value not in CHOICES[name]:
                known = ", ".join(map(str, CHOICES[name]))
                raise ValueError(f"{name} = {value!r} is none of: {known}")
        conversion = cls(**chosen)
        if conversion.gray == "half" and (conversion.chroma, conversion.range) != ("4:4:4", "full"):
            raise ValueError("gray = 'half' goes with chroma = '4:4:4' and range = 'full' alone")
        return conversion

    def from_rgb(self, image: npt.NDArray[np.uint8]) -> Planes:
        """The planes of an image.

        Args:
            image: uint8, H x W x 3; H and W even in 4:2:0.

        Returns:
            Y of H x W, Cb and Cr of H x W or, in 4:2:0, H/2 x W/2; 0 to 2^depth - 1.
        """
        red, green, blue = (image[..., c].astype(np.float64) for c in range(3))
        weight_red, weight_green, weight_blue = WEIGHTS[self.matrix]
        luma = weight_red * red + weight_green * green + weight_blue * blue
        chroma = [ONE * blue - luma, ONE * red - luma]
        if self.chroma == "4:2:0":
            chroma = [self._down(plane) for plane in chroma]
        black, luma_steps, chroma_steps = self._levels()
        gray = self._gray()
        return (
            self._quantised(luma * luma_steps / (PEAK * ONE) + black),
            self._quantised(chroma[0] * chroma_steps / (PEAK * 2 * (ONE - weight_blue)) + gray),
            self._quantised(chroma[1] * chroma_steps / (PEAK * 2 * (ONE - weight_red)) + gray),
        )

    def to_rgb(self, planes: Planes, depth: int) -> npt.NDArray[np.uint8]:
        """The image of ``planes``: uint8, H x W x 3.

        Args:
            planes: As :meth:`from_rgb` returns them, but with samples of ``depth`` bits.
            depth: At least that of the conversion. What is above it are binary digits behind the
                point: a codec that works at 10 bits shifts samples of 8 bits up by two.
        """
        black, luma_steps, chroma_steps = self._levels()
        finer = 1 << (depth - self.depth)
        samples = [plane.astype(np.float64) / finer for plane in planes]
        luma = (samples[0] - black) * PEAK / luma_steps
        blue_chroma, red_chroma = ((s - self._gray()) * PEAK / chroma_steps for s in samples[1:])
        if self.chroma == "4:2:0":
            blue_chroma, red_chroma = self._up(blue_chroma), self._up(red_chroma)
        weight_red, weight_green, weight_blue = WEIGHTS[self.matrix]
        of_red = 2 * (ONE - weight_red) * red_chroma
        of_blue = 2 * (ONE - weight_blue) * blue_chroma
        red = (ONE * luma + of_red) / ONE
        blue = (ONE * luma + of_blue) / ONE
        taken = weight_red * of_red + weight_blue * of_blue
        green = (ONE * weight_green * luma - taken) / (ONE * weight_green)
        image = rounded(np.stack((red, green, blue), axis=-1), self.rgb_rounding)
        pixels: npt.NDArray[np.uint8] = np.clip(image, 0, PEAK).astype(np.uint8)
        return pixels

    def _levels(self) -> tuple[float, float, float]:
        """Black's luma, and how many steps luma and chroma have from 0 to 1."""
        if self.range == "full":
            return 0.0, float((1 << self.depth) - 1), float((1 << self.depth) - 1)
        step = float(1 << (self.depth - 8))
        return 16 * step, 219 * step, 224 * step

    def _gray(self) -> float:
        return (1 << (self.depth - 1)) - (0.5 if self.gray == "half" else 0.0)

    def _quantised(self, plane: Floats) -> Plane:
        whole = rounded(plane, self.rounding)
        return np.clip(whole, 0, (1 << self.depth) - 1).astype(np.uint16)

    def _down(self, plane: Floats) -> Floats:
        kernel, support = KERNELS[self.downsampling]
        for axis, phase in ((0, 0.5), (1, 0.5 if self.siting == "center" else 0.0)):
            offsets = range(-2 * support, 2 * support + 2)
            weights = normalised({n: kernel((n - phase) / 2) for n in offsets})
            plane = filtered(plane, axis, weights, step=2)
        return plane

    def _up(self, plane: Floats) -> Floats:
        kernel, support = KERNELS[self.upsampling]
        for axis, phase in ((0, 0.5), (1, 0.5 if self.siting == "center" else 0.0)):
            offsets = range(-support, support + 2)
            even, odd = (
                filtered(
                    plane,
                    axis,
                    normalised({n: kernel(n - (parity - phase) / 2) for n in offsets}),
                    step=1,
                )
                for parity in (0, 1)
            )
            shape = list(even.shape)
            shape[axis] *= 2
            plane = np.stack((even, odd), axis=axis + 1).reshape(shape)
        return plane


def rounded(samples: Floats, rounding: str) -> Floats:
    """The samples as whole numbers: the nearest, the even one of two as near, or the next below."""
    return np.rint(samples) if rounding == "nearest" else np.floor(samples)


def normalised(weights: Mapping[int, float]) -> dict[int, float]:
    """The weights that are not 0, scaled to a sum of 1."""
    total = math.fsum(weights.values())
    return {offset: weight / total for offset, weight in weights.items() if weight}


def filtered(plane: Floats, axis: int, weights: Mapping[int, float], step: int) -> Floats:
    """At each ``step``-th place of ``axis``, the weighted sum of the samples at the offsets.

    Past the edges the outermost samples repeat.
    """
    before, after = max(0, -min(weights)), max(0, *weights)
    padding = [(0, 0), (0, 0)]
    padding[axis] = (before, after)
    padded = np.pad(plane, padding, mode="edge")
    length = plane.shape[axis]
    result = np.zeros(())
    for offset, weight in weights.items():
        places = [slice(None), slice(None)]
        places[axis] = slice(before + offset, before + offset + length, step)
        result = result + weight * padded[tuple(places)]
    return result
