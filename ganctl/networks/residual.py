"""Residual blocks and the trunk that turns a vector into a picture, shared by ResNet GANs and BigGAN."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Shape
from ganctl.networks.layers import Recipe, SelfAttention, Size, attended, enlarge, nhwc, shrink, widths
from ganctl.networks.sizes import halvings

Condition = Tensor | None


class UpBlock(nn.Module):
    """norm, activate, enlarge, convolve, norm, activate, convolve; beside it a 1x1 shortcut (Miyato et al. 2018)."""

    def __init__(self, before: int, after: int, size: Size, recipe: Recipe, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.size, self.recipe = size, recipe
        self.norm1, self.norm2 = norm(before), norm(after)
        self.convolution1, self.convolution2 = recipe.convolution(before, after), recipe.convolution(after, after)
        self.shortcut = recipe.pointwise(before, after)

    def forward(self, image: Tensor, condition: Condition = None) -> Tensor:
        branch = enlarge(self.recipe.activate(self.norm1(image, condition)), self.size)
        branch = self.recipe.activate(self.norm2(self.convolution1(branch), condition))
        branch = self.convolution2(branch)
        # a 1x1 convolution before enlarging gives the same values as after it, for a quarter of the work
        return torch.add(enlarge(self.shortcut(image), self.size), branch, alpha=self.recipe.residual_gain)


class DownBlock(nn.Module):
    """activate, convolve, activate, convolve, shrink where `halve`; the `first` block takes the picture as it is."""

    def __init__(self, before: int, after: int, recipe: Recipe, first: bool = False, halve: bool = True) -> None:
        super().__init__()
        self.recipe = recipe
        self.convolution1, self.convolution2 = recipe.convolution(before, after), recipe.convolution(after, after)
        self.shortcut = recipe.pointwise(before, after) if halve or before != after else nn.Identity()
        self.begin = nn.Identity() if first else recipe.activate
        self.resize = shrink if halve else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        branch = self.recipe.activate(self.convolution1(self.begin(image)))
        branch = self.resize(self.convolution2(branch))
        return torch.add(self.shortcut(self.resize(image)), branch, alpha=self.recipe.residual_gain)


def attention_beside(
    sizes: Sequence[Size], channels: Sequence[int], attention: int | None, recipe: Recipe
) -> nn.ModuleList:
    """One module a block: self-attention after the block that `attention` picks, nothing after the others."""
    chosen = attended(sizes, attention)
    modules = (SelfAttention(size, recipe) if at == chosen else nn.Identity() for at, size in enumerate(channels))
    return nn.ModuleList(modules)


class UpTrunk(nn.Module):
    """Vector to picture: a linear map to the smallest size, one `UpBlock` a doubling, norm, activation, 3x3, tanh.

    `norm(block, channels)` makes the norms of the block with that index, `last_norm` (of `width` channels) ends all.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        vector_size: int,
        width: int,
        max_width: int,
        attention: int | None,
        recipe: Recipe,
        norm: Callable[[int, int], nn.Module],
        last_norm: nn.Module,
    ) -> None:
        super().__init__()
        channels, height, breadth = shape
        self.recipe, self.image_channels = recipe, channels
        self.sizes = halvings(height, breadth)[::-1]  # smallest first
        self.channels = widths(len(self.sizes), width, max_width)[::-1]
        (rows, columns), base = self.sizes[0], self.channels[0]
        self.first = recipe.linear(vector_size, base * rows * columns)
        steps = enumerate(zip(pairwise(self.channels), self.sizes[1:], strict=True))
        self.blocks = nn.ModuleList(
            UpBlock(before, after, size, recipe, partial(norm, block)) for block, ((before, after), size) in steps
        )
        self.attention = attention_beside(self.sizes[1:], self.channels[1:], attention, recipe)
        self.last_norm = last_norm
        self.last = recipe.convolution(width, channels)

    def forward(self, vector: Tensor, conditions: Sequence[Condition]) -> Tensor:
        """vector [B, vector_size], one condition a block -> image [B, C, H, W] in [-1, 1]."""
        image = nhwc(self.first(vector).unflatten(1, (self.channels[0], *self.sizes[0])))
        for block, attention, condition in zip(self.blocks, self.attention, conditions, strict=True):
            image = attention(block(image, condition))
        return torch.tanh(self.last(self.recipe.activate(self.last_norm(image))))

    def stages(self) -> list[tuple[int, ...]]:
        stages = [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
        return [*stages, (self.image_channels, *self.sizes[-1])]
