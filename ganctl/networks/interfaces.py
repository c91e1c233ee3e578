"""What games ask of networks. Games name these contracts, never a concrete network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn

Shape = Sequence[int]
"""(channels, height, width) of a picture."""


class Network(nn.Module):
    """Any part of a game; `stages` is what `dry_run=true` prints."""

    def stages(self) -> list[tuple[int, ...]]:
        """Sizes (channels, height, width) that a picture passes through, in order; empty: nothing to tell."""
        return []

    def remark(self) -> str:
        """What else `dry_run=true` says, e.g. how much of a picture one score sees; empty: nothing."""
        return ""


class Generator(Network, ABC):
    """Noise (and label) to image."""

    noise_size: int
    classes: int = 0  # 0: the label is ignored

    @abstractmethod
    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [B, noise_size], label [B] int64 or [B, K] attributes -> image [B, C, H, W] in [-1, 1]."""


class StyleBased(Generator):
    """A generator in two halves: noise to a style, one style a layer to a picture (Karras et al. 2019)."""

    style_size: int
    layers: int  # styles that `synthesis` takes
    mean_style: Tensor  # buffer [style_size]: running mean of the mapping's styles; truncation draws styles towards it

    @abstractmethod
    def mapping(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [B, noise_size], label as in `forward` -> style [B, style_size]."""

    @abstractmethod
    def synthesis(self, styles: Tensor) -> Tensor:
        """styles [B, layers, style_size] -> image [B, C, H, W] in [-1, 1]."""


def stage_at(position: float) -> tuple[int, float]:
    """Of a position of `Growing`: the index of the size at work, and its weight over the size before (1: alone)."""
    index = ceil(position)
    return index, position - index + 1 if index else 1.0


class Growing(Network):
    """A network that begins with small pictures and fades larger ones in (Karras et al. 2018, section 2).

    `position` counts sizes: 0 is the smallest alone, 1 the second alone, 1.25 the third with a weight of a quarter over
    the second. It is a buffer, so that a checkpoint knows what its pictures are; a network is built at full size.
    """

    sizes: Sequence[tuple[int, int]]  # (height, width) from the smallest to the full one
    position: Tensor  # buffer, scalar
    grown: float | None = None  # the buffer's value where `grow` set it, so that a forward need not wait for the device

    def stand_at(self, sizes: Sequence[tuple[int, int]]) -> None:
        """For constructors: the sizes, and the position of the full one (a value also where a check builds on meta)."""
        self.sizes = sizes
        self.register_buffer("position", torch.tensor(len(sizes) - 1.0, device="cpu"))

    def grow(self, position: float) -> None:
        """Work at this position from now on, or at the full size where it lies beyond."""
        value = torch.tensor(min(position, len(self.sizes) - 1), dtype=self.position.dtype, device="cpu")
        self.grown = float(value)  # rounded as the buffer is
        self.position.fill_(self.grown)

    def stage(self) -> tuple[int, float]:
        """The index of the size at work, and its weight over the size before (1: alone)."""
        return stage_at(float(self.position) if self.grown is None else self.grown)

    def __getstate__(self) -> dict[str, Any]:
        """A copy asks its buffer, which a moving average writes to from outside."""
        return {**super().__getstate__(), "grown": None}

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self.grown = None


class Translator(Network, ABC):
    """Picture (and label) to picture, of any size: what a network cannot halve it pads inside."""

    classes: int = 0  # 0: the label is ignored
    reach: int | None = None  # pixels as far as which an output depends on its inputs; None: on the whole picture

    @abstractmethod
    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C, H, W] in [-1, 1], label [B] int64 or [B, K] attributes -> picture [B, C', H', W'] in [-1, 1]."""


class Discriminator(Network, ABC):
    """Image (and label) to a raw score: logits, no sigmoid. Auxiliary heads read its features.

    With `source_channels`, it judges whether a picture belongs to its source: `image` then holds both, source first.
    """

    feature_size: int  # K of the features that heads read
    classes: int = 0  # 0: the label is ignored
    source_channels: int = 0  # 0: the picture is judged alone

    @abstractmethod
    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> features [B, feature_size] (or a map [B, K, h, w] for patch critics)."""

    @abstractmethod
    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """features -> logits [B], or [B, h, w] where every patch is judged."""

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.score(self.features(image, label), label)


class CodeDiscriminator(Discriminator):
    """Code to a raw score; a code counts as a picture of one pixel, [B, code_size, 1, 1]."""

    code_size: int


@dataclass(frozen=True)
class Encoding:
    """What an encoder says of pictures: a code each, or a Gaussian over codes whose numbers are independent."""

    mean: Tensor  # [B, code_size]
    log_variance: Tensor | None = None  # [B, code_size]; None: the code is certain

    def draw(self) -> Tensor:
        """A code each, with a graph to both (Kingma and Welling 2014, section 2.4); the mean where it is certain."""
        if self.log_variance is None:
            return self.mean
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)


class Encoder(Network, ABC):
    """Image to code."""

    shape: tuple[int, ...]  # channels, height, width of the pictures it takes
    code_size: int
    stochastic: bool  # it gives a variance beside the mean

    @abstractmethod
    def forward(self, image: Tensor) -> Encoding:
        """image [B, *shape] in [-1, 1] -> what is known of its code; of each picture alone, so no batch norm."""


class Constrained(ABC):
    """A module whose weights must stay in a set; the trainer calls `constrain` after every step of its turn."""

    @abstractmethod
    def constrain(self) -> None:
        """Bring the weights back into the set, in place."""


class TextEncoder(Network, ABC):
    """Caption to vector."""

    text_size: int

    @abstractmethod
    def forward(self, caption: Tensor) -> Tensor:
        """caption [B, L] int64: UTF-8 bytes, padded with 0 (ganctl.text) -> [B, text_size]."""


@dataclass(frozen=True)
class Painting:
    """A picture of a caption, and the Gaussian that its condition was drawn from (Zhang et al. 2017, section 3.2)."""

    image: Tensor  # [B, C, H, W] in [-1, 1]
    mean: Tensor  # [B, condition_size]
    log_variance: Tensor  # [B, condition_size]


class CaptionPainter(Network, ABC):
    """Noise and a caption's vector to a picture; a later stage paints it anew from the picture of the stage before."""

    noise_size: int  # all chance in a picture, the condition's own included
    text_size: int
    shape: tuple[int, ...]  # of its pictures
    sketch: tuple[int, ...] | None = None  # of the pictures that it begins from; None: it begins from nothing

    @abstractmethod
    def forward(self, noise: Tensor, text: Tensor, sketch: Tensor | None = None) -> Painting:
        """noise [B, noise_size], text [B, text_size], sketch [B, *self.sketch] in [-1, 1] where it needs one."""
