"""The endless order: a function of seed and images seen, exact wherever it is begun."""

import itertools

import pytest
import torch
from torch import Tensor

from ganctl.data.batch import Images
from ganctl.data.dataset import Table, TensorTable
from ganctl.data.stream import Stream, derived_seed, fixed


class Rows(Table):
    """A table whose pictures are their own row numbers, and whose labels are the chance it was handed."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def batch(self, indices: Tensor, generator: torch.Generator) -> Images:
        return Images(indices, torch.rand(len(indices), generator=generator))


def rows(stream: Stream, images: int) -> list[int]:
    """The first row numbers that a stream deals, at least `images` of them."""
    dealt: list[int] = []
    for batch in stream:
        dealt += batch.image.tolist()
        if len(dealt) >= images:
            return dealt
    return dealt


def growing(images_seen: int) -> int:
    """A batch size that shrinks as a growing network would ask for it."""
    return 16 if images_seen < 40 else 5


@pytest.mark.parametrize("count", [1, 7, 10, 64])
@pytest.mark.parametrize("batch", [1, 4, 10, 23])
def test_each_epoch_holds_every_picture_once(count: int, batch: int) -> None:
    dealt = rows(Stream(Rows(count), lambda _: batch, seed=3), 3 * count)
    for epoch in range(3):
        assert sorted(dealt[epoch * count : (epoch + 1) * count]) == list(range(count))


@pytest.mark.parametrize("batch_size", [lambda _: 6, lambda _: 25, growing], ids=["6", "25", "growing"])
def test_begun_anywhere_it_continues_exactly(batch_size) -> None:
    """Also beyond the epoch of 11 and across the change of size: images, order and chance are the same bits."""
    whole, position = iter(Stream(Rows(11), batch_size, seed=1)), 0
    for _ in range(25):
        expected = next(whole)
        resumed = next(iter(Stream(Rows(11), batch_size, seed=1, images_seen=position)))
        assert resumed.image.equal(expected.image)
        assert resumed.label.equal(expected.label)
        assert len(expected) == batch_size(position)
        position += len(expected)


def test_order_depends_on_seed_and_epoch() -> None:
    first, second = (rows(Stream(Rows(100), lambda _: 100, seed), 200) for seed in (0, 1))
    assert first[:100] != first[100:]
    assert first[:100] != second[:100]
    assert first == rows(Stream(Rows(100), lambda _: 20, seed=0), 200)


def test_the_stored_order_stays() -> None:
    """A changed order would break the resume of runs begun earlier; PyTorch's randperm is part of the promise."""
    assert rows(Stream(Rows(8), lambda _: 8, seed=0), 16) == [4, 1, 7, 5, 2, 0, 6, 3, 0, 1, 3, 5, 6, 2, 4, 7]


def test_ranks_share_each_batch_in_the_order_of_one() -> None:
    alone = iter(Stream(Rows(10), lambda _: 6, seed=2))
    ranks = [iter(Stream(Rows(10), lambda _: 6, seed=2, rank=rank, world_size=3)) for rank in range(3)]
    for _ in range(8):
        shares = [next(rank) for rank in ranks]
        assert next(alone).image.tolist() == [row for share in shares for row in share.image.tolist()]
        assert not shares[0].label.equal(shares[1].label)  # each rank has chances of its own


def test_iterating_again_begins_again() -> None:
    stream = Stream(Rows(5), lambda _: 3, seed=0, images_seen=4)
    assert rows(stream, 9) == rows(stream, 9)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Stream(Rows(0), lambda _: 1, 0), "table: holds no pictures; a stream needs at least one"),
        (lambda: Stream(Rows(5), lambda _: 1, 0, rank=2, world_size=2), "rank: 2; must be 0 to 1, as world_size is 2"),
        (
            lambda: next(iter(Stream(Rows(5), lambda _: 5, 0, world_size=2))),
            r"batch_size: 5; must be a multiple of the number of devices \(2\)",
        ),
        (
            lambda: next(iter(Stream(Rows(5), lambda _: 0, 0))),
            r"batch_size: 0; must be a multiple of the number of devices \(1\)",
        ),
    ],
)
def test_impossible_streams_are_refused_in_words(make, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        make()


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000, 60_000])
def test_fixed_pictures_are_spread_and_do_not_repeat(count: int) -> None:
    shown = min(count, 64)
    dealt = fixed(Rows(count), shown).image.tolist()
    assert len(set(dealt)) == shown
    assert dealt[:8] == fixed(Rows(count), min(8, shown)).image.tolist()  # fewer are the first of more
    if count >= 1000:
        tenths = {row * 10 // count for row in dealt}
        assert tenths == set(range(10))


def test_more_fixed_pictures_than_there_are_repeat() -> None:
    dealt = fixed(Rows(3), 7).image.tolist()
    assert sorted(dealt[:3]) == [0, 1, 2]
    assert dealt[3:6] == dealt[:3]


def test_flips_are_a_function_of_the_position() -> None:
    images = torch.arange(40, dtype=torch.uint8).view(10, 1, 2, 2)
    table = TensorTable(images, None, torch.device("cpu"), flip=True)
    whole = list(itertools.islice(Stream(table, lambda _: 4, seed=0), 6))
    for skipped, expected in enumerate(whole):
        resumed = next(iter(Stream(table, lambda _: 4, seed=0, images_seen=4 * skipped)))
        assert resumed.image.equal(expected.image)


def test_seeds_of_neighbours_and_purposes_differ() -> None:
    seeds = {derived_seed(purpose, seed, number) for purpose in "ab" for seed in range(10) for number in range(10)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**32 for seed in seeds)
