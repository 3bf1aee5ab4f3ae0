"""The parts of Stable Diffusion 2.1 (768-v): their files, and their sizes for random weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from harness.codec import Unavailable

FOLDER = "stable-diffusion-2-1"
FILES = (
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
)

CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "DDPMScheduler": {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction",
        "steps_offset": 1,
    },
    "UNet2DConditionModel": {
        "sample_size": 96,
        "block_out_channels": (320, 640, 1280, 1280),
        "attention_head_dim": (5, 10, 20, 20),
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
    },
    "AutoencoderKL": {
        "sample_size": 768,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 4,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
}
"""What the published configurations say, where they differ from diffusers' defaults."""


def folder(files: Mapping[str, Path]) -> Path:
    """The folder that holds all files, as diffusers wants them.

    Raises:
        Unavailable: One is missing, or they are in different folders.
    """
    paths = {name: files.get(f"{FOLDER}/{name}") for name in FILES}
    for name, path in paths.items():
        if path is None or not path.is_file():
            raise Unavailable(
                f"weights {FOLDER}/{name} not found", "run 'harness weights fetch oscar'"
            )
    folders = {path.parents[1] for path in paths.values() if path is not None}
    if len(folders) != 1:
        raise Unavailable(
            f"the files of {FOLDER} are in {', '.join(map(str, sorted(folders)))}",
            "place them in one folder",
        )
    return folders.pop()


@contextmanager
def untrained(module: ModuleType) -> Iterator[None]:
    """Where ``module`` would read a part's weights, it is built with random ones."""
    with (
        patch.object(module.DDPMScheduler, "from_pretrained", _builder(module, "DDPMScheduler")),
        patch.object(
            module.UNet2DConditionModel,
            "from_pretrained",
            _builder(module, "UNet2DConditionModel"),
        ),
        patch.object(module.AutoencoderKL, "from_pretrained", _builder(module, "AutoencoderKL")),
    ):
        yield


def _builder(module: ModuleType, name: str) -> Any:
    def build(*_: Any, **__: Any) -> Any:
        return getattr(module, name)(**CONFIGS[name])

    return build
