"""Encoders, image to code, in the families of the generators; and what tells codes from noise."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Literal

from torch import Tensor, nn

from ganctl.networks.dcgan import initialise, normed, widths
from ganctl.networks.interfaces import CodeDiscriminator, Encoder, Encoding, Shape
from ganctl.networks.mlp import MLPDiscriminator
from ganctl.networks.sizes import doubling_kernel, halvings


def encoding(answer: Tensor, code_size: int) -> Encoding:
    """answer [B, code_size], or [B, 2 code_size] with the logarithms of the variances behind the means."""
    if answer.shape[1] == code_size:
        return Encoding(answer)
    return Encoding(*answer.split(code_size, 1))


def refuse_no_code(code_size: int) -> None:
    """Raise ValueError for a code without numbers."""
    if code_size < 1:
        raise ValueError(f"code_size: {code_size}; must be 1 or more")


class DCGANEncoder(Encoder):
    """Convolutions that halve, as DCGAN's discriminator has them, then one linear map to the code."""

    def __init__(
        self,
        shape: Shape,
        code_size: int = 64,
        width: int = 64,
        norm: Literal["group", "none"] = "group",
        stochastic: bool = False,
    ) -> None:
        super().__init__()
        refuse_no_code(code_size)
        channels, height, breadth = shape
        self.shape, self.code_size, self.stochastic = tuple(shape), code_size, stochastic
        self.sizes = halvings(height, breadth)  # largest first
        self.channels = [channels, *widths(len(self.sizes) - 1, width)]
        self.downs = nn.Sequential(*(self._down(stage, norm) for stage in range(len(self.sizes) - 1)))
        self.last = nn.Linear(self.channels[-1] * prod(self.sizes[-1]), code_size * (2 if stochastic else 1))
        self.apply(initialise)

    def _down(self, stage: int, norm: Literal["group", "none"]) -> nn.Sequential:
        before, after = self.channels[stage], self.channels[stage + 1]
        kernel = doubling_kernel(self.sizes[stage + 1], self.sizes[stage])
        convolution = nn.Conv2d(before, after, kernel, stride=2, padding=1, bias=norm == "none")
        return nn.Sequential(convolution, normed(after, norm), nn.LeakyReLU(0.2, True))

    def forward(self, image: Tensor) -> Encoding:
        return encoding(self.last(self.downs(image).flatten(1)), self.code_size)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]


class MLPEncoder(Encoder):
    """Linear layers with LeakyReLU 0.2."""

    def __init__(
        self, shape: Shape, code_size: int = 20, hidden: Sequence[int] = (400,), stochastic: bool = False
    ) -> None:
        super().__init__()
        refuse_no_code(code_size)
        self.shape, self.code_size, self.stochastic = tuple(shape), code_size, stochastic
        sizes = [prod(shape), *hidden]
        layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), nn.LeakyReLU(0.2, True))]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], code_size * (2 if stochastic else 1)))

    def forward(self, image: Tensor) -> Encoding:
        return encoding(self.layers(image.flatten(1)), self.code_size)


class MLPCodeDiscriminator(MLPDiscriminator, CodeDiscriminator):
    """Tells codes from noise by linear layers (Makhzani et al. 2016, appendix A)."""

    def __init__(self, code_size: int, hidden: Sequence[int] = (512, 256)) -> None:
        refuse_no_code(code_size)
        super().__init__((code_size, 1, 1), hidden)
        self.code_size = code_size
