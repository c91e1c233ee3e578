"""Points and stacked digits: shapes, places of the modes, labels that name what is seen."""

import pytest
import torch

from ganctl.data.points import REACH, Grid25, Points, Ring8
from ganctl.data.small import Digits
from ganctl.data.stacked import StackedDigits

CPU = torch.device("cpu")


@pytest.mark.parametrize(("kind", "modes", "gap", "deviation"), [(Ring8, 8, 0.6123, 0.008), (Grid25, 25, 0.4, 0.01)])
def test_points_lie_around_their_centres(kind: type[Points], modes: int, gap: float, deviation: float) -> None:
    """Ring: neighbours on a circle of 0.8 are 2 * 0.8 * sin(22.5 degrees) apart; grid: steps of 2 scaled by 0.8 / 4."""
    data = kind(count=50_000)
    batch = data.open(CPU).batch(torch.arange(50_000), torch.Generator())
    assert data.describe().shape == (2, 1, 1)
    assert data.describe().classes == modes == len(data.centres) == len(data.describe().names)
    assert batch.image.shape == (50_000, 2, 1, 1)
    assert batch.image.abs().max() < 0.9
    offset = batch.image.flatten(1) - data.centres[batch.label]
    assert offset.std().item() == pytest.approx(deviation, rel=0.02) == pytest.approx(data.deviation, rel=0.02)
    assert torch.pdist(data.centres).min().item() == pytest.approx(gap, abs=1e-3)
    assert data.centres.abs().max().item() == pytest.approx(REACH)
    assert torch.bincount(batch.label).tolist() == [50_000 // modes] * modes


def test_points_are_the_same_each_time() -> None:
    first, second = (Ring8(count=100).open(CPU).batch(torch.arange(100), torch.Generator()) for _ in range(2))
    assert torch.equal(first.image, second.image)


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one point for each of the 25 modes"):
        Grid25(count=24)


def test_stacked_digits_show_what_their_label_says() -> None:
    """The label 100 a + 10 b + c: each channel must be one of the real digits of that number."""
    data = StackedDigits(size=8, count=2_000)
    table = data.open(CPU)
    batch = table.batch(torch.arange(2_000), torch.Generator())
    assert data.describe().shape == (3, 8, 8)
    assert data.describe().classes == 1_000
    assert data.describe().names[42] == "042"
    assert batch.image.shape == (2_000, 3, 8, 8)
    digits = Digits(size=8).open(CPU)
    every = digits.batch(torch.arange(len(digits)), torch.Generator())
    for row in range(20):
        for channel, divisor in enumerate((100, 10, 1)):
            wanted = int(batch.label[row]) // divisor % 10
            real = every.image[every.label == wanted, 0]
            assert (real == batch.image[row, channel]).flatten(1).all(1).any()


def test_stacked_digits_reach_all_modes_evenly() -> None:
    """128,000 draws over 1,000 equally likely modes: 128 each, standard deviation 11.3; all within six of them."""
    table = StackedDigits(size=8).open(CPU)
    counts = torch.bincount(table.batch(torch.arange(len(table)), torch.Generator()).label, minlength=1_000)
    shares = torch.bincount(Digits(size=8).open(CPU).labels).double()
    expected = torch.einsum("a,b,c->abc", *([shares / shares.sum()] * 3)).flatten() * len(table)
    assert int((counts > 0).sum()) == 1_000
    assert ((counts - expected).abs() < 6 * expected.sqrt()).all()


def test_too_few_stacked_pictures_are_refused() -> None:
    with pytest.raises(ValueError, match="1000 or more"):
        StackedDigits(count=999)
