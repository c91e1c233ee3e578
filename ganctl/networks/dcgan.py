"""DCGAN's convolutional generator and discriminator (Radford et al. 2015), for any size and any number of channels."""

from math import gcd
from typing import Literal

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Discriminator, Generator, Shape
from ganctl.networks.label import LabelEmbedding, demand
from ganctl.networks.sizes import doubling_kernel, halvings

Norm = Literal["batch", "group", "none"]
LABEL_SIZE = 32  # length of a label's embedding beside the noise
GROUP = 8  # channels that group norm takes together, about


def widths(count: int, width: int) -> list[int]:
    """Channels of the stages below the full size: doubling with each halving, at most 8 times `width`."""
    return [width * min(2**stage, 8) for stage in range(count)]


def initialise(module: nn.Module) -> None:
    """Radford et al. 2015, section 3: weights N(0, 0.02); batch norm's scale N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def normed(size: int, norm: Norm) -> nn.Module:
    """The normalisation after a layer of `size` channels."""
    if norm == "group":  # Wu and He 2018: each picture alone
        return nn.GroupNorm(gcd(size, max(1, size // GROUP)), size)
    return nn.BatchNorm2d(size) if norm == "batch" else nn.Identity()


class DCGANGenerator(Generator):
    """Noise through a linear map to the smallest stage, then transposed convolutions that double, batch norm, ReLU.

    The first layer, a transposed convolution of a 1x1 picture in the paper, is written as the linear map that it is.
    With `classes`, the label's embedding is concatenated to the noise (Mirza and Osindero 2014).
    """

    def __init__(
        self, shape: Shape, noise_size: int = 100, width: int = 64, norm: Norm = "batch", classes: int | None = None
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.noise_size, self.classes = noise_size, classes or 0
        self.sizes = halvings(height, breadth)[::-1]  # smallest first
        self.channels = [*widths(len(self.sizes) - 1, width)[::-1], channels]
        self.embedding = None if classes is None else LabelEmbedding(classes, LABEL_SIZE)
        (rows, columns), base = self.sizes[0], self.channels[0]
        self.first = nn.Linear(
            noise_size + (LABEL_SIZE if self.classes else 0), base * rows * columns, bias=norm == "none"
        )
        self.first_norm = nn.Sequential(normed(base, norm), nn.ReLU(True))
        self.ups = nn.Sequential(*(self._up(stage, norm) for stage in range(len(self.sizes) - 1)))
        self.apply(initialise)

    def _up(self, stage: int, norm: Norm) -> nn.Sequential:
        last = stage == len(self.sizes) - 2
        before, after = self.channels[stage], self.channels[stage + 1]
        kernel = doubling_kernel(self.sizes[stage], self.sizes[stage + 1])
        convolution = nn.ConvTranspose2d(before, after, kernel, stride=2, padding=1, bias=last or norm == "none")
        ending = [nn.Tanh()] if last else [normed(after, norm), nn.ReLU(True)]
        return nn.Sequential(convolution, *ending)

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            noise = torch.cat((noise, self.embedding(demand(label))), 1)
        image = self.first(noise).unflatten(1, (self.channels[0], *self.sizes[0]))  # [B, C, h, w]
        return self.ups(self.first_norm(image))

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]


class DCGANDiscriminator(Discriminator):
    """Convolutions that halve, batch norm (not on the first layer), LeakyReLU 0.2, then one linear map to the score.

    With `classes`, the label becomes one more channel of the picture (Mirza and Osindero 2014).
    `norm="none"` for gradient penalties: batch norm mixes the pictures of a batch, and the penalty loses its meaning.
    """

    def __init__(self, shape: Shape, width: int = 64, norm: Norm = "batch", classes: int | None = None) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.classes = classes or 0
        self.sizes = halvings(height, breadth)  # largest first
        self.embedding = None if classes is None else LabelEmbedding(classes, height * breadth)
        self.channels = [channels + (1 if self.classes else 0), *widths(len(self.sizes) - 1, width)]
        self.downs = nn.Sequential(*(self._down(stage, norm) for stage in range(len(self.sizes) - 1)))
        rows, columns = self.sizes[-1]
        self.feature_size = self.channels[-1] * rows * columns
        self.last = nn.Linear(self.feature_size, 1)
        self.apply(initialise)

    def _down(self, stage: int, norm: Norm) -> nn.Sequential:
        before, after = self.channels[stage], self.channels[stage + 1]
        kernel = doubling_kernel(self.sizes[stage + 1], self.sizes[stage])
        layer_norm: Norm = "none" if stage == 0 else norm
        convolution = nn.Conv2d(before, after, kernel, stride=2, padding=1, bias=layer_norm == "none")
        return nn.Sequential(convolution, normed(after, layer_norm), nn.LeakyReLU(0.2, True))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        if self.embedding is not None:
            plane = self.embedding(demand(label)).unflatten(1, (1, *self.sizes[0]))  # [B, 1, H, W]
            image = torch.cat((image, plane.to(image.dtype)), 1)
        return self.downs(image).flatten(1)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features).squeeze(1)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
