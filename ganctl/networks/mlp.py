"""Fully connected generator and discriminator: the first GAN (Goodfellow et al. 2014), for pictures and for points."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Discriminator, Generator, Shape
from ganctl.networks.label import LabelEmbedding, demand

LABEL_SIZE = 32  # length of a label's embedding


def more_than_zero(input_gain: float) -> None:
    """Raise ValueError for a gain that is none."""
    if input_gain <= 0:
        raise ValueError(f"input_gain: {input_gain}; must be more than 0")


class MLPGenerator(Generator):
    """Linear layers with LeakyReLU 0.2 and batch norm (not on the first), tanh at the end.

    `input_gain` multiplies the noise: such layers are slow to learn what changes within a small part of their input's
    range (Rahaman et al. 2019), and the way from one mode to the next should be that, for it is drawn as well.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 100,
        hidden: Sequence[int] = (128, 256, 512, 1024),
        batch_norm: bool = True,
        classes: int | None = None,
        input_gain: float = 1.0,
    ) -> None:
        super().__init__()
        more_than_zero(input_gain)
        self.shape, self.noise_size, self.classes = tuple(shape), noise_size, classes or 0
        self.input_gain = input_gain
        self.embedding = None if classes is None else LabelEmbedding(classes, LABEL_SIZE)
        sizes = [noise_size + (LABEL_SIZE if self.classes else 0), *hidden]
        layers: list[nn.Module] = []
        for index, (before, after) in enumerate(pairwise(sizes)):
            norm = [nn.BatchNorm1d(after)] if batch_norm and index > 0 else []
            layers += [nn.Linear(before, after), *norm, nn.LeakyReLU(0.2, True)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], prod(shape)), nn.Tanh())

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        noise = noise * self.input_gain
        if self.embedding is not None:
            noise = torch.cat((noise, self.embedding(demand(label))), 1)
        return self.layers(noise).unflatten(1, self.shape)


class MLPDiscriminator(Discriminator):
    """Linear layers with LeakyReLU 0.2; with `classes`, the label's embedding is concatenated to the pixels.

    `input_gain` multiplies the pixels: such layers are slow to learn what changes within a small part of their input's
    range (Rahaman et al. 2019), and narrow modes of points are that.
    """

    def __init__(
        self,
        shape: Shape,
        hidden: Sequence[int] = (512, 256),
        classes: int | None = None,
        input_gain: float = 1.0,
    ) -> None:
        super().__init__()
        more_than_zero(input_gain)
        self.classes, self.input_gain = classes or 0, input_gain
        self.embedding = None if classes is None else LabelEmbedding(classes, LABEL_SIZE)
        sizes = [prod(shape) + (LABEL_SIZE if self.classes else 0), *hidden]
        pairs = pairwise(sizes)
        self.layers = nn.Sequential(
            *(layer for before, after in pairs for layer in (nn.Linear(before, after), nn.LeakyReLU(0.2, True)))
        )
        self.feature_size = sizes[-1]
        self.last = nn.Linear(self.feature_size, 1)

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        pixels = image.flatten(1) * self.input_gain
        if self.embedding is not None:
            pixels = torch.cat((pixels, self.embedding(demand(label)).to(pixels.dtype)), 1)
        return self.layers(pixels)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features).squeeze(1)
