"""What every dataset promises: a cheap description, then a table of uint8 pictures that deals batches."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ganctl.data.batch import Captioned, Images, Pairs, Tensors
from ganctl.transfer import handed

SMALL_BYTES = 2 * 2**30  # sets up to this size live on the training device
LARGEST_SIDE = 4096
CAPTION = 64  # bytes of a blank one


@dataclass(frozen=True)
class Description:
    """What is known of a dataset before it is opened."""

    shape: tuple[int, int, int]  # channels, height, width
    classes: int  # labels run from 0 to classes - 1; 0: no labels
    count: int  # pictures; for a folder those found, so at most this many can be read
    names: tuple[str, ...] = ()  # of the classes, in the order of their numbers
    source: tuple[int, int, int] | None = None  # of paired sets: shape of the picture that the other is made from
    attributes: bool = False  # a picture may have several of the `classes`: labels are [N, K] of 0 and 1
    groups: tuple[int, ...] = ()  # of attributes: how many in a row exclude each other; 1: it is on or off by itself

    @property
    def enlarges(self) -> bool:
        """Whether a picture is made from a smaller one."""
        return self.source is not None and self.source[1] < self.shape[1]


class Dataset(ABC):
    """Where pictures come from. The constructor is cheap: it stores its settings and checks their range.

        table = MNIST(root=None).open(torch.device("cpu"))
        batch = table.batch(torch.arange(64), torch.Generator())   # image [64, 1, 32, 32], label [64]

    The config keys of a dataset are exactly its constructor's arguments. An impossible setting raises ValueError in
    words; a missing or damaged file raises UserError, in `describe` where a look at the disk shows it, else in `open`.
    """

    batches: ClassVar[type[Tensors]] = Images  # what its tables deal

    @abstractmethod
    def describe(self) -> Description:
        """Shape, classes and count. Lists files at most; opens no picture and loads nothing from the network."""

    def aspects(self) -> Mapping[str, tuple[int, ...]]:
        """Where a class says several things at once (a shape, a colour): each -> the number of its value, by class."""
        return {}

    def awaited(self) -> str:
        """What `open` downloads first, by its title; empty where all is here. Raises UserError where it cannot be had.

        Servers may be asked whether they are there; nothing is loaded from them.
        """
        return ""

    @abstractmethod
    def open(self, device: torch.device) -> "Table":
        """Everything ready to be dealt on `device`. Slow the first time (download, decode), then cached on disk."""

    def blank(self, count: int) -> Tensors:
        """A batch of `count` zeros on PyTorch's default device, to measure what a batch of this set costs."""
        facts = self.describe()
        image = torch.zeros(count, *facts.shape)
        label = torch.zeros(count, dtype=torch.int64) if facts.classes else None
        if self.batches is Pairs:
            return Pairs(torch.zeros(count, *(facts.source or facts.shape)), image)
        if self.batches is Captioned:
            return Captioned(image, label, caption=torch.zeros(count, CAPTION, dtype=torch.int64))
        return Images(image, label)


class Table(ABC):
    """An opened dataset."""

    @abstractmethod
    def __len__(self) -> int:
        """How many pictures (or pairs, ...) there are."""

    @abstractmethod
    def batch(self, indices: Tensor, generator: torch.Generator) -> Tensors:
        """The rows `indices` ([B] int64, on the CPU) on the training device, normalised and augmented.

        All chance is drawn from `generator` (on the CPU), so the same call gives the same bits.
        """

    def held_out(self) -> "Table | None":
        """Pictures that training never deals, for previews and scores; None where the set has none of its own."""
        return None


class TensorTable(Table):
    """Pictures in one uint8 tensor, perhaps labelled, perhaps mirrored left to right with probability one half.

    Small sets move to the device whole; larger ones (memory-mapped) are gathered on the CPU, a batch at a time.
    """

    def __init__(self, images: Tensor, labels: Tensor | None, device: torch.device, flip: bool = False) -> None:
        """images: uint8 [N, C, H, W], best channels_last in memory; labels: [N] int64 or [N, K] float, or None."""
        if images.dtype != torch.uint8 or images.dim() != 4:
            raise ValueError(f"images: {images.dtype} of {images.dim()} dimensions; must be uint8 [N, C, H, W]")
        if labels is not None and len(labels) != len(images):
            raise ValueError(f"labels: {len(labels)} for {len(images)} images; must be one for each")
        self.device, self.flip = device, flip
        self.shape = images.shape[1:]
        rows = images.permute(0, 2, 3, 1).reshape(len(images), -1)  # [N, H*W*C]: a picture is one run of bytes
        self.rows = rows.to(device) if rows.nbytes <= SMALL_BYTES else rows
        self.labels = None if labels is None else labels.to(device)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Images:
        """image [B, C, H, W] float32 in [-1, 1], channels_last; label as given."""
        here = handed(indices, self.device)
        image = self.pixels(here if here.device == self.rows.device else indices)
        if self.flip:
            mirrored = handed(torch.rand(len(indices), generator=generator) < 0.5, self.device)
            image = torch.where(mirrored[:, None, None, None], image.flip(3), image)
        image = image.float().div_(127.5).sub_(1)
        return Images(image, None if self.labels is None else self.labels.index_select(0, here))

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [B, C, H, W], channels_last, on the training device."""
        channels, height, width = self.shape
        rows = handed(self.rows.index_select(0, indices), self.device)
        return rows.view(-1, height, width, channels).permute(0, 3, 1, 2)


def height_width(size: int | Sequence[int]) -> tuple[int, int]:
    """`size` as people write it, 64 or [96, 32], as (height, width). Raises ValueError in words."""
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
        given = size if isinstance(size, int) else list(size)
        raise ValueError(f"size: {given}; must be one number of pixels or [height, width], each 1 to {LARGEST_SIDE}")
    return sides[0], sides[1]


def picture_shape(name: str, shape: Sequence[int]) -> tuple[int, int, int]:
    """[channels, height, width] as a tuple. Raises ValueError in words."""
    if len(shape) != 3 or any(type(side) is not int or side < 1 for side in shape):
        raise ValueError(f"{name}: {list(shape)}; must be [channels, height, width], each 1 or more")
    channels, height, width = shape
    return channels, height, width
