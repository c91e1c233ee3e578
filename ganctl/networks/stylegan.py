"""StyleGAN (Karras et al. 2019), for any size and any number of channels."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganctl.networks.equalized import (
    DoublingConv,
    EqualizedConv,
    EqualizedLinear,
    EqualizedPointwise,
    HalvingConv,
    NoiseInjection,
)
from ganctl.networks.interfaces import Growing, Shape
from ganctl.networks.layers import Output, enlarge, widths
from ganctl.networks.progan import GAIN, ProGANDiscriminator, leaky
from ganctl.networks.resampling import Blur
from ganctl.networks.sizes import halvings
from ganctl.networks.styles import StyleGenerator

TAPS = (1, 2, 1)  # the filter of StyleGAN


class StyledLayer(nn.Module):
    """A layer of the generator: noise, bias, leaky ReLU, then adaptive instance normalisation (eq. 1).

    `layer` makes the features [B, channels, *size]; its own bias must be off.
    """

    def __init__(self, layer: nn.Module, channels: int, size: tuple[int, int], style_size: int) -> None:
        super().__init__()
        self.layer, self.noise = layer, NoiseInjection(size, strengths=channels)
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.affine = EqualizedLinear(style_size, 2 * channels)

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """image [B, inputs, h, w], style [B, style_size] -> [B, channels, *size]"""
        image = leaky_relu(self.noise(self.layer(image)) + self.bias, 0.2)
        scale, shift = self.affine(style)[:, :, None, None].chunk(2, 1)
        variance, mean = torch.var_mean(image, (2, 3), correction=0, keepdim=True)
        return (image - mean) * ((scale + 1) * (variance + 1e-8).rsqrt()) + shift


class StyleGANGenerator(Growing, StyleGenerator):
    """A learned 4x4 picture, two styled layers a size, a linear map to colours; grows as ProGAN does.

    `width`: channels at full size; each halving doubles them up to `max_width`. `depth`: layers of the mapping network.
    `mixing`: probability of style mixing in training.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 512,
        style_size: int = 512,
        width: int = 16,
        max_width: int = 512,
        depth: int = 8,
        mixing: float = 0.9,
        classes: int | None = None,
        output: Output = "linear",
    ) -> None:
        super().__init__(noise_size, style_size, depth, mixing, classes, output)
        colours, height, breadth = shape
        self.stand_at(halvings(height, breadth)[::-1])
        self.channels = widths(len(self.sizes), width, max_width)[::-1]
        self.layers = 2 * len(self.sizes)
        self.start = nn.Parameter(torch.ones(1, self.channels[0], *self.sizes[0]))
        self.styled = nn.ModuleList(self._styled(index) for index in range(self.layers))
        self.to_colours = nn.ModuleList(EqualizedPointwise(channels, colours) for channels in self.channels)

    def _styled(self, index: int) -> StyledLayer:
        stage, second = divmod(index, 2)
        channels, size = self.channels[stage], self.sizes[stage]
        layer: nn.Module = nn.Identity()  # the learned picture itself
        if second:
            layer = EqualizedConv(channels, channels, gain=GAIN, bias=False)
        elif stage > 0:
            doubling = DoublingConv(self.channels[stage - 1], channels, size=size, gain=GAIN, bias=False)
            layer = nn.Sequential(doubling, Blur(TAPS))
        return StyledLayer(layer, channels, size, self.style_size)

    def synthesis(self, styles: Tensor) -> Tensor:
        """-> image [B, C, *sizes[stage]], about [-1, 1]"""
        stage, weight = self.stage()
        features = before = self.start.expand(len(styles), -1, -1, -1)
        for index in range(stage + 1):
            before = features
            for layer in (2 * index, 2 * index + 1):
                features = self.styled[layer](features, styles[:, layer])
        image = self.to_colours[stage](features)
        if weight < 1:
            image = enlarge(self.to_colours[stage - 1](before), self.sizes[stage]).lerp(image, weight)
        return self.finish(image)

    def mixable_layers(self) -> int:
        return 2 * (self.stage()[0] + 1)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]


class StyleGANDiscriminator(ProGANDiscriminator):
    """ProGAN's discriminator, with a blur before each halving."""

    def block(self, inputs: int, outputs: int) -> nn.Sequential:
        convolution, halving = EqualizedConv(inputs, inputs, gain=GAIN), HalvingConv(inputs, outputs, gain=GAIN)
        return nn.Sequential(convolution, leaky(), Blur(TAPS), halving, leaky())
