"""The table of uint8 pictures: gathered, mirrored and normalised exactly."""

import pytest
import torch

from ganctl.data import dataset
from ganctl.data.dataset import TensorTable, height_width

CPU = torch.device("cpu")


def numbered(count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_ends_of_the_range_are_exact() -> None:
    """0 -> -1, 255 -> 1, 51 -> 51 / 127.5 - 1 = -0.6."""
    table = TensorTable(torch.tensor([0, 255, 51], dtype=torch.uint8).view(3, 1, 1, 1), None, CPU)
    image = table.batch(torch.tensor([0, 1, 2]), torch.Generator()).image
    assert image.flatten().tolist() == pytest.approx([-1, 1, -0.6], abs=1e-7)
    assert image[:2].flatten().tolist() == [-1, 1]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 100, 100), (2, 96, 32), (4, 5, 7)])
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_rows_are_gathered_in_order(shape: tuple[int, int, int], memory: torch.memory_format) -> None:
    images = numbered(9, shape)
    table = TensorTable(images.contiguous(memory_format=memory), torch.arange(9), CPU)
    rows = torch.tensor([8, 0, 0, 5])
    batch = table.batch(rows, torch.Generator())
    assert batch.image.equal(images[rows].float() / 127.5 - 1)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert batch.label.tolist() == [8, 0, 0, 5]
    assert len(table) == 9


def test_half_of_the_pictures_are_mirrored() -> None:
    images = numbered(1, (3, 4, 6)).expand(400, -1, -1, -1)
    table = TensorTable(images, None, CPU, flip=True)
    image = table.batch(torch.arange(400), torch.Generator().manual_seed(0)).image
    plain = images[0].float() / 127.5 - 1
    mirrored = sum(picture.equal(plain.flip(2)) for picture in image)
    assert mirrored + sum(picture.equal(plain) for picture in image) == 400
    assert 150 < mirrored < 250  # 5 standard deviations around 200


def test_large_sets_stay_where_they_are_and_deal_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, rows = numbered(5, (3, 4, 4)), torch.tensor([4, 2])
    small = TensorTable(images, None, CPU, flip=True)
    monkeypatch.setattr(dataset, "SMALL_BYTES", 0)
    large = TensorTable(images, None, CPU, flip=True)
    first, second = (table.batch(rows, torch.Generator().manual_seed(1)).image for table in (small, large))
    assert first.equal(second)


def test_a_channels_last_map_is_not_copied() -> None:
    """A memory-mapped set larger than memory must not be read when it is opened."""
    stored = numbered(5, (3, 4, 4)).permute(0, 2, 3, 1).contiguous()
    assert TensorTable(stored.permute(0, 3, 1, 2), None, CPU).rows.data_ptr() == stored.data_ptr()


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (torch.zeros(2, 1, 1, 1), None, r"images: torch.float32 of 4 dimensions; must be uint8 \[N, C, H, W\]"),
        (
            torch.zeros(2, 1, 1, dtype=torch.uint8),
            None,
            r"images: torch.uint8 of 3 dimensions; must be uint8 \[N, C, H, W\]",
        ),
        (
            torch.zeros(2, 1, 1, 1, dtype=torch.uint8),
            torch.zeros(3),
            "labels: 3 for 2 images; must be one for each",
        ),
    ],
)
def test_other_tensors_are_refused(images: torch.Tensor, labels: torch.Tensor | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TensorTable(images, labels, CPU)


@pytest.mark.parametrize(("size", "sides"), [(64, (64, 64)), ([96, 32], (96, 32)), ((1, 4096), (1, 4096))])
def test_sizes(size, sides: tuple[int, int]) -> None:
    assert height_width(size) == sides


@pytest.mark.parametrize("size", [0, -5, 4097, True, [64], [1, 2, 3], [64, 0], [64, 1.5], ["64", "64"]])
def test_impossible_sizes_are_refused_in_words(size) -> None:
    with pytest.raises(
        ValueError, match=r"^size: .+; must be one number of pixels or \[height, width\], each 1 to 4096$"
    ):
        height_width(size)
