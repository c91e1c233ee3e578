"""R3GAN's generator and discriminator (Huang et al. 2024, section 4, Config E) for any size: no normalisation."""

from itertools import pairwise
from math import sqrt
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu

from ganctl.networks.interfaces import Discriminator, Generator, Shape
from ganctl.networks.label import LabelEmbedding, demand
from ganctl.networks.layers import Output, Pointwise, Size, at_least_one, ending_in, nhwc, widths
from ganctl.networks.sizes import halvings

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, Pointwise)
SLOPE = 0.2
GAIN = sqrt(2 / (1 + SLOPE**2))  # keeps the variance through the activation (He et al. 2015, eq. 15)


class Bottleneck(nn.Module):
    """image + contract(grouped(expand(image))): 1x1, grouped 3x3, 1x1, a biased leaky activation between them.

    The last convolution begins at zero, so a new block is the identity; the first two are scaled by
    L ** (-1 / (2m - 2)), L blocks in the network and m = 3 layers in a block (Fixup, Zhang et al. 2019, section 3).
    """

    def __init__(self, channels: int, *, expansion: int, group_size: int, total_blocks: int) -> None:
        super().__init__()
        inner = channels * expansion
        if inner % group_size:
            raise ValueError(f"group_size: {group_size}; must divide width times expansion, here {inner}")
        self.expand = scaled(Pointwise(channels, inner), GAIN * total_blocks**-0.25)
        grouped = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_size)
        self.grouped = scaled(grouped, GAIN * total_blocks**-0.25)
        self.contract = scaled(Pointwise(inner, channels, bias=False), 0.0)

    def forward(self, image: Tensor) -> Tensor:
        inner = leaky_relu(self.expand(image), SLOPE)
        return image + self.contract(leaky_relu(self.grouped(inner), SLOPE))


class Up(nn.Module):
    """Change the width, then bilinear interpolation to exactly `size`: the filter [1, 3, 3, 1] where sides double."""

    def __init__(self, before: int, after: int, size: Size) -> None:
        super().__init__()
        self.size, self.widen = size, changed(before, after)

    def forward(self, image: Tensor) -> Tensor:
        return interpolate(self.widen(image), size=self.size, mode="bilinear", align_corners=False)


class Down(nn.Module):
    """The filter [1, 3, 3, 1] / 8 along both sides with stride 2, n to n/2 rounded up, then change the width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.widen = changed(before, after)

    def forward(self, image: Tensor) -> Tensor:
        return self.widen(halve_side(halve_side(image, rows=True), rows=False))


class R3GANGenerator(Generator):
    """A learned basis of the smallest map, each channel weighted by a linear map of the noise, then residual stages.

    `width`: channels at full size, doubled with each halving up to `max_width`; `group_size`: channels of a group of
    the grouped convolution. With `classes`, an embedding as long as the noise is concatenated to it. After a
    linear `output` a sample (eval mode) is held in [-1, 1].
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 64,
        width: int = 96,
        max_width: int = 768,
        group_size: int = 16,
        expansion: int = 2,
        blocks: int = 2,
        classes: int | None = None,
        output: Output = "linear",
    ) -> None:
        super().__init__()
        at_least_one(noise_size=noise_size, group_size=group_size, expansion=expansion, blocks=blocks)
        image_channels, height, breadth = shape
        self.noise_size, self.classes = noise_size, classes or 0
        self.sizes = halvings(height, breadth)[::-1]  # smallest first
        self.channels = [*widths(len(self.sizes), width, max_width)[::-1], image_channels]
        self.embedding = None if classes is None else embedded(classes, noise_size, 1.0)
        self.basis = nn.Parameter(torch.randn(self.channels[0], *self.sizes[0]))
        self.weigh = scaled(nn.Linear(noise_size * (1 if classes is None else 2), self.channels[0], bias=False))
        self.body = nn.Sequential()
        for index, (channels, size) in enumerate(zip(self.channels[:-1], self.sizes, strict=True)):
            if index > 0:
                self.body.append(Up(self.channels[index - 1], channels, size))
            self.body.extend(stage(channels, blocks, len(self.sizes), expansion, group_size))
        self.paint, self.finish = scaled(Pointwise(width, image_channels, bias=False)), ending_in(output)

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            noise = torch.cat((noise, self.embedding(demand(label)).to(noise.dtype)), 1)
        weights = self.weigh(noise)[:, :, None, None]
        image = self.finish(self.paint(self.body(nhwc(weights * self.basis.to(weights.dtype)))))
        return image if self.training else image.clamp(-1, 1)

    def stages(self) -> list[tuple[int, ...]]:
        sizes = [*self.sizes, self.sizes[-1]]
        return [(channels, *size) for channels, size in zip(self.channels, sizes, strict=True)]


