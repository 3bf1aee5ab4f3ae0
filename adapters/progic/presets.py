"""The sizes of ProGIC: widths and depths, and the three numbers that make its rates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

MAX_STAGES = 255
MAX_INDEX_BITS = 16
MAX_CHANNELS = 4096
MAX_BLOCKS = 256
"""A checkpoint states its own settings, and what it states is built before it is compared."""
FACTORS = (16, 32, 64, 128)


@dataclass(frozen=True)
class Settings:
    """What a network is built from.

    Attributes:
        width: Channels at 1/8 of the resolution.
        analysis_blocks: Depth-conv blocks of the analysis at 1/8.
        synthesis_blocks: Depth-conv blocks of the synthesis at 1/8.
        latent: Channels of the latent and of every codeword.
        stages: Number of codebooks, N.
        index_bits: Bits of an index, L; a codebook has 2^L words.
        factor: Downsampling factor f of the latent: 16, 32, 64 or 128.
    """

    width: int
    analysis_blocks: int
    synthesis_blocks: int
    latent: int
    stages: int = 5
    index_bits: int = 10
    factor: int = 16

    def __post_init__(self) -> None:
        if self.factor not in FACTORS:
            raise ValueError(f"factor must be one of {FACTORS}, not {self.factor}")
        if not 1 <= self.stages <= MAX_STAGES:
            raise ValueError(f"stages must be from 1 to {MAX_STAGES}, not {self.stages}")
        if not 1 <= self.index_bits <= MAX_INDEX_BITS:
            raise ValueError(f"index_bits must be from 1 to {MAX_INDEX_BITS}")
        channels, blocks = (self.width, self.latent), (self.analysis_blocks, self.synthesis_blocks)
        if not (min(channels) >= 1 and max(channels) <= MAX_CHANNELS):
            raise ValueError(f"width and latent must be from 1 to {MAX_CHANNELS}")
        if not (min(blocks) >= 1 and max(blocks) <= MAX_BLOCKS):
            raise ValueError(f"numbers of blocks must be from 1 to {MAX_BLOCKS}")

    @property
    def words(self) -> int:
        """Number of words of each codebook, 2^L."""
        return 1 << self.index_bits

    @property
    def stage_bpp(self) -> Fraction:
        """Bits per pixel of one stage, L / f² (Equation 1 of the supplement)."""
        return Fraction(self.index_bits, self.factor**2)

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the latent of an image of ``height`` x ``width`` pixels."""
        return -(-height // self.factor), -(-width // self.factor)


# The paper gives 33.11 M parameters and 333.4 GFLOPs for the base model, 14.44 M and 108.3 for
# the small one (512 x 768). Two unknowns a model, so these widths are one solution of many.
BASE = Settings(width=416, analysis_blocks=6, synthesis_blocks=12, latent=240)
SMALL = Settings(width=256, analysis_blocks=4, synthesis_blocks=9, latent=240)
TINY = Settings(width=96, analysis_blocks=2, synthesis_blocks=4, latent=64)

PRESETS = {
    "progic": BASE,
    "progic-s": SMALL,
    "progic-tiny": TINY,
    "progic-n16-f32": Settings(416, 6, 12, 240, stages=16, index_bits=10, factor=32),
    "progic-n48-f64": Settings(416, 6, 12, 240, stages=48, index_bits=8, factor=64),
}

NUMBERS = {name: number for number, name in enumerate(PRESETS, 1)}
"""What stands for a preset in a bitstream. A preset that is added goes to the end."""

CUSTOM = 0
"""The number of settings that are not a preset's."""


def preset_name(settings: Settings) -> str:
    """The preset that has these settings, or ``custom``."""
    return next((name for name, known in PRESETS.items() if known == settings), "custom")


def preset_number(settings: Settings) -> int:
    """The number of :func:`preset_name` in a bitstream."""
    return NUMBERS.get(preset_name(settings), CUSTOM)
