"""Progressive GAN (Karras et al. 2018, table 2), for any size and any number of channels."""

from math import sqrt

import torch
from torch import Tensor, nn

from ganctl.networks.equalized import (
    DoublingConv,
    EqualizedConv,
    EqualizedLinear,
    EqualizedPointwise,
    HalvingConv,
    MinibatchStddev,
    PixelNorm,
    ProjectionScore,
)
from ganctl.networks.interfaces import Discriminator, Generator, Growing, Shape
from ganctl.networks.label import LabelEmbedding, demand
from ganctl.networks.layers import Output, ending_in, enlarge, nhwc, shrink, widths
from ganctl.networks.sizes import halvings

GAIN = sqrt(2)  # He et al. 2015, for layers before a leaky ReLU


def leaky() -> nn.LeakyReLU:
    """The only nonlinearity of this family."""
    return nn.LeakyReLU(0.2, inplace=True)


class ProGANGenerator(Growing, Generator):
    """Noise on the hypersphere, a 4x4 picture, then doublings with two convolutions each; a linear map to colours.

    `width`: channels at full size; each halving doubles them up to `max_width`. With `classes` the label's embedding is
    concatenated to the noise.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 512,
        width: int = 16,
        max_width: int = 512,
        classes: int | None = None,
        output: Output = "linear",
    ) -> None:
        super().__init__()
        colours, height, breadth = shape
        self.noise_size, self.classes = noise_size, classes or 0
        self.stand_at(halvings(height, breadth)[::-1])
        self.channels = widths(len(self.sizes), width, max_width)[::-1]
        self.embedding = None if classes is None else LabelEmbedding(classes, noise_size)
        self.norm, self.finish = PixelNorm(), ending_in(output)
        self.blocks = nn.ModuleList(self._block(index) for index in range(len(self.sizes)))
        self.to_colours = nn.ModuleList(EqualizedPointwise(channels, colours) for channels in self.channels)

    def _block(self, index: int) -> nn.Sequential:
        """To the size `index` from the one before, the first from noise."""
        size, channels = self.sizes[index], self.channels[index]
        last = (EqualizedConv(channels, channels, gain=GAIN), leaky(), PixelNorm())
        if index > 0:
            return nn.Sequential(
                DoublingConv(self.channels[index - 1], channels, size=size, gain=GAIN), leaky(), PixelNorm(), *last
            )
        inputs = self.noise_size * (2 if self.classes else 1)
        first = EqualizedLinear(inputs, channels * size[0] * size[1], gain=GAIN / 4)
        return nn.Sequential(first, nn.Unflatten(1, (channels, *size)), leaky(), PixelNorm(), *last)

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """-> image [B, C, *sizes[stage]], about [-1, 1]"""
        if self.embedding is not None:
            noise = torch.cat((noise, self.embedding(demand(label))), 1)
        stage, weight = self.stage()
        features = before = self.norm(noise)
        for block in self.blocks[: stage + 1]:
            before, features = features, block(features)
        image = self.to_colours[stage](features)
        if weight < 1:
            image = enlarge(self.to_colours[stage - 1](before), self.sizes[stage]).lerp(image, weight)
        return self.finish(image)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]


class ProGANDiscriminator(Growing, Discriminator):
    """The generator's mirror, with the minibatch's standard deviation at the smallest size.

    With `classes` the label is projected onto the features (Miyato and Koyama 2018).
    """

    def __init__(
        self, shape: Shape, width: int = 16, max_width: int = 512, group: int = 4, classes: int | None = None
    ) -> None:
        super().__init__()
        colours, height, breadth = shape
        self.classes = classes or 0
        self.stand_at(halvings(height, breadth)[::-1])
        self.channels = widths(len(self.sizes), width, max_width)[::-1]
        self.from_colours = nn.ModuleList(
            nn.Sequential(EqualizedPointwise(colours, channels, gain=GAIN), leaky()) for channels in self.channels
        )
        pairs = zip(self.channels[1:], self.channels[:-1], strict=True)
        self.blocks = nn.ModuleList(self.block(inputs, outputs) for inputs, outputs in pairs)
        self.feature_size = self.channels[0]
        self.last = ending(self.channels[0], self.sizes[0], group)
        self.scoring = ProjectionScore(self.feature_size, classes)

    def block(self, inputs: int, outputs: int) -> nn.Sequential:
        """To half the size."""
        convolution, halving = EqualizedConv(inputs, inputs, gain=GAIN), HalvingConv(inputs, outputs, gain=GAIN)
        return nn.Sequential(convolution, leaky(), halving, leaky())

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C, *sizes[stage]]"""
        stage, weight = self.stage()
        image = nhwc(image)
        features = self.from_colours[stage](image)
        for index in reversed(range(stage)):
            features = self.blocks[index](features)
            if index == stage - 1 and weight < 1:
                coarse = self.from_colours[index](shrink(image))
                features = coarse.lerp(features, weight)
        return self.last(features)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.scoring(features, label)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels[::-1], self.sizes[::-1], strict=True)]


def ending(channels: int, size: tuple[int, int], group: int) -> nn.Sequential:
    """From the smallest size to features: [B, channels, *size] -> [B, channels]."""
    return nn.Sequential(
        MinibatchStddev(group),
        EqualizedConv(channels + 1, channels, gain=GAIN),
        leaky(),
        nn.Flatten(),
        EqualizedLinear(channels * size[0] * size[1], channels, gain=GAIN),
        leaky(),
    )
