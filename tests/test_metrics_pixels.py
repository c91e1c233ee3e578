"""Coverage, diversity, memorisation and point modes: small cases worked out by hand."""

import math

import pytest
import torch
from torch import tensor

from ganctl.data.points import Grid25, Ring8
from ganctl.metrics.coverage import conditional_accuracy, coverage, is_covered, reverse_kl
from ganctl.metrics.diversity import diversity, memorisation, nearest
from ganctl.metrics.panel import measure_pixels
from ganctl.metrics.points import score_points


def test_coverage_by_hand() -> None:
    """Data: half 0, a quarter each 1 and 2. Samples: 98 of class 0, 2 of class 1, none of class 2.

    Class 1 has 2 % where 25 % are real: under a tenth, seen but not covered.
    KL = 0.98 ln(0.98 / 0.5) + 0.02 ln(0.02 / 0.25).
    """
    real = tensor([0, 0, 1, 2])
    found = coverage(tensor([0] * 98 + [1] * 2), real, 3)
    assert found.shares == pytest.approx((0.98, 0.02, 0))
    assert found.expected == pytest.approx((0.5, 0.25, 0.25))
    assert (found.modes, found.covered) == (2, 1)
    covered = [is_covered(share, real) for share, real in zip(found.shares, found.expected, strict=True)]
    assert covered == [True, False, False]
    assert found.kl == pytest.approx(0.98 * math.log(1.96) + 0.02 * math.log(0.08))


def test_even_samples_cover_everything() -> None:
    found = coverage(torch.arange(1000) % 10, torch.arange(50) % 10, 10)
    assert (found.modes, found.covered) == (10, 10)
    assert found.kl == pytest.approx(0, abs=1e-12)


def test_a_class_that_the_data_lacks_is_not_missing() -> None:
    assert coverage(tensor([0, 2]), tensor([0, 2]), 3).covered == 2


def test_one_class_only_of_ten() -> None:
    """Full collapse: KL = ln 10, whatever the class."""
    assert coverage(tensor([7] * 500), torch.arange(100) % 10, 10).kl == pytest.approx(math.log(10))


def test_reverse_kl_of_two_histograms() -> None:
    first, second = tensor([0.5, 0.5, 0.0]).double(), tensor([0.25, 0.25, 0.5]).double()
    assert reverse_kl(first, second) == pytest.approx(math.log(2))
    assert reverse_kl(first, first) == 0


def test_conditional_accuracy_by_hand() -> None:
    assert conditional_accuracy(tensor([0, 1, 2, 2]), tensor([0, 1, 2, 0])) == 0.75


def test_diversity_by_hand() -> None:
    """Reals at 0, 2, 4, 6 on a line, samples at 0, 1, 2, 3: every distance halves. No duplicates."""
    reals, samples = (torch.tensor([[0.0], [1.0], [2.0], [3.0]]) * scale for scale in (2, 1))
    found = diversity(samples, reals)
    assert found.ratio == pytest.approx(0.5)
    assert found.neighbours == pytest.approx(0.5)
    assert found.duplicates == 0


def test_duplicates_by_hand() -> None:
    """Two of four samples are copies; reals are 1 apart, so nearer than 0.1 counts."""
    reals = torch.arange(4.0)[:, None]
    found = diversity(tensor([[0.0], [0.0], [5.0], [9.0]]), reals)
    assert found.duplicates == 0.5
    collapsed = diversity(torch.zeros(4, 1), reals)
    assert (collapsed.ratio, collapsed.neighbours, collapsed.duplicates) == (0, 0, 1)


def test_data_of_copies_is_no_measure_of_neighbours() -> None:
    """Four pictures, each twice: nothing lies nearer than 0, and only exact copies among the samples are duplicates."""
    reals = torch.arange(4.0).repeat_interleave(2)[:, None]
    found = diversity(tensor([[0.0], [0.0], [5.0], [9.0]]), reals)
    assert found.neighbours is None
    assert found.duplicates == 0.5
    assert memorisation(reals + 0.1, reals, reals) is None
    measured = measure_pixels(tensor([[0.0], [0.0], [5.0]]), reals, ["diversity"])
    assert list(measured) == ["diversity", "duplicates"]


def test_diversity_of_large_bytes_is_exact() -> None:
    """Bright pictures that are equal lie at distance 0, in spite of large sums of squares."""
    pictures = torch.full((5, 3, 32, 32), 255, dtype=torch.uint8)
    assert diversity(pictures, torch.randint(256, (5, 3, 32, 32)).to(torch.uint8)).duplicates == 1


def test_too_few_pictures_for_diversity() -> None:
    with pytest.raises(ValueError, match="needs 3 pictures on each side, not 2 and 9"):
        diversity(torch.zeros(2, 4), torch.zeros(9, 4))


def test_nearest_pictures_by_hand() -> None:
    distances, indices = nearest(tensor([[0.0], [10.0]]), tensor([[3.0], [9.0], [-1.0]]), 2)
    assert distances.tolist() == [[1, 3], [1, 7]]
    assert indices.tolist() == [[2, 0], [1, 0]]


def test_memorisation_by_hand() -> None:
    """Samples 0.1 beside training pictures, unseen ones 0.5 beside: a ratio of 0.2."""
    training = torch.arange(10.0)[:, None]
    assert memorisation(training + 0.1, training + 0.5, training) == pytest.approx(0.2, rel=1e-3)


def test_points_by_hand() -> None:
    """Centres at 0 and 10, deviation 1: points at 0, 2.9 and 10 are near, 3.1 and 50 are not.

    Two of three good points at the first centre: KL = 2/3 ln(4/3) + 1/3 ln(2/3).
    """
    points = tensor([[0.0, 0], [2.9, 0], [3.1, 0], [10, 0], [50, 0]])
    found = score_points(points, tensor([[0.0, 0], [10, 0]]), deviation=1.0)
    assert (found.modes, found.counts) == (2, (2, 1))
    assert found.high_quality == pytest.approx(0.6)
    assert found.kl == pytest.approx(2 / 3 * math.log(4 / 3) + 1 / 3 * math.log(2 / 3))


def test_no_good_point_at_all() -> None:
    found = score_points(tensor([[50.0, 50]]), torch.zeros(1, 2), 1.0)
    assert (found.modes, found.high_quality, found.kl) == (0, 0, math.inf)


@pytest.mark.parametrize("data", [Ring8(count=50_000), Grid25(count=50_000)], ids=["ring8", "grid25"])
def test_the_data_itself_reaches_the_ideal(data: Ring8 | Grid25) -> None:
    """Within 3 deviations in the plane lie 1 - exp(-4.5) = 98.9 % of a Gaussian's points."""
    points = data.open(torch.device("cpu")).batch(torch.arange(50_000), torch.Generator()).image.flatten(1)
    found = score_points(points, data.centres, data.deviation)
    assert found.modes == len(data.centres)
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.002)
    assert found.kl < 1e-4
