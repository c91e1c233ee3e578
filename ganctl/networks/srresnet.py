"""SRResNet, which enlarges pictures, and SRGAN's discriminator (Ledig et al. 2017), for any size."""

from itertools import accumulate
from math import ceil
from operator import mul
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.networks.dcgan import Norm as CriticNorm
from ganctl.networks.dcgan import normed
from ganctl.networks.interfaces import Discriminator, Shape, Translator
from ganctl.networks.layers import at_least_one, nhwc
from ganctl.networks.sizes import halvings

Norm = Literal["batch", "none"]
Tail = Literal["stages", "direct"]
FACTORS = {2: (2,), 3: (3,), 4: (2, 2), 8: (2, 2, 2)}  # factor -> its enlargements, one after another
KERNEL = 9  # of the first and the last convolution
HALVINGS = 4  # in SRGAN's discriminator
SMALL = 0.1  # share of the usual first weights in the layer whose output is added to the bicubic picture


class SRResNet(Translator):
    """A 9x9 convolution, `blocks` residual blocks under one long skip, then enlargement by `PixelShuffle`.

    The factor is that of `shape` (the target's) over `source_shape`; pictures of any other size grow by it as well.
    tail: `stages` enlarges by 2 (or 3) at a time and ends with a 9x9 convolution at full size, as the paper; `direct`
    goes to full size in one 3x3 convolution (Shi et al. 2016), several times faster.
    bicubic: the network adds to the bicubically enlarged picture, and so begins as good as that; the paper has no such
    path. norm: `none` keeps brightness and contrast free (Lim et al. 2017), `batch` is the paper's.
    While training the output may leave [-1, 1]; in eval mode it is cut off there.
    """

    def __init__(
        self,
        source_shape: Shape,
        shape: Shape,
        width: int = 64,
        blocks: int = 16,
        norm: Norm = "batch",
        tail: Tail = "stages",
        bicubic: bool = False,
    ) -> None:
        super().__init__()
        at_least_one(width=width, blocks=blocks)
        self.factor = factor_between(source_shape, shape)
        if bicubic and source_shape[0] != shape[0]:
            raise ValueError(
                f"bicubic: pictures have {source_shape[0]} channels, their targets {shape[0]}; set it false"
            )
        self.shapes = tuple(source_shape), tuple(shape)
        self.width, self.bicubic = width, bicubic
        padding = KERNEL // 2
        self.first = nn.Sequential(nn.Conv2d(source_shape[0], width, KERNEL, padding=padding), nn.PReLU())
        self.blocks = nn.Sequential(*(ResidualBlock(width, norm) for _ in range(blocks)))
        self.joint = nn.Sequential(*normed_convolution(width, norm))
        self.tail = staged(width, shape[0], self.factor) if tail == "stages" else direct(width, shape[0], self.factor)
        self.reach = KERNEL // 2 + 2 * blocks + 1 + (reach_of_stages(self.factor) if tail == "stages" else 1)
        if bicubic:
            quieten(self.tail)

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C, h, w] -> [B, C', h * factor, w * factor]."""
        first = self.first(nhwc(image))
        picture = self.tail(first + self.joint(self.blocks(first)))
        if self.bicubic:
            size = [side * self.factor for side in image.shape[2:]]
            picture = picture + interpolate(image, size, mode="bicubic", antialias=True)  # Keys' cubic, a = -0.5
        return picture if self.training else picture.clamp(-1, 1)

    def stages(self) -> list[tuple[int, ...]]:
        (channels, height, width), target = self.shapes
        return [(channels, height, width), (self.width, height, width), target]

    def remark(self) -> str:
        return f"enlarges pictures of any size {self.factor} times"


class ResidualBlock(nn.Module):
    """Convolution, norm, PReLU, convolution, norm, beside the picture itself (Ledig et al. 2017, figure 4)."""

    def __init__(self, width: int, norm: Norm) -> None:
        super().__init__()
        self.branch = nn.Sequential(*normed_convolution(width, norm), nn.PReLU(), *normed_convolution(width, norm))

    def forward(self, image: Tensor) -> Tensor:
        return image + self.branch(image)


def factor_between(source_shape: Shape, shape: Shape) -> int:
    """How much larger the target is. Raises ValueError in words."""
    (_, low, narrow), (_, high, wide) = source_shape, shape
    factor = high // low
    if factor not in FACTORS or (high, wide) != (low * factor, narrow * factor):
        raise ValueError(
            f"shape: pictures of {narrow}x{low} pixels and targets of {wide}x{high}; targets must be "
            f"{', '.join(map(str, FACTORS))} times as large; choose dataset=superres"
        )
    return factor


def normed_convolution(width: int, norm: Norm) -> list[nn.Module]:
    """3x3, and batch norm after it if asked for."""
    convolution = nn.Conv2d(width, width, 3, padding=1)
    return [convolution, nn.BatchNorm2d(width)] if norm == "batch" else [convolution]


def staged(width: int, channels: int, factor: int) -> nn.Sequential:
    """3x3 convolution, PixelShuffle, PReLU for each enlargement; 9x9 to the picture."""
    layers: list[nn.Module] = []
    for times in FACTORS[factor]:
        layers += [nn.Conv2d(width, width * times**2, 3, padding=1), nn.PixelShuffle(times), nn.PReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, channels, KERNEL, padding=KERNEL // 2))


def reach_of_stages(factor: int) -> int:
    """Pixels of the source that `staged` looks to each side: one of each size in turn, half a kernel of the last."""
    sizes = [1, *accumulate(FACTORS[factor], mul)]
    return ceil(sum(1 / size for size in sizes[:-1]) + KERNEL // 2 / sizes[-1])


def direct(width: int, channels: int, factor: int) -> nn.Sequential:
    """All pixels of the larger picture as channels of the smaller one."""
    return nn.Sequential(nn.Conv2d(width, channels * factor**2, 3, padding=1), nn.PixelShuffle(factor))


@torch.no_grad()
def quieten(tail: nn.Sequential) -> None:
    """Let the last convolution begin near zero."""
    last = next(layer for layer in reversed(tail) if isinstance(layer, nn.Conv2d))
    last.weight.mul_(SMALL)
    if last.bias is not None:
        last.bias.zero_()


class SRGANDiscriminator(Discriminator):
    """Eight 3x3 convolutions, every second one with stride 2, channels doubling; then two dense layers.

    Judges the target alone. Small pictures are halved as often as they can be, four times at most.
    """

    def __init__(self, shape: Shape, width: int = 64, dense: int = 1024, norm: CriticNorm = "batch") -> None:
        super().__init__()
        at_least_one(width=width, dense=dense)
        channels, height, breadth = shape
        self.sizes = halvings(height, breadth)[: HALVINGS + 1]  # largest first
        self.channels = [channels, *(width * min(2**stage, 8) for stage in range(len(self.sizes) - 1))]
        self.downs = nn.Sequential(*(self._down(stage, norm) for stage in range(len(self.sizes) - 1)))
        rows, columns = self.sizes[-1]
        self.dense = nn.Sequential(nn.Linear(self.channels[-1] * rows * columns, dense), nn.LeakyReLU(0.2))
        self.feature_size = dense
        self.last = nn.Linear(dense, 1)

    def _down(self, stage: int, norm: CriticNorm) -> nn.Sequential:
        before, after = self.channels[stage], self.channels[stage + 1]
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            normed(after, norm if stage else "none"),
            nn.LeakyReLU(0.2),
            nn.Conv2d(after, after, 3, stride=2, padding=1),  # a side n becomes n/2 rounded up
            normed(after, norm),
            nn.LeakyReLU(0.2),
        )

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.dense(self.downs(nhwc(image)).flatten(1))

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features).squeeze(1)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
