"""StyleGAN2 (Karras et al. 2020), for any size and any number of channels, in plain PyTorch."""

from itertools import pairwise
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganctl.networks.equalized import (
    EqualizedConv,
    EqualizedLinear,
    EqualizedPointwise,
    NoiseInjection,
    ProjectionScore,
)
from ganctl.networks.interfaces import Discriminator, Shape
from ganctl.networks.layers import Output, nhwc, widths
from ganctl.networks.progan import GAIN, ending, leaky
from ganctl.networks.resampling import Doubling, FilteredDoublingConv, FilteredHalvingConv, Halving
from ganctl.networks.sizes import halvings
from ganctl.networks.styles import StyleGenerator

Form = Literal["skip", "residual", "original"]
"""Karras et al. 2020, figure 7: colours summed over sizes, residual blocks, or a plain chain."""


def modulated(convolution: EqualizedConv, image: Tensor, scale: Tensor) -> Tensor:
    """A convolution whose input channels are scaled for each picture: [B, I, h, w], [B, I] -> [B, O, H, W].

    Scaling the picture equals scaling the weights (Karras et al. 2020, eq. 1) and needs no weights for each picture.
    """
    return convolution(image * scale[:, :, None, None].to(image.dtype))


def demodulation(weight: Tensor, scale: Tensor) -> Tensor:
    """What brings the output channels back to unit variance (eq. 3): [O, I, k, k], [B, I] -> [B, O]."""
    return (scale.square() @ weight.square().sum((2, 3)).t() + 1e-8).rsqrt()


class StyledConv(nn.Module):
    """Modulated convolution, demodulation, noise, bias, leaky ReLU times sqrt(2).

    The gain is folded into what stands before the nonlinearity, which is the same and costs no pass over the picture.
    """

    def __init__(self, convolution: EqualizedConv, size: tuple[int, int], style_size: int) -> None:
        super().__init__()
        outputs, inputs = convolution.weight.shape[:2]
        self.convolution, self.noise = convolution, NoiseInjection(size, gain=GAIN)
        self.affine = EqualizedLinear(style_size, inputs, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """image [B, inputs, h, w], style [B, style_size] -> [B, outputs, *size]"""
        scale = self.affine(style)
        restore = demodulation(self.convolution.scaled(), scale) * GAIN
        image = modulated(self.convolution, image, scale)
        image = self.noise(image * restore[:, :, None, None].to(image.dtype))
        return leaky_relu(image + (self.bias * GAIN)[:, None, None].to(image.dtype), 0.2)


class ToColours(nn.Module):
    """Modulated 1x1 convolution to colours, without demodulation."""

    def __init__(self, inputs: int, colours: int, style_size: int) -> None:
        super().__init__()
        self.convolution = EqualizedPointwise(inputs, colours)
        self.affine = EqualizedLinear(style_size, inputs, bias=1.0)

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, colours, H, W]"""
        return modulated(self.convolution, image, self.affine(style))


class StyleGAN2Generator(StyleGenerator):
    """A learned 4x4 picture, then a doubling and a plain styled convolution for each size.

    `width`: channels at full size; each halving doubles them up to `max_width`. `depth`: layers of the mapping network.
    `mixing`: probability of style mixing in training.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 512,
        style_size: int = 512,
        width: int = 32,
        max_width: int = 512,
        depth: int = 8,
        form: Form = "skip",
        mixing: float = 0.9,
        classes: int | None = None,
        output: Output = "linear",
    ) -> None:
        super().__init__(noise_size, style_size, depth, mixing, classes, output)
        colours, height, breadth = shape
        self.form, self.sizes = form, halvings(height, breadth)[::-1]  # smallest first
        self.channels = widths(len(self.sizes), width, max_width)[::-1]
        self.layers = 2 * len(self.sizes)
        self.start = nn.Parameter(torch.randn(1, self.channels[0], *self.sizes[0]))
        self.first = self._plain(0)
        larger = range(1, len(self.sizes))
        self.doublings = nn.ModuleList(self._doubling(index) for index in larger)
        self.plains = nn.ModuleList(self._plain(index) for index in larger)
        coloured = range(len(self.sizes)) if form == "skip" else [len(self.sizes) - 1]
        self.to_colours = nn.ModuleList(ToColours(self.channels[index], colours, style_size) for index in coloured)
        self.images_up = nn.ModuleList(Doubling(size) for size in self.sizes[1:])
        bypasses = pairwise(self.channels) if form == "residual" else ()
        self.bypasses = nn.ModuleList(EqualizedPointwise(before, after, bias=False) for before, after in bypasses)

    def _plain(self, index: int) -> StyledConv:
        channels = self.channels[index]
        return StyledConv(EqualizedConv(channels, channels, bias=False), self.sizes[index], self.style_size)

    def _doubling(self, index: int) -> StyledConv:
        before, after = self.channels[index - 1 : index + 1]
        convolution = FilteredDoublingConv(before, after, size=self.sizes[index], bias=False)
        return StyledConv(convolution, self.sizes[index], self.style_size)

    def synthesis(self, styles: Tensor) -> Tensor:
        """-> image [B, C, H, W], about [-1, 1]"""
        features = self.first(self.start.expand(len(styles), -1, -1, -1), styles[:, 0])
        image = self.to_colours[0](features, styles[:, 1]) if self.form == "skip" else None
        for index, doubling in enumerate(self.images_up):
            first, second, third = styles[:, 2 * index + 1 : 2 * index + 4].unbind(
                1
            )  # the next size's first is `third`
            before, features = features, self.doublings[index](features, first)
            features = self.plains[index](features, second)
            if self.form == "residual":
                features = (features + doubling(self.bypasses[index](before))) / sqrt(2)
            if image is not None:
                image = doubling(image) + self.to_colours[index + 1](features, third)
        return self.finish(self.to_colours[-1](features, styles[:, -1]) if image is None else image)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]