class R3GANDiscriminator(Discriminator):
    """The generator's mirror: the smallest map meets one learned basis a channel, then one linear map to the score.

    With `classes` the score is the product of two vectors of `embedding_size`: of the features and of the label.
    """

    def __init__(
        self,
        shape: Shape,
        width: int = 96,
        max_width: int = 768,
        group_size: int = 16,
        expansion: int = 2,
        blocks: int = 2,
        classes: int | None = None,
        embedding_size: int = 64,
    ) -> None:
        super().__init__()
        at_least_one(group_size=group_size, expansion=expansion, blocks=blocks, embedding_size=embedding_size)
        image_channels, height, breadth = shape
        self.classes = classes or 0
        self.sizes = halvings(height, breadth)  # largest first
        self.channels = [image_channels, *widths(len(self.sizes), width, max_width)]
        self.extract = scaled(Pointwise(image_channels, width, bias=False))
        self.body = nn.Sequential()
        for before, after in pairwise(self.channels[1:]):
            self.body.extend(stage(before, blocks, len(self.sizes), expansion, group_size))
            self.body.append(Down(before, after))
        self.feature_size = self.channels[-1]
        self.body.extend(stage(self.feature_size, blocks, len(self.sizes), expansion, group_size))
        basis = nn.Conv2d(self.feature_size, self.feature_size, self.sizes[-1], groups=self.feature_size, bias=False)
        self.basis = scaled(basis)
        self.embedding = None if classes is None else embedded(classes, embedding_size, 1 / sqrt(embedding_size))
        self.last = scaled(nn.Linear(self.feature_size, 1 if classes is None else embedding_size, bias=False))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.basis(self.body(self.extract(nhwc(image)))).flatten(1)  # [B, feature_size]

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        projected = self.last(features)
        if self.embedding is None:
            return projected.squeeze(1)
        return (projected * self.embedding(demand(label))).sum(1)

    def stages(self) -> list[tuple[int, ...]]:
        sizes = [self.sizes[0], *self.sizes]
        return [(channels, *size) for channels, size in zip(self.channels, sizes, strict=True)]


def stage(channels: int, blocks: int, sizes: int, expansion: int, group_size: int) -> list[Bottleneck]:
    """The residual blocks of one size; all sizes together scale their first weights."""
    return [
        Bottleneck(channels, expansion=expansion, group_size=group_size, total_blocks=blocks * sizes)
        for _ in range(blocks)
    ]


def scaled(layer: Layer, gain: float = 1.0) -> Layer:
    """First weights with deviation gain / sqrt(inputs of a unit); biases zero."""
    nn.init.normal_(layer.weight, 0.0, gain / sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def embedded(classes: int, size: int, gain: float) -> LabelEmbedding:
    """A table of classes begun like a linear map of one-hot labels: deviation gain / sqrt(classes)."""
    embedding = LabelEmbedding(classes, size)
    nn.init.normal_(embedding.weight, 0.0, gain / sqrt(classes))
    return embedding


def changed(before: int, after: int) -> nn.Module:
    """A 1x1 convolution where the width changes."""
    return nn.Identity() if before == after else scaled(Pointwise(before, after, bias=False))


def halve_side(image: Tensor, *, rows: bool) -> Tensor:
    """The filter [1, 3, 3, 1] / 8 with stride 2 along one side, renormed at the border; n becomes n/2 rounded up.

    Written as the mean of a box of four and a box of two: a depthwise convolution is many times slower in bf16 on
    CPUs, above all backwards.
    """
    four, two, pad, stride = ((4, 1), (2, 1), (1, 0), (2, 1)) if rows else ((1, 4), (1, 2), (0, 1), (1, 2))
    wide = avg_pool2d(image, four, stride, pad, ceil_mode=True, count_include_pad=False)
    return torch.lerp(wide, avg_pool2d(image, two, stride, ceil_mode=True), 0.5)
