"""PatchGAN: a discriminator that judges every patch of a picture by itself (Isola et al. 2017, section 3.2.2)."""

from torch import Tensor, nn

from ganctl.networks.instance import PictureNorm, initialise_normal, picture_norm
from ganctl.networks.interfaces import Discriminator, Shape

LEAST = 4  # pixels of a side
KERNEL = 4
MOST = 8  # times the width


class PatchDiscriminator(Discriminator):
    """C64-C128-C256-C512 and one score a place: 4x4 kernels, `layers` of them halving, two more that do not.

    Isola et al. 2017, appendix 6.1.2. One score sees a square of 7, 16, 34, 70, 142 pixels with 0, 1, 2, 3, 4 halvings
    (`receptive_field`; `dry_run=true` says it); it may be larger than the picture, whose border is then zeros. Where
    the picture is too small to leave 2x2 scores, fewer halvings are made.

    source_shape: of the picture that the judged one was made from, which then lies before it in the channels; null:
    pictures are judged alone.
    """

    def __init__(
        self,
        shape: Shape,
        source_shape: Shape | None = None,
        width: int = 64,
        layers: int = 3,
        norm: PictureNorm = "instance",
    ) -> None:
        super().__init__()
        if width < 1 or layers < 0:
            raise ValueError(f"width: {width} with layers: {layers}; must be 1 or more, and 0 or more")
        channels, height, breadth = judged_shape(shape, source_shape)
        self.source_channels = channels - shape[0]
        strides = strides_for(min(height, breadth), layers)
        self.sizes = sizes_through((height, breadth), [*strides, 1])
        self.channels = [channels, *(width * min(2**step, MOST) for step in range(len(strides))), 1]
        self.receptive_field = receptive_field([(KERNEL, stride) for stride in (*strides, 1)])
        self.feature_size = self.channels[-2]
        blocks = (self._block(step, stride, norm) for step, stride in enumerate(strides))
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Conv2d(self.feature_size, 1, KERNEL, padding=1)
        self.apply(initialise_normal)

    def _block(self, step: int, stride: int, norm: PictureNorm) -> nn.Sequential:
        before, after = self.channels[step : step + 2]
        own: PictureNorm = "none" if step == 0 else norm
        convolution = nn.Conv2d(before, after, KERNEL, stride, padding=1, bias=own == "none")
        return nn.Sequential(convolution, picture_norm(after, own), nn.LeakyReLU(0.2))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.blocks(image)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features)[:, 0]

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]

    def remark(self) -> str:
        return f"each score sees {self.receptive_field}x{self.receptive_field} pixels"


class PixelDiscriminator(Discriminator):
    """C64-C128 of 1x1 kernels: every pixel is judged by its colour alone, the paper's "PixelGAN" (appendix 6.1.2)."""

    receptive_field = 1

    def __init__(
        self, shape: Shape, source_shape: Shape | None = None, width: int = 64, norm: PictureNorm = "instance"
    ) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width: {width}; must be 1 or more")
        channels, *self.size = judged_shape(shape, source_shape)
        self.source_channels = channels - shape[0]
        self.channels = [channels, width, 2 * width, 1]
        self.feature_size = 2 * width
        self.pixels = nn.Sequential(
            nn.Conv2d(channels, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1, bias=norm == "none"),
            picture_norm(2 * width, norm),
            nn.LeakyReLU(0.2),
        )
        self.last = nn.Conv2d(2 * width, 1, 1)
        self.apply(initialise_normal)

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.pixels(image)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features)[:, 0]

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *self.size) for channels in self.channels]

    def remark(self) -> str:
        return "each score sees 1x1 pixels"


def judged_shape(shape: Shape, source_shape: Shape | None) -> tuple[int, int, int]:
    """Channels, height and width of what is judged: a pair's channels lie one after another."""
    channels, height, width = shape
    if source_shape is None:
        return channels, height, width
    if tuple(source_shape[1:]) != (height, width):
        raise ValueError(
            f"source_shape: sources of {source_shape[1]}x{source_shape[2]} for pictures of {height}x{width}; "
            "only pairs of one size can be judged together; set source_shape=null to judge pictures alone"
        )
    return channels + source_shape[0], height, width


def strides_for(side: int, layers: int) -> list[int]:
    """2 for each halving, then 1; at most `layers` halvings, fewer where less than 2x2 scores would be left."""
    if side < LEAST:
        raise ValueError(f"shape: a side of {side} pixels is too short for patches; both must be {LEAST} or more")
    fitting = (count for count in range(layers, -1, -1) if sizes_through((side, side), [2] * count + [1, 1])[-1][0] > 1)
    return [2] * next(fitting) + [1]


def sizes_through(size: tuple[int, int], strides: list[int]) -> list[tuple[int, int]]:
    """(height, width) before and after each convolution of kernel 4 and padding 1."""
    sizes = [size]
    for stride in strides:
        height, width = sizes[-1]
        sizes.append(((height + 2 - KERNEL) // stride + 1, (width + 2 - KERNEL) // stride + 1))
    return sizes


def receptive_field(layers: list[tuple[int, int]]) -> int:
    """Pixels of a side that one score sees, through layers of (kernel, stride), the first first."""
    seen = 1
    for kernel, stride in reversed(layers):
        seen = (seen - 1) * stride + kernel
    return seen
