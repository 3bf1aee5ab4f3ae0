"""The discriminator on patches, its loss, and how much of it the generator hears."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 64
_MOST = 1e4
_LEAST_NORM = 1e-4


class PatchDiscriminator(nn.Module):
    """pix2pix's PatchGAN (Isola et al., CVPR 2017): one logit for each 70 x 70 patch.

    Instance norm, where VQGAN has batch norm: a batch here mixes stages, and how one of them
    looks must not shift the others.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2)]
        widths = (WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)
        for number, (inputs, outputs) in enumerate(pairwise(widths), 1):
            stride = 1 if number == len(widths) - 1 else 2
            layers += [
                nn.Conv2d(inputs, outputs, 4, stride, 1),
                nn.InstanceNorm2d(outputs, affine=True),
                nn.LeakyReLU(0.2),
            ]
        layers += [nn.Conv2d(8 * WIDTH, 1, 4, 1, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """float, B x 3 x H x W in [-1, 1] with H and W from 32, to B x 1 x h x w logits."""
        logits: Tensor = self.layers(images)
        return logits.float()


def generator_loss(logits: Tensor, stage_weights: Tensor) -> Tensor:
    """The hinge loss of the reconstructions of all stages, weighted by stage.

    Args:
        logits: float, N*B x 1 x h x w, stage after stage.
        stage_weights: float, N.
    """
    return -(stage_weights * _by_stage(logits, stage_weights)).sum()


def discriminator_loss(real: Tensor, fake: Tensor, stage_weights: Tensor) -> Tensor:
    """The hinge loss of originals and reconstructions (Lim and Ye, 2017).

    Args:
        real: Logits of the originals, B x 1 x h x w.
        fake: Logits of the reconstructions, N*B x 1 x h x w, stage after stage.
        stage_weights: float, N.
    """
    on_fake = (stage_weights * _by_stage(functional.relu(1 + fake), stage_weights)).sum()
    return 0.5 * (functional.relu(1 - real).mean() + on_fake)


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor) -> Tensor:
    """VQGAN's weight of the adversarial loss: the ratio of the two gradients' norms.

    Args:
        reconstruction: The gradient of L1 and LPIPS in the synthesis' last layer.
        adversarial: That of the generator's loss.
    """
    norm = torch.linalg.vector_norm
    ratio: Tensor = norm(reconstruction) / (norm(adversarial) + _LEAST_NORM)
    return ratio.clamp_max(_MOST)


def _by_stage(values: Tensor, stage_weights: Tensor) -> Tensor:
    return values.reshape(len(stage_weights), -1).mean(1)
