"""Identity cards of metric values, and the card that values computed now would have.

A card needs neither PyTorch nor the networks: only the installed version of the package, and the
digests of weights, which are fixed or looked up by the sha256 of a small file. So a finished run is
recognised as finished at once, and after an upgrade as one to be scored again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.assets.digests import sha256_of
from harness.assets.networks import PublishedFile, Tensors, digest
from harness.catalog.metrics import METRICS
from harness.errors import HarnessError, Lack


@dataclass(frozen=True)
class Card:
    """How a metric's value was computed. Two values may be compared only if their cards agree.

    A card does not mention the device or the machine: values agree across them to 1e-5.

    Attributes:
        metric: The metric's name.
        implementation: The package, or ``codec-harness``, whose values these are.
        version: The version of that implementation.
        definition: The variant: backbone, colour, settings.
        input_range: What the 8-bit values are mapped to before the metric sees them.
        weights: sha256 of each network's tensors (see :func:`harness.assets.networks.digest`), or
            of its file where the network is loaded from that.
        resizing: Always ``none``: the image is scored at its decoded size.
    """

    metric: str
    implementation: str
    version: str
    definition: str
    input_range: str
    weights: Mapping[str, str] = field(default_factory=dict)
    resizing: str = "none"

    def as_dict(self) -> dict[str, Any]:
        """The card in the form stored as JSON, with the metric's direction and best value."""
        metric = METRICS[self.metric]
        best = metric.best if math.isfinite(metric.best) else str(metric.best)
        return {**asdict(self), "direction": metric.direction, "best": best}

    @property
    def id(self) -> str:
        """A short id of the card: the start of a sha256 over its content."""
        text = json.dumps(self.as_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


VGG16_DIGEST = "9ce40e078ba3f149e9ad250397b13c404d2f319bc554f4b019b80da9793deb95"
"""Digest of the convolutions of torchvision's VGG16 (ImageNet), used by LPIPS and DISTS."""

CLIP_RN50 = PublishedFile(
    url=(
        "https://openaipublic.azureedge.net/clip/models/"
        "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762/RN50.pt"
    ),
    sha256="afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
    size=255_796_990,
    hub="clip",
)
"""OpenAI's CLIP with a ResNet-50, a TorchScript archive."""

HEADS = {
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868": (
        "cb162c754209f10a0ea4661f259b3f556985bd9886263a3bb0d960195837887f"
    ),
    "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218": (
        "1f5d759e2a80fa989ee3e65f90e6a8ed69a14f0df77571f2f2dccd99b1323f04"
    ),
}
"""By the sha256 of a package's file: the digest of its tensors."""


@dataclass(frozen=True)
class Package:
    """The package that defines a metric.

    Attributes:
        module: The name under which it is imported.
        name: The name under which it is installed.
        remedy: How to get it.
    """

    module: str
    name: str
    remedy: str

    def lack(self) -> Lack | None:
        """A lack if it is not installed, or ``None``."""
        if importlib.util.find_spec(self.module) is not None:
            return None
        return Lack(f"package '{self.name}' is not installed", self.remedy)

    def version(self) -> str:
        """The installed version.

        Raises:
            HarnessError: It is not installed.
        """
        try:
            return importlib.metadata.version(self.name)
        except importlib.metadata.PackageNotFoundError:
            raise HarnessError(f"package '{self.name}' is not installed", self.remedy) from None

    def file(self, path: str) -> Path:
        """A data file of the package, found without importing it.

        Raises:
            HarnessError: The package, or the file in it, is missing.
        """
        spec = importlib.util.find_spec(self.module)
        for folder in (spec.submodule_search_locations if spec else None) or []:
            if (found := Path(folder) / path).is_file():
                return found
        problem = f"{path} of package '{self.name}' not found"
        raise HarnessError(problem, f"pip install --force-reinstall --no-deps {self.name}")


