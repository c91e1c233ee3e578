"""Residual GANs for any size: SNGAN (Miyato et al. 2018), SAGAN (Zhang et al. 2019), R1 GAN (Mescheder et al. 2018)."""

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Discriminator, Generator, Shape
from ganctl.networks.label import LabelEmbedding, demand
from ganctl.networks.layers import (
    ConditionalNorm,
    Init,
    NoNorm,
    Norm,
    PlainNorm,
    Projection,
    Recipe,
    at_least_one,
    nhwc,
    widths,
)
from ganctl.networks.residual import DownBlock, UpTrunk, attention_beside
from ganctl.networks.sizes import LEAST, halvings


class ResNetGenerator(Generator):
    """Noise to picture through residual blocks.

    `width`: channels at full size, doubled with each halving up to `max_width`. `attention`: self-attention on the
    largest map whose shorter side is at most this. With `classes`, batch norm is conditional (a scale and a shift a
    class); without batch norm the label's embedding is concatenated to the noise, as Mescheder et al. do.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 128,
        width: int = 64,
        max_width: int = 1024,
        classes: int | None = None,
        norm: Norm = "batch",
        spectral_norm: bool = False,
        attention: int | None = None,
        init: Init = "xavier",
        slope: float = 0.0,
        residual_gain: float = 1.0,
    ) -> None:
        super().__init__()
        at_least_one(noise_size=noise_size)
        self.noise_size, self.classes = noise_size, classes or 0
        self.embedding = None if classes is None or norm == "batch" else LabelEmbedding(classes, noise_size)
        self.trunk = UpTrunk(
            shape,
            vector_size=noise_size * (1 if self.embedding is None else 2),
            width=width,
            max_width=max_width,
            attention=attention,
            recipe=Recipe(spectral_norm, init, slope, residual_gain),
            norm=lambda block, size: normed(size, norm, classes),
            last_norm=normed(width, norm, None),
        )

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            noise = torch.cat((noise, self.embedding(demand(label))), 1)
        return self.trunk(noise, [label] * len(self.trunk.blocks))

    def stages(self) -> list[tuple[int, ...]]:
        return self.trunk.stages()


class ResNetDiscriminator(Discriminator):
    """Picture to score through residual blocks, summed over places; with `classes`, the projection discriminator.

    `width`: channels after the first halving, doubled with each further one up to `max_width`. Halving ends before
    the smaller side would fall under `least`; `last_blocks` blocks follow there. SNGAN's form for 32x32 is
    `width=128, max_width=128, least=8, last_blocks=2`.
    """

    def __init__(
        self,
        shape: Shape,
        width: int = 64,
        max_width: int = 1024,
        classes: int | None = None,
        spectral_norm: bool = False,
        attention: int | None = None,
        init: Init = "xavier",
        slope: float = 0.0,
        residual_gain: float = 1.0,
        least: int = LEAST,
        last_blocks: int = 1,
    ) -> None:
        super().__init__()
        at_least_one(least=least, last_blocks=last_blocks)
        channels, height, breadth = shape
        self.classes, self.recipe = classes or 0, Recipe(spectral_norm, init, slope, residual_gain)
        self.sizes = halvings(height, breadth, least)  # largest first
        halved = widths(len(self.sizes) - 1, width, max_width)
        self.channels = [channels, *halved, *halved[-1:] * last_blocks]
        self.blocks = nn.ModuleList(self._block(index) for index in range(len(self.channels) - 1))
        self.attention = attention_beside(self.sizes[1:], halved, attention, self.recipe)
        self.feature_size = self.channels[-1]
        self.last = Projection(self.feature_size, classes, self.recipe)

    def _block(self, index: int) -> DownBlock:
        before, after = self.channels[index], self.channels[index + 1]
        return DownBlock(before, after, self.recipe, first=index == 0, halve=index < len(self.sizes) - 1)

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        image, halving = nhwc(image), len(self.attention)
        for block, attention in zip(self.blocks[:halving], self.attention, strict=True):
            image = attention(block(image))
        for block in self.blocks[halving:]:
            image = block(image)
        return self.recipe.activate(image).sum((2, 3))  # [B, feature_size]

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features, label)

    def stages(self) -> list[tuple[int, ...]]:
        sizes = self.sizes + self.sizes[-1:] * (len(self.channels) - len(self.sizes))
        return [(channels, *size) for channels, size in zip(self.channels, sizes, strict=True)]


def normed(size: int, norm: Norm, classes: int | None) -> nn.Module:
    """The normalisation before an activation; conditional where there are classes."""
    if norm == "none":
        return NoNorm()
    if classes is None:
        return PlainNorm(size)
    return ConditionalNorm(size, gain=_unmoved(classes, size), bias=_unmoved(classes, size))


def _unmoved(classes: int, size: int) -> LabelEmbedding:
    """All zeros: every class begins with scale 1 and shift 0."""
    embedding = LabelEmbedding(classes, size)
    nn.init.zeros_(embedding.weight)
    return embedding
