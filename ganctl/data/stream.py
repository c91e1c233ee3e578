"""Batches without end, in an order that is a function of the seed and of the images seen."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from math import gcd

import torch
from torch import Tensor

from ganctl.data.batch import Tensors
from ganctl.data.dataset import Table


class Stream:
    """An infinite iterable of full batches that begins at `images_seen` and straddles epochs.

    Every epoch is a permutation of the table drawn from (seed, epoch). Nothing but the position is remembered, so a
    stream begun at any position continues exactly as one that passed it. `batch_size` maps images seen to the size
    of the next batch over all ranks; each rank receives its own consecutive slice of it.
    """

    def __init__(
        self,
        table: Table,
        batch_size: Callable[[int], int],
        seed: int,
        images_seen: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if not len(table):
            raise ValueError("table: holds no pictures; a stream needs at least one")
        if not 0 <= rank < world_size:
            raise ValueError(f"rank: {rank}; must be 0 to {world_size - 1}, as world_size is {world_size}")
        self.table, self.batch_size, self.seed = table, batch_size, seed
        self.images_seen, self.rank, self.world_size = images_seen, rank, world_size
        self.epoch, self.permutation = -1, torch.empty(0, dtype=torch.int64)

    def __iter__(self) -> Iterator[Tensors]:
        position = self.images_seen
        chance = torch.Generator()
        while True:
            size = self.batch_size(position)
            share = self.share(size)
            start = position + self.rank * share
            chance.manual_seed(derived_seed("batch", self.seed, start))
            yield self.table.batch(self.indices(start, share), chance)
            position += size

    def share(self, size: int) -> int:
        """This rank's part of a batch. Raises ValueError where a batch cannot be shared out evenly."""
        if size < 1 or size % self.world_size:
            raise ValueError(f"batch_size: {size}; must be a multiple of the number of devices ({self.world_size})")
        return size // self.world_size

    def indices(self, start: int, count: int) -> Tensor:
        """Rows of the table at the positions start .. start + count - 1 of the endless order: [count] int64."""
        pieces = []
        while count:
            epoch, offset = divmod(start, len(self.table))
            piece = self.order(epoch)[offset : offset + count]
            pieces.append(piece)
            start, count = start + len(piece), count - len(piece)
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def order(self, epoch: int) -> Tensor:
        """The permutation of one epoch; the last one asked for is kept."""
        if epoch != self.epoch:
            chance = torch.Generator().manual_seed(derived_seed("order", self.seed, epoch))
            self.epoch, self.permutation = epoch, torch.randperm(len(self.table), generator=chance)
        return self.permutation


class Handed:
    """A loader for a trainer that takes as many batches as it likes: gives the same running iterator every time."""

    def __init__(self, stream: Iterable[Tensors]) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[Iterator[Tensors]]:
        batches = iter(self.stream)
        while True:
            yield batches


def fixed(table: Table, count: int) -> Tensors:
    """The first `count` pictures of a fixed order that is spread over the whole table, for previews.

    Strides by the golden ratio, so that any number of pictures, from a table sorted by class, shows all classes.
    Repeats from the start when the table holds fewer.
    """
    stride = round(len(table) * 0.6180339887)
    while gcd(stride, len(table)) != 1:  # only then are all pictures visited before one repeats
        stride += 1
    return table.batch(torch.arange(count) * stride % len(table), torch.Generator().manual_seed(0))


def derived_seed(purpose: str, seed: int, number: int) -> int:
    """A seed for torch.Generator: neighbouring numbers and different purposes give unrelated ones."""
    return int.from_bytes(blake2b(f"{purpose}:{seed}:{number}".encode(), digest_size=4).digest())
