"""Layers with an equalised learning rate, and what Karras et al. (2018, 2019, 2020) put between them."""

from math import ceil, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, linear, pad

from ganctl.networks.label import LabelEmbedding, demand


class EqualizedLinear(nn.Module):
    """A linear map whose weights are stored as N(0, 1) and scaled by gain / sqrt(inputs) at run time.

    So every weight moves at the same relative speed under Adam (Karras et al. 2018, section 4.1). `rate` multiplies the
    learning rate of this layer: the stored weights are larger by 1 / rate (Karras et al. 2019, appendix C).
    """

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = gain * rate / sqrt(inputs), rate

    def forward(self, vector: Tensor) -> Tensor:
        """[B, inputs] -> [B, outputs]"""
        return linear(vector, self.weight * self.scale, self.bias * self.rate)


class EqualizedConv(nn.Module):
    """A convolution that keeps the size, its weights equalised as in `EqualizedLinear` (fan-in: inputs * kernel^2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, gain: float = 1.0, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.kernel, self.scale = kernel, gain / sqrt(inputs * kernel**2)

    def scaled(self) -> Tensor:
        """The weights as the convolution uses them, [outputs, inputs, kernel, kernel]."""
        return self.weight * self.scale

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]"""
        return conv2d(image, self.scaled(), self.bias, padding=self.kernel // 2)


class EqualizedPointwise(EqualizedConv):
    """A 1x1 convolution as the matrix product that it is: channels last in memory, and quick to differentiate twice."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, gain=gain, bias=bias)

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, H, W]"""
        return linear(image.permute(0, 2, 3, 1), self.scaled().flatten(1), self.bias).permute(0, 3, 1, 2)


class DoublingConv(EqualizedConv):
    """Nearest-neighbour doubling, then a 3x3 convolution, as one transposed 4x4 convolution (2.25 times less work)."""

    def __init__(self, inputs: int, outputs: int, *, size: tuple[int, int], gain: float = 1.0, bias: bool = True):
        super().__init__(inputs, outputs, gain=gain, bias=bias)
        self.size = size

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, *size], each side 2n or 2n - 1."""
        kernel = spread(self.scaled().flip(2, 3)).transpose(0, 1)  # a transposed convolution turns its kernel round
        return crop(conv_transpose2d(image, kernel, self.bias, stride=2, padding=1), self.size)


class HalvingConv(EqualizedConv):
    """A 3x3 convolution, then the mean of each 2x2 square, as one 4x4 convolution with stride 2."""

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, ceil(H / 2), ceil(W / 2)]"""
        return conv2d(even(image), spread(self.scaled()) / 4, self.bias, stride=2, padding=1)


def spread(kernel: Tensor) -> Tensor:
    """A 3x3 kernel applied at the four places of a 2x2 square at once: [..., 3, 3] -> [..., 4, 4]."""
    return pad(kernel, (0, 1, 0, 1)) + pad(kernel, (1, 0, 0, 1)) + pad(kernel, (0, 1, 1, 0)) + pad(kernel, (1, 0, 1, 0))


def crop(image: Tensor, size: tuple[int, int]) -> Tensor:
    """The upper left part: a doubled side may be one pixel too long, where the side it came from was rounded up."""
    return image if tuple(image.shape[-2:]) == size else image[..., : size[0], : size[1]]


def even(image: Tensor) -> Tensor:
    """A row and a column of zeros more where a side is odd, so that halves are rounded up."""
    height, width = image.shape[-2:]
    return pad(image, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else image


class PixelNorm(nn.Module):
    """Every pixel's channels, or every vector, to a mean square of 1 (Karras et al. 2018, section 4.2)."""

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, ...] -> the same shape"""
        return image * (image.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class MinibatchStddev(nn.Module):
    """Appends how much the pictures of a group differ (Karras et al. 2018, section 3), as `channels` constant maps.

    A batch is cut into groups of at most `group` that differ in size by one at most, so any batch size works.
    """

    def __init__(self, group: int = 4, channels: int = 1) -> None:
        if group < 1 or channels < 1:
            raise ValueError(f"group and channels: {group} and {channels}; both must be 1 or more")
        super().__init__()
        self.group, self.channels = group, channels

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C + channels, H, W]"""
        groups = ceil(len(image) / self.group)
        size, larger = divmod(len(image), groups)  # the first `larger` groups hold one picture more
        edge = larger * (size + 1)
        maps = torch.cat((self._spread(image[:edge], size + 1), self._spread(image[edge:], size)))
        return torch.cat((image, maps.to(image.dtype)), 1)

    def _spread(self, image: Tensor, size: int) -> Tensor:
        """Groups of `size` each: [B, C, H, W] -> [B, channels, H, W], fp32."""
        grouped = image.float().unflatten(0, (len(image) // size, size)).unflatten(2, (self.channels, -1))
        variance = (grouped - grouped.mean(1, keepdim=True)).square().mean(1)
        deviation = (variance + 1e-8).sqrt().mean((2, 3, 4))  # [groups, channels]
        return deviation.repeat_interleave(size, 0)[:, :, None, None].expand(-1, -1, *image.shape[2:])


class NoiseInjection(nn.Module):
    """Adds one map of noise to all channels, with a learned strength (Karras et al. 2019, section 2).

    Fresh in training. In eval mode the map is a buffer, the same for every picture, so that a picture depends on its
    own inputs only. `strengths`: 1 for all channels together, or one for each; `gain` multiplies them.
    """

    fixed: Tensor

    def __init__(self, size: tuple[int, int], strengths: int = 1, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.strength = nn.Parameter(torch.zeros(strengths, 1, 1))
        self.register_buffer("fixed", torch.randn(1, 1, *size))

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape"""
        noise = torch.randn_like(image[:, :1]) if self.training else self.fixed
        return image + (self.strength * self.gain).to(image.dtype) * noise.to(image.dtype)


class ProjectionScore(nn.Module):
    """Features to one logit, plus their product with the label's embedding (Miyato and Koyama 2018, eq. 3)."""

    def __init__(self, size: int, classes: int | None = None) -> None:
        super().__init__()
        self.linear = EqualizedLinear(size, 1)
        self.embedding = None if classes is None else LabelEmbedding(classes, size)
        self.scale = 1 / sqrt(size)

    def forward(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """[B, size] -> [B]"""
        score = self.linear(features).squeeze(1)
        if self.embedding is None:
            return score
        return score + (features * self.embedding(demand(label))).sum(1) * self.scale
