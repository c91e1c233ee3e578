"""Picture to picture by a residual network: down, blocks, up again (Johnson et al. 2016), as CycleGAN has it."""

from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn.functional import pad

from ganctl.networks.instance import PictureNorm, initialise_normal, picture_norm
from ganctl.networks.interfaces import Shape, Translator
from ganctl.networks.layers import at_least_one

Border = Literal["zeros", "reflect"]
HALVINGS = 2
STEP = 2**HALVINGS  # sides inside are multiples of it
LEAST = 8  # pixels of a side inside: its smallest map is then 2x2, enough to be mirrored by one
LARGE, FEW, MANY = 256, 6, 9  # at 256 pixels and more nine blocks, below six


class ResNetTranslator(Translator):
    """Zhu et al. 2017, appendix 7.2: c7s1-64, d128, d256, `blocks` x R256, u128, u64, c7s1-C and tanh.

    shape, source_shape: of the target and of the source, (channels, height, width); they differ in channels at most.
    blocks: null: 9 where the shorter side has 256 pixels or more, else 6, as in the paper.
    Built for one size it takes any: sides are drawn out to multiples of four by repeating the border, and cut again.
    """

    kernel: ClassVar[int] = 3  # of the halving and doubling convolutions
    border: ClassVar[Border] = "reflect"  # how convolutions see beyond the picture

    def __init__(
        self,
        shape: Shape,
        source_shape: Shape | None = None,
        width: int = 64,
        blocks: int | None = None,
        norm: PictureNorm = "instance",
    ) -> None:
        super().__init__()
        source = tuple(source_shape or shape)
        if source[1:] != tuple(shape[1:]):
            raise ValueError(f"source_shape: {list(source)} for pictures of {list(shape)}; only channels may differ")
        blocks = (MANY if min(source[1:]) >= LARGE else FEW) if blocks is None else blocks
        at_least_one(width=width, blocks=blocks)
        self.size, self.channels = source[1:], [source[0], width, 2 * width, 4 * width]
        self.out_channels, self.num_blocks = shape[0], blocks
        self.layers = nn.Sequential(
            *self._ends(source[0], width, norm),
            *self._halving(width, norm),
            *self._halving(2 * width, norm),
            *(Residual(4 * width, norm, self.border) for _ in range(blocks)),
            *self._doubling(4 * width, norm),
            *self._doubling(2 * width, norm),
            self._convolution(width, shape[0], 7, bias=True),
            nn.Tanh(),
        )
        self.apply(initialise_normal)

    def _convolution(self, before: int, after: int, kernel: int, bias: bool) -> nn.Conv2d:
        return nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode=self.border, bias=bias)

    def _ends(self, before: int, after: int, norm: PictureNorm) -> tuple[nn.Module, ...]:
        return self._convolution(before, after, 7, norm == "none"), picture_norm(after, norm), nn.ReLU()

    def _halving(self, before: int, norm: PictureNorm) -> tuple[nn.Module, ...]:
        convolution = nn.Conv2d(before, 2 * before, self.kernel, stride=2, padding=1, bias=norm == "none")
        return convolution, picture_norm(2 * before, norm), nn.ReLU()

    def _doubling(self, before: int, norm: PictureNorm) -> tuple[nn.Module, ...]:
        extra = 4 - self.kernel  # so that a side is doubled exactly
        convolution = nn.ConvTranspose2d(
            before, before // 2, self.kernel, stride=2, padding=1, output_padding=extra, bias=norm == "none"
        )
        return convolution, picture_norm(before // 2, norm), nn.ReLU()

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        height, width = image.shape[2:]
        picture: Tensor = self.layers(drawn_out(image))
        return picture[:, :, :height, :width]

    def stages(self) -> list[tuple[int, ...]]:
        sizes = [(-(-self.size[0] // step), -(-self.size[1] // step)) for step in (1, 1, 2, 4)]
        down = [(channels, *size) for channels, size in zip(self.channels, sizes, strict=True)]
        return [*down, *down[-2:0:-1], (self.out_channels, *self.size)]

    def remark(self) -> str:
        return f"with {self.num_blocks} residual blocks at the smallest size"


class Residual(nn.Module):
    """The picture plus two 3x3 convolutions of it, with a norm each; ReLU between them, none behind (Gross 2016)."""

    def __init__(self, channels: int, norm: PictureNorm, border: Border) -> None:
        super().__init__()
        first, second = (
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=border, bias=norm == "none") for _ in range(2)
        )
        self.branch = nn.Sequential(
            first, picture_norm(channels, norm), nn.ReLU(), second, picture_norm(channels, norm)
        )

    def forward(self, image: Tensor) -> Tensor:
        branch: Tensor = self.branch(image)
        return image + branch


def drawn_out(image: Tensor) -> Tensor:
    """Sides brought to multiples of four, and to eight at least, by repeating the last row and column."""
    missing = [max(LEAST, -(-side // STEP) * STEP) - side for side in image.shape[2:]]
    return pad(image, (0, missing[1], 0, missing[0]), mode="replicate") if any(missing) else image
