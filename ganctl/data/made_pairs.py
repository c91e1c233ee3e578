"""Pairs made of single pictures: what is to be made good is taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from ganctl.colour import grey_of
from ganctl.data.album import album
from ganctl.data.batch import Pairs
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width
from ganctl.data.folder import OnError, check_on_error, judge, listed, set_aside
from ganctl.data.pictures import Crop, Frame
from ganctl.data.roots import source_at
from ganctl.data.small import Random
from ganctl.data.sources import Listing, Source
from ganctl.data.splits import apart, check_share
from ganctl.transfer import handed

Hole = Literal["center", "random"]
Maker = Callable[[Tensor, torch.Generator], Pairs]
"""target [B, C, H, W] in [-1, 1] -> it and its source; all chance is drawn from the generator, on the CPU."""


def greyed(target: Tensor, generator: torch.Generator) -> Pairs:
    """The source is the grey of the target's lightness (L of Lab), in three equal channels."""
    return Pairs(grey_of(target).expand_as(target), target)


@dataclass(frozen=True)
class Holed:
    """The source is the target, 0 in a hole, and a mask: 1 where it is known, -1 in the hole.

    hole: center (a rectangle in the middle) or random (anywhere, between half the share and the share of each side).
    share: of each side that the hole takes; 0.5 in Pathak et al. 2016.
    """

    size: tuple[int, int]  # height, width of the targets
    hole: Hole = "center"
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.hole not in ("center", "random"):
            raise ValueError(f"hole: {self.hole!r}; must be center or random")
        height, width = self.size
        if not (0 < self.share < 1 and all(0 < round(self.share * side) < side for side in self.size)):
            raise ValueError(
                f"share: {self.share}; a hole must take something of a picture of {height}x{width} pixels and leave "
                "something of each side; must be more than 0 and less than 1, such as 0.5"
            )

    def __call__(self, target: Tensor, generator: torch.Generator) -> Pairs:
        rows, columns = (handed(self.taken(len(target), side, generator), target.device) for side in self.size)
        hole = rows[:, None, :, None] & columns[:, None, None, :]
        return Pairs(torch.cat((target.masked_fill(hole, 0.0), torch.where(hole, -1.0, 1.0)), 1), target)

    def taken(self, count: int, side: int, generator: torch.Generator) -> Tensor:
        """Places along a side that the hole takes, [count, side]."""
        most = round(self.share * side)
        length, start = torch.full((count, 1), most), torch.full((count, 1), (side - most) // 2)
        if self.hole == "random":
            length = torch.randint((most + 1) // 2, most + 1, (count, 1), generator=generator)
            start = (torch.rand(count, 1, generator=generator) * (side - length + 1)).long()
        place = torch.arange(side)
        return (place >= start) & (place < start + length)


class MadePairs(Dataset):
    """Every picture of a folder or zip is a target; its source is made anew for each batch.

    root, size, crop, channels, background, flip, on_error: as of `Folder`.
    held_out: share of the pictures kept for previews and scores, unless there is a folder test/ or val/, which is.
    """

    batches = Pairs
    make: Maker
    source_channels: int

    def __init__(
        self,
        root: str,
        size: int | Sequence[int],
        crop: Crop,
        channels: int,
        background: str,
        flip: bool,
        held_out: float,
        on_error: OnError,
    ) -> None:
        self.frame = Frame(height_width(size), crop, channels, background)
        check_share(held_out)
        check_on_error(on_error)
        self.root, self.flip, self.held_out, self.on_error = root, flip, held_out, on_error

    def describe(self) -> Description:
        source = (self.source_channels, *self.frame.size)
        return Description(self.frame.shape, 0, len(self.split[0]), source=source)

    def open(self, device: torch.device) -> Table:
        trained, aside = self.split
        rest = None
        if aside:
            kept = set_aside(self.source, len(aside), self.on_error, lambda: self.pictures(aside, device))
            rest = kept and MadeTable(kept, self.make)
        return MadeTable(self.pictures(trained, device, self.flip), self.make, rest)

    @cached_property
    def source(self) -> Source:
        return source_at(self.root)

    @cached_property
    def listing(self) -> Listing:
        return listed(self.source)

    @cached_property
    def split(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the pictures to train with, and of those held out."""
        return apart(self.listing.names, self.held_out)

    def pictures(self, names: tuple[str, ...], device: torch.device, flip: bool = False) -> TensorTable:
        """The targets of these names."""
        listing = self.listing.part(names)
        found = album(self.source, listing, self.frame)
        judge(self.source, listing, found, self.on_error)
        return TensorTable(found.images, None, device, flip)


class MadeTable(Table):
    """Targets, and the sources made of them."""

    def __init__(self, targets: TensorTable, make: Maker, held_out: Table | None = None) -> None:
        self.targets, self.make, self.aside = targets, make, held_out

    def __len__(self) -> int:
        return len(self.targets)

    def held_out(self) -> Table | None:
        return self.aside

    def batch(self, indices: Tensor, generator: torch.Generator) -> Pairs:
        return self.make(self.targets.batch(indices, generator).image, generator)


class Colorize(MadePairs):
    """Grey to colour; see `greyed`."""

    def __init__(
        self,
        root: str,
        size: int | Sequence[int] = 64,
        crop: Crop = "center",
        background: str = "white",
        flip: bool = False,
        held_out: float = 0.05,
        on_error: OnError = "error",
    ) -> None:
        super().__init__(root, size, crop, 3, background, flip, held_out, on_error)
        self.make, self.source_channels = greyed, 3


class Inpaint(MadePairs):
    """A hole to be filled; hole, share: see `Holed`."""

    def __init__(
        self,
        root: str,
        size: int | Sequence[int] = 64,
        hole: Hole = "center",
        share: float = 0.5,
        crop: Crop = "center",
        channels: int = 3,
        background: str = "white",
        flip: bool = False,
        held_out: float = 0.05,
        on_error: OnError = "error",
    ) -> None:
        super().__init__(root, size, crop, channels, background, flip, held_out, on_error)
        if channels == 4:
            raise ValueError("channels: 4; must be 1 (grey) or 3 (colour): transparency marks the hole")
        self.make, self.source_channels = Holed(self.frame.size, hole, share), channels + 1


class RandomMade(Dataset):
    """Noise as targets, the same each time: for smoke tests."""

    batches = Pairs
    make: Maker
    source_channels: int

    def __init__(self, shape: Sequence[int], count: int) -> None:
        self.noise = Random(shape, count=count)

    def describe(self) -> Description:
        facts = self.noise.describe()
        return Description(facts.shape, 0, facts.count, source=(self.source_channels, *facts.shape[1:]))

    def open(self, device: torch.device) -> Table:
        return MadeTable(self.noise.open(device), self.make)


class RandomColorize(RandomMade):
    """Grey noise to colour."""

    def __init__(self, shape: Sequence[int] = (3, 32, 32), count: int = 1024) -> None:
        super().__init__(shape, count)
        if shape[0] != 3:
            raise ValueError(f"shape: {list(shape)}; must have 3 channels")
        self.make, self.source_channels = greyed, 3


class RandomInpaint(RandomMade):
    """Noise with a hole."""

    def __init__(self, shape: Sequence[int] = (3, 32, 32), count: int = 1024, hole: Hole = "random") -> None:
        super().__init__(shape, count)
        self.make, self.source_channels = Holed((shape[1], shape[2]), hole), shape[0] + 1
