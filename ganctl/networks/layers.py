"""Blocks that the residual families share: widths, weights, resampling to any size, norms, attention, projection."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import avg_pool2d, interpolate, leaky_relu, max_pool2d, scaled_dot_product_attention
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.networks.label import LabelEmbedding, demand

Size = tuple[int, int]
Init = Literal["xavier", "orthogonal"]
Norm = Literal["batch", "none"]
Layer = TypeVar("Layer", nn.Conv2d, nn.Linear, "Pointwise", LabelEmbedding)
EPSILON = 1e-6  # of spectral norm; Brock et al. 2018, appendix C


def at_least_one(**settings: int) -> None:
    """Raises ValueError naming the first of these settings that is below 1."""
    for name, value in settings.items():
        if value < 1:
            raise ValueError(f"{name}: {value}; must be 1 or more")


Output = Literal["linear", "tanh"]
"""How a generator ends. The style-based papers end in a linear map; tanh reaches the borders of [-1, 1] by itself, so
on pictures that lie there (the ground of digits is -1 throughout) the discriminator finds no easy difference."""


def ending_in(output: Output) -> nn.Module:
    """The last layer: what keeps a picture in [-1, 1], or nothing."""
    return nn.Tanh() if output == "tanh" else nn.Identity()


def widths(count: int, width: int, max_width: int) -> list[int]:
    """Channels of `count` sizes, largest size first: `width`, doubled with each halving, never above `max_width`."""
    if not 1 <= width <= max_width:
        raise ValueError(f"width: {width}; must be 1 or more and at most max_width ({max_width})")
    return [min(width * 2**step, max_width) for step in range(count)]


def attended(sizes: Sequence[Size], attention: int | None) -> int | None:
    """Index of the largest of these maps whose shorter side is at most `attention`; None where none is asked for."""
    if attention is None:
        return None
    shorter = [min(size) for size in sizes]
    fitting = [side for side in shorter if side <= attention]
    if not fitting:
        raise ValueError(f"attention: {attention}; the maps of this network have shorter sides {sorted(shorter)}")
    return shorter.index(max(fitting))


def nhwc(image: Tensor) -> Tensor:
    """[B, C, H, W], channels last in memory, also where one channel leaves PyTorch to guess.

    A residual sum keeps the layout of its shortcut: started in NCHW, every sum of the network would mix two layouts,
    several times slower on CPUs.
    """
    return image.clone(memory_format=torch.channels_last)


def enlarge(image: Tensor, size: Size) -> Tensor:
    """Nearest neighbour to exactly `size`."""
    return interpolate(image, size=size, mode="nearest")


def shrink(image: Tensor) -> Tensor:
    """Mean of 2x2 pixels, at an odd border of those that are there: a side n becomes n/2 rounded up."""
    return avg_pool2d(image, 2, ceil_mode=True)


class Pointwise(nn.Linear):
    """A 1x1 convolution, written as the matrix product that it is: its second derivative is then one as well.

    PyTorch's second derivative of a convolution is a convolution with kernels as large as the picture.
    """

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C', H, W], channels last in memory."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Recipe:
    """What all layers of one network have in common."""

    spectral_norm: bool = False  # Miyato et al. 2018: every weight matrix divided by its largest singular value
    init: Init = "xavier"
    slope: float = 0.0  # of the activation below zero; 0 is ReLU
    residual_gain: float = 1.0  # factor of every residual branch; 0.1 where nothing normalises (Mescheder et al. 2018)

    def convolution(self, before: int, after: int) -> nn.Conv2d:
        """3x3."""
        return self._begun(nn.Conv2d(before, after, 3, padding=1))

    def pointwise(self, before: int, after: int, bias: bool = True) -> Pointwise:
        return self._begun(Pointwise(before, after, bias=bias))

    def linear(self, before: int, after: int, bias: bool = True) -> nn.Linear:
        return self._begun(nn.Linear(before, after, bias=bias))

    def embedding(self, classes: int, size: int) -> LabelEmbedding:
        return self._begun(LabelEmbedding(classes, size))

    def activate(self, image: Tensor) -> Tensor:
        """Never in place: the shortcut still needs the image."""
        return leaky_relu(image, self.slope)

    def _begun(self, layer: Layer) -> Layer:
        """First values, then the norm: its singular vectors start from the weights that they belong to."""
        begin = nn.init.orthogonal_ if self.init == "orthogonal" else nn.init.xavier_uniform_
        begin(layer.weight)
        if not isinstance(layer, nn.Embedding) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if self.spectral_norm:
            spectral_norm(layer, eps=EPSILON)
        return layer


class PlainNorm(nn.BatchNorm2d):
    """Batch norm that hears no condition."""

    def forward(self, input: Tensor, condition: Tensor | None = None) -> Tensor:
        return super().forward(input)


class NoNorm(nn.Identity):
    """The image as it is."""

    def forward(self, input: Tensor, condition: Tensor | None = None) -> Tensor:
        return input


class ConditionalNorm(nn.Module):
    """Batch norm whose scale 1 + gain(condition) and shift bias(condition) belong to each picture.

    Dumoulin et al. 2017, eq. 5. `gain` and `bias` map the condition to [B, channels].
    """

    def __init__(self, channels: int, gain: nn.Module, bias: nn.Module) -> None:
        super().__init__()
        self.norm, self.gain, self.bias = nn.BatchNorm2d(channels, affine=False), gain, bias

    def forward(self, input: Tensor, condition: Tensor | None = None) -> Tensor:
        condition, image = demand(condition), self.norm(input)
        scale, shift = (1 + self.gain(condition)).to(image.dtype), self.bias(condition).to(image.dtype)  # [B, C]
        return torch.addcmul(shift[:, :, None, None], image, scale[:, :, None, None])


class SelfAttention(nn.Module):
    """Every place of a map looks at all others: image + gamma * attention, gamma learned from 0 (Zhang et al. 2019).

    Keys and values are pooled to a quarter of the places; queries and keys have C/8 channels, values C/2.
    """

    def __init__(self, channels: int, recipe: Recipe) -> None:
        super().__init__()
        narrow, wide = max(channels // 8, 1), max(channels // 2, 1)
        self.query, self.key = (recipe.pointwise(channels, narrow, bias=False) for _ in range(2))
        self.value = recipe.pointwise(channels, wide, bias=False)
        self.out = recipe.pointwise(wide, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor) -> Tensor:
        query = places(self.query(image))  # [B, 1, H*W, C/8]
        key = places(max_pool2d(self.key(image), 2, ceil_mode=True))
        value = places(max_pool2d(self.value(image), 2, ceil_mode=True))  # [B, 1, h*w, C/2]
        with twice_differentiable():
            seen = scaled_dot_product_attention(query, key, value, scale=1.0)
        return image + self.gamma * self.out(seen[:, 0].mT.unflatten(2, image.shape[2:]))


def places(image: Tensor) -> Tensor:
    """[B, C, H, W] -> one head of tokens [B, 1, H*W, C]."""
    return image.flatten(2).mT[:, None]


def twice_differentiable() -> AbstractContextManager[None]:
    """The fused attention kernels have no second derivative, which penalties such as R1 need while training."""
    return sdpa_kernel(SDPBackend.MATH) if torch.is_grad_enabled() else nullcontext()


class Projection(nn.Module):
    """Score of features: linear(f) + <embedding(label), f> (Miyato and Koyama 2018, eq. 4 and 8)."""

    def __init__(self, features: int, classes: int | None, recipe: Recipe) -> None:
        super().__init__()
        self.linear = recipe.linear(features, 1)
        self.embedding = None if classes is None else recipe.embedding(classes, features)

    def forward(self, features: Tensor, label: Tensor | None) -> Tensor:
        """features [B, K], label [B] or [B, classes] -> logits [B]."""
        score = self.linear(features).squeeze(1)
        if self.embedding is None:
            return score
        return score + (self.embedding(demand(label)) * features).sum(1)
