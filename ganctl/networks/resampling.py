"""Doubling and halving through a small binomial filter, so that no stage leaves a raster behind (Zhang 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

from ganctl.networks.equalized import EqualizedConv, crop, even

TAPS = (1, 3, 3, 1)
"""The filter of StyleGAN2; StyleGAN's is (1, 2, 1)."""


class Filter(nn.Module):
    """A separable filter over each channel alone; its taps sum to 1."""

    kernel: Tensor

    def __init__(self, taps: Sequence[int] = TAPS) -> None:
        super().__init__()
        row = torch.tensor(taps, dtype=torch.float32)
        self.register_buffer("kernel", torch.outer(row, row) / row.sum() ** 2, persistent=False)
        self.reach = len(taps) - 1  # pixels lost by an unpadded filter

    def weight(self, image: Tensor, gain: float = 1.0) -> Tensor:
        """One kernel a channel, [C, 1, k, k]."""
        return (self.kernel * gain).to(image.dtype).expand(image.shape[1], 1, -1, -1)


class Blur(Filter):
    """The filter alone; `grow` pixels longer and wider than the picture (or shorter, where negative)."""

    def __init__(self, taps: Sequence[int] = TAPS, grow: int = 0, gain: float = 1.0) -> None:
        super().__init__(taps)
        self.before, self.after = (self.reach + grow + 1) // 2, (self.reach + grow) // 2
        self.gain = gain

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H + grow, W + grow]"""
        margin = (self.before, self.after, self.before, self.after)
        return conv2d(pad(image, margin), self.weight(image, self.gain), groups=image.shape[1])


class Doubling(Filter):
    """Zeros between the pixels, then the filter: with (1, 3, 3, 1) linear interpolation."""

    def __init__(self, size: tuple[int, int], taps: Sequence[int] = TAPS) -> None:
        super().__init__(taps)
        self.size, self.trim = size, (self.reach - 1) // 2

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, *size], each side 2n or 2n - 1."""
        weight = self.weight(image, gain=4.0)  # three of four pixels are zero
        return crop(conv_transpose2d(image, weight, stride=2, padding=self.trim, groups=image.shape[1]), self.size)


class Halving(Filter):
    """The filter, then every second pixel."""

    def forward(self, image: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, ceil(H / 2), ceil(W / 2)]"""
        before, after = self.reach // 2, (self.reach - 1) // 2
        image = pad(even(image), (before, after, before, after))
        return conv2d(image, self.weight(image), stride=2, groups=image.shape[1])


class FilteredDoublingConv(EqualizedConv):
    """A transposed 3x3 convolution with stride 2, then the filter (Karras et al. 2020, section 3)."""

    def __init__(
        self, inputs: int, outputs: int, *, size: tuple[int, int], gain: float = 1.0, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, gain=gain, bias=bias)
        self.size = size
        self.filter = Blur(grow=-1, gain=4.0)  # a side n is 2n + 1 after the convolution; 3 of 4 pixels were zero

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, h, w] -> [B, outputs, *size], each side 2n or 2n - 1."""
        doubled = conv_transpose2d(image, self.scaled().transpose(0, 1), stride=2)
        doubled = crop(self.filter(doubled), self.size)
        return doubled if self.bias is None else doubled + self.bias[:, None, None]


class FilteredHalvingConv(EqualizedConv):
    """The filter, then a 3x3 convolution with stride 2."""

    def __init__(self, inputs: int, outputs: int, *, gain: float = 1.0, bias: bool = True) -> None:
        super().__init__(inputs, outputs, gain=gain, bias=bias)
        self.filter = Blur(grow=1)

    def forward(self, image: Tensor) -> Tensor:
        """[B, inputs, H, W] -> [B, outputs, ceil(H / 2), ceil(W / 2)]"""
        return conv2d(self.filter(even(image)), self.scaled(), self.bias, stride=2)