PACKAGES: Mapping[str, Package] = {
    "ms_ssim": Package("pytorch_msssim", "pytorch-msssim", "pip install pytorch-msssim"),
    "lpips": Package("lpips", "lpips", "pip install lpips"),
    "dists": Package("DISTS_pytorch", "DISTS_pytorch", "pip install DISTS_pytorch"),
    "clip_iqa": Package(
        "pyiqa",
        "pyiqa",
        "pip install 'codec-harness[clip-iqa]' (pyiqa: non-commercial licence)",
    ),
}
"""The package of each metric; those without one are computed by the harness."""


def psnr_card() -> Card:
    """The card of PSNR."""
    definition = "10 log10(255^2 / MSE), MSE over R, G and B together"
    return Card("psnr", "codec-harness", "1", definition, "0..255")


def ms_ssim_card() -> Card:
    """The card of MS-SSIM."""
    package = PACKAGES["ms_ssim"]
    definition = "RGB, five scales, 11-pixel window, sigma 1.5, mean of the channels"
    return Card("ms_ssim", package.name, package.version(), definition, "0..255")


def lpips_card() -> Card:
    """The card of LPIPS."""
    weights = {"vgg16": VGG16_DIGEST, "linear": _digest_of(_lpips_file(), lpips_layers)}
    version = PACKAGES["lpips"].version()
    return Card("lpips", "lpips", version, "VGG16, linear layers v0.1", "-1..1", weights)


def dists_card() -> Card:
    """The card of DISTS."""
    weights = {"vgg16": VGG16_DIGEST, "channels": _digest_of(_dists_file(), dists_channels)}
    definition = "VGG16 with L2 pooling, forward() on the whole image"
    version = PACKAGES["dists"].version()
    return Card("dists", "DISTS_pytorch", version, definition, "0..1", weights)


def clip_iqa_card(sha256: str = CLIP_RN50.sha256) -> Card:
    """The card of CLIP-IQA with CLIP's weights from a file with that sha256."""
    definition = "clipiqa: CLIP RN50, five prompt pairs averaged"
    version = PACKAGES["clip_iqa"].version()
    return Card("clip_iqa", "pyiqa", version, definition, "0..1", {"clip_rn50": sha256})


def lpips_layers() -> Tensors:
    """LPIPS's linear layers on VGG16: float32, 1 x C x 1 x 1 each."""
    names = [f"lin{stage}.model.1.weight" for stage in range(5)]
    state = _state(_lpips_file())
    return {name: state[name].numpy() for name in names}


def dists_channels() -> Tensors:
    """DISTS's channel weights, for means (alpha) and structure (beta).

    float32, one value per channel of the image and of VGG16's five stages.
    """
    state = _state(_dists_file())
    return {name: state[name].detach().flatten().numpy() for name in ("alpha", "beta")}


def _lpips_file() -> Path:
    return PACKAGES["lpips"].file("weights/v0.1/vgg.pth")


def _dists_file() -> Path:
    return PACKAGES["dists"].file("weights.pt")


def _state(path: Path) -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _digest_of(path: Path, read: Callable[[], Tensors]) -> str:
    """The digest of the tensors in a package's file, which is read only if it is unknown."""
    return HEADS.get(sha256_of(path)) or digest(read())


CARDS: Mapping[str, Callable[[], Card]] = {
    "psnr": psnr_card,
    "ms_ssim": ms_ssim_card,
    "lpips": lpips_card,
    "dists": dists_card,
    "clip_iqa": clip_iqa_card,
}


def cards_now(names: Iterable[str]) -> dict[str, Card]:
    """The card that each metric's values would have if computed now.

    Metrics that cannot be computed here, because their package is missing or broken, are left out.
    """
    found = {}
    for name in names:
        try:
            found[name] = CARDS[name]()
        except HarnessError:
            continue
    return found


def current_cards(names: Iterable[str]) -> dict[str, str]:
    """The id of each of :func:`cards_now`."""
    return {name: card.id for name, card in cards_now(names).items()}
