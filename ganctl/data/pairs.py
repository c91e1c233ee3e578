"""Pictures in pairs: the table that deals them, and noise in the same form."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganctl.data.batch import Pairs
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, picture_shape
from ganctl.transfer import handed


class PairTable(Table):
    """Sources and targets in two uint8 tensors; with `flip`, both of a pair are mirrored left to right, or neither."""

    def __init__(
        self,
        source: Tensor,
        target: Tensor,
        device: torch.device,
        flip: bool = False,
        crop: tuple[int, int] | None = None,
        held_out: Table | None = None,
    ) -> None:
        """source, target: uint8 [N, C, H, W], best channels_last in memory; crop: what is dealt of each, if less."""
        if len(source) != len(target):
            raise ValueError(f"pairs: {len(source)} sources and {len(target)} targets; must be one for each")
        self.source, self.target = TensorTable(source, None, device), TensorTable(target, None, device)
        self.flip, self.aside = flip, held_out
        self.crop = None if crop == tuple(target.shape[2:]) else crop

    def __len__(self) -> int:
        return len(self.source)

    def held_out(self) -> Table | None:
        return self.aside

    def batch(self, indices: Tensor, generator: torch.Generator) -> Pairs:
        """source and target [B, C, H, W] float32 in [-1, 1], channels_last."""
        source = self.source.batch(indices, generator).image
        pairs = Pairs(source, self.target.batch(indices, generator).image)
        if self.crop is not None:
            pairs = cropped(pairs, self.crop, generator)
        return mirrored(pairs, generator) if self.flip else pairs


def mirrored(pairs: Pairs, generator: torch.Generator) -> Pairs:
    """Each pair left-right flipped with probability 1/2, both pictures alike."""
    coin = handed(torch.rand(len(pairs), generator=generator) < 0.5, pairs.target.device)[:, None, None, None]
    return pairs.map(lambda picture: torch.where(coin, picture.flip(3), picture))


def cropped(pairs: Pairs, size: tuple[int, int], generator: torch.Generator) -> Pairs:
    """Of each pair a part [*size] at a random place, the same of both pictures, which must have one size."""
    rows, columns = (
        handed(places(len(pairs), size[side], pairs.target.shape[2 + side], generator), pairs.target.device)
        for side in range(2)
    )
    batch = torch.arange(len(pairs), device=rows.device)[:, None, None]
    # the channels come last where indices stand on both sides of them: [B, H, W, C]
    return pairs.map(lambda picture: picture[batch, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2))


def places(count: int, size: int, room: int, generator: torch.Generator) -> Tensor:
    """For each of `count` pictures `size` consecutive places within `room`, at random: [count, size]."""
    start = torch.randint(room - size + 1, (count, 1), generator=generator)
    return start + torch.arange(size)


class RandomPairs(Dataset):
    """Noise and other noise, the same each time: for smoke tests.

    source: shape of the sources where it is not that of the targets.
    """

    batches = Pairs

    def __init__(
        self,
        shape: Sequence[int] = (3, 32, 32),
        source: Sequence[int] | None = None,
        count: int = 1024,
        flip: bool = False,
    ) -> None:
        self.target_shape = picture_shape("shape", shape)
        self.source_shape = self.target_shape if source is None else picture_shape("source", source)
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        self.count, self.flip = count, flip

    def describe(self) -> Description:
        return Description(self.target_shape, 0, self.count, source=self.source_shape)

    def open(self, device: torch.device) -> Table:
        chance = torch.Generator().manual_seed(0)
        source, target = (
            torch.randint(256, (self.count, *shape), dtype=torch.uint8, generator=chance)
            for shape in (self.source_shape, self.target_shape)
        )
        return PairTable(source, target, device, self.flip)
