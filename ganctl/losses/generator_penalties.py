"""Penalties on a generator, in its own turn."""

from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Tensor

from ganctl.losses.regularizers import Penalty
from ganctl.networks.interfaces import Generator, StyleBased
from ganctl.precision import full_precision
from ganctl.schedules import Schedule


@dataclass(frozen=True)
class Creation:
    """What the generator was given in one turn."""

    generator: Generator
    noise: Tensor  # [B, noise_size]
    label: Tensor | None  # [B] class or [B, K] attributes
    images_seen: int


class GeneratorPenalty(Penalty):
    """A penalty that reads the generator itself, not the discriminator's scores."""

    def accept(self, generator: Generator) -> None:
        """Raises ValueError where this generator has nothing to penalise."""


class PathLength(GeneratorPenalty):
    """Karras et al. 2020, eq. 4: a step in style space should change the picture by the same length everywhere.

    E of (|J^T y| - a)^2, y random pictures, a the running mean of the lengths: it moves by 1 - `decay` a time.
    `share`: part of the batch that is used, because the second derivative of a generator is dear.
    """

    mean: Tensor

    def __init__(self, weight: float | Schedule = 2.0, every: int = 4, decay: float = 0.99, share: float = 0.5) -> None:
        super().__init__(weight, every)
        if not 0 <= decay < 1:
            raise ValueError(f"decay: {decay}; must lie in [0, 1)")
        if not 0 < share <= 1:
            raise ValueError(f"share: {share}; must lie in (0, 1]")
        self.decay, self.share = decay, share
        self.register_buffer("mean", torch.zeros(()))

    def accept(self, generator: Generator) -> None:
        if not isinstance(generator, StyleBased):
            raise ValueError(
                f"generator_penalties: PathLength needs a style-based generator, and {type(generator).__name__} is none"
            )

    def penalty(self, creation: Creation) -> Tensor:
        generator = creation.generator
        assert isinstance(generator, StyleBased)
        count = ceil(len(creation.noise) * self.share)
        label = None if creation.label is None else creation.label[:count]
        with full_precision(creation.noise.device):
            style = generator.mapping(creation.noise[:count].float(), label)
            styles = style[:, None].expand(-1, generator.layers, -1)
            lengths = path_lengths(generator.synthesis(styles), styles)
            with torch.no_grad():
                self.mean.lerp_(lengths.mean(), 1 - self.decay)
            return (lengths - self.mean.clone()).square().mean()  # the buffer may move before the backward


def path_lengths(image: Tensor, styles: Tensor) -> Tensor:
    """|J^T y| of each picture, [B]: a norm over style space, a mean over the layers' squares.

    y is normal noise over pixels, scaled so that the length does not depend on the picture's size.
    """
    directions = torch.randn_like(image) / sqrt(image.shape[2] * image.shape[3])
    (gradient,) = torch.autograd.grad((image * directions).sum(), styles, create_graph=True)  # [B, layers, style_size]
    return gradient.square().sum(2).mean(1).sqrt()