class StyleGAN2Discriminator(Discriminator):
    """Halvings with two convolutions each, then the minibatch's standard deviation and two linear maps.

    With `classes` the label is projected onto the features (Miyato and Koyama 2018).
    """

    def __init__(
        self,
        shape: Shape,
        width: int = 32,
        max_width: int = 512,
        form: Form = "residual",
        group: int = 4,
        classes: int | None = None,
    ) -> None:
        super().__init__()
        colours, height, breadth = shape
        self.form, self.classes = form, classes or 0
        self.sizes = halvings(height, breadth)  # largest first
        self.channels = widths(len(self.sizes), width, max_width)
        entries = self.channels if form == "skip" else self.channels[:1]
        self.from_colours = nn.ModuleList(
            nn.Sequential(EqualizedPointwise(colours, channels, gain=GAIN), leaky()) for channels in entries
        )
        self.blocks = nn.ModuleList(self._block(before, after) for before, after in pairwise(self.channels))
        bypasses = pairwise(self.channels) if form == "residual" else ()
        self.bypasses = nn.ModuleList(
            nn.Sequential(Halving(), EqualizedPointwise(before, after, bias=False)) for before, after in bypasses
        )
        self.image_down = Halving()
        self.feature_size = self.channels[-1]
        self.last = ending(self.channels[-1], self.sizes[-1], group)
        self.scoring = ProjectionScore(self.feature_size, classes)

    def _block(self, before: int, after: int) -> nn.Sequential:
        convolution = EqualizedConv(before, before, gain=GAIN)
        return nn.Sequential(convolution, leaky(), FilteredHalvingConv(before, after, gain=GAIN), leaky())

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        image = nhwc(image)
        features = self.from_colours[0](image)
        for index, block in enumerate(self.blocks):
            if self.form == "residual":
                features = (block(features) + self.bypasses[index](features)) / sqrt(2)
            else:
                features = block(features)
            if self.form == "skip":
                image = self.image_down(image)
                features = features + self.from_colours[index + 1](image)
        return self.last(features)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.scoring(features, label)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
