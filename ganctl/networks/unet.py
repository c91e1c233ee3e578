"""U-Net: halve to the smallest map and double back, each size joined with its twin (Ronneberger et al. 2015)."""

from math import ceil, log2

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganctl.networks.instance import PictureNorm, initialise_normal, picture_norm
from ganctl.networks.interfaces import Shape, Translator

LEAST = 4  # pixels of a side
MOST_HALVINGS = 8  # 256 pixels to one
DROPPING = 3  # innermost doubling steps that drop out


class UNet(Translator):
    """Isola et al. 2017, appendix 6.1.1: C64-C128-C256-C512... down, the same back up, skips between equal sizes.

    shape, source_shape: of the target and of the source, (channels, height, width); equal but for the channels.
    depth: how often the picture is halved; null: until the shorter side is one pixel, at most eight times.
    width: channels after the first halving, doubled up to `most` times that.
    dropout: in the innermost steps up; pix2pix's only noise, and off in eval mode.

    Built for one size it takes any: at an odd side the last row or column is repeated before halving and cut off after
    doubling. A picture too small to be halved `depth` times is first mirrored at its border until it can be.
    """

    def __init__(
        self,
        shape: Shape,
        source_shape: Shape | None = None,
        width: int = 64,
        depth: int | None = None,
        most: int = 8,
        norm: PictureNorm = "instance",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        channels, *size = source_shape or shape
        refuse_sizes(shape, source_shape or shape)
        refuse_settings(width=width, most=most, dropout=dropout)
        self.depth = depth_of(min(size), depth)
        self.sizes = halved_sizes(size[0], size[1], self.depth)
        self.channels = [channels, *(width * min(2**step, most) for step in range(self.depth))]
        self.downs = nn.ModuleList(self._down(step, norm) for step in range(self.depth))
        self.ups = nn.ModuleList(self._up(step, norm, dropout, shape[0]) for step in range(self.depth))
        self.apply(initialise_normal)

    def _down(self, step: int, norm: PictureNorm) -> nn.Sequential:
        """The first and the last without norm: the one sees the picture, the other leaves a single pixel."""
        before, after = self.channels[step : step + 2]
        plain = step in (0, self.depth - 1)
        activation = [nn.LeakyReLU(0.2)] if step else []
        convolution = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=plain or norm == "none")
        return nn.Sequential(*activation, convolution, picture_norm(after, "none" if plain else norm))

    def _up(self, step: int, norm: PictureNorm, dropout: float, channels: int) -> nn.Sequential:
        """From the map below `step`, which holds its twin beside it unless it is the innermost."""
        before = self.channels[step + 1] * (1 if step == self.depth - 1 else 2)
        if step == 0:
            return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(before, channels, 4, stride=2, padding=1), nn.Tanh())
        after = self.channels[step]
        double = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=norm == "none")
        drops = step >= self.depth - min(DROPPING, self.depth // 2)
        return nn.Sequential(nn.ReLU(), double, picture_norm(after, norm), nn.Dropout(dropout if drops else 0.0))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        height, width = image.shape[2:]
        maps = [mirrored_to(image, least=2 ** (self.depth - 1) + 1)]
        for down in self.downs:
            maps.append(down(evened(maps[-1])))
        picture = maps.pop()
        for step in reversed(range(1, self.depth)):
            twin = maps.pop()
            picture = torch.cat((twin, cut(self.ups[step](picture), twin.shape[2], twin.shape[3])), 1)
        return cut(self.ups[0](picture), height, width)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]

    def remark(self) -> str:
        return "and back through the same sizes, each joined with its twin"


def refuse_sizes(shape: Shape, source_shape: Shape) -> None:
    """Raise ValueError where source and target differ in size, or are too small."""
    (_, height, width), (_, source_height, source_width) = shape, source_shape
    if (height, width) != (source_height, source_width):
        raise ValueError(
            f"source_shape: sources of {source_height}x{source_width} for pictures of {height}x{width}; "
            "a U-Net keeps the size; choose pairs of one size, or another generator"
        )
    if min(height, width) < LEAST:
        raise ValueError(f"shape: pictures of {height}x{width} are too small for a U-Net; both must be {LEAST} or more")


def refuse_settings(width: int, most: int, dropout: float) -> None:
    """Raise ValueError for numbers that mean nothing."""
    if width < 1 or most < 1:
        raise ValueError(f"width: {width} with most: {most}; both must be 1 or more")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout: {dropout}; must be 0 or more and less than 1")


def depth_of(side: int, depth: int | None) -> int:
    """How often a picture with this shorter side is halved. Raises ValueError for a depth that is impossible."""
    deepest = ceil(log2(side))
    if depth is None:
        return min(deepest, MOST_HALVINGS)
    if not 2 <= depth <= deepest:
        raise ValueError(f"depth: {depth}; a shorter side of {side} can be halved 2 to {deepest} times")
    return depth


def halved_sizes(height: int, width: int, depth: int) -> list[tuple[int, int]]:
    """(height, width) from the full size down, each side halved and rounded up."""
    sizes = [(height, width)]
    for _ in range(depth):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes


def evened(image: Tensor) -> Tensor:
    """Odd sides made even by repeating the last row or column."""
    height, width = image.shape[2:]
    return pad(image, (0, width % 2, 0, height % 2), mode="replicate") if height % 2 or width % 2 else image


def cut(image: Tensor, height: int, width: int) -> Tensor:
    """Without what hangs over at the right and below."""
    return image[:, :, :height, :width]


def mirrored_to(image: Tensor, least: int) -> Tensor:
    """Sides below `least` are drawn out to it by mirrors at the right and below, as often as it takes."""
    for dimension in (2, 3):
        side = image.shape[dimension]
        if side < least:
            image = image.index_select(dimension, mirror_index(side, least, image.device))
    return image


def mirror_index(side: int, length: int, device: torch.device | str = "cpu") -> Tensor:
    """Where each of `length` places looks in a side that is mirrored over and over: 0 1 2 1 0 1 2 ..."""
    period = max(2 * side - 2, 1)
    place = torch.arange(length, device=device) % period
    return torch.where(place < side, place, period - place)
