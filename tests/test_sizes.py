"""Stages for any size: exact lists, and words where none works."""

import pytest
from torch import nn

from ganctl.networks.sizes import doubling_kernel, halvings


@pytest.mark.parametrize(
    ("size", "stages"),
    [
        ((28, 28), [(28, 28), (14, 14), (7, 7), (4, 4)]),
        ((32, 32), [(32, 32), (16, 16), (8, 8), (4, 4)]),
        ((100, 100), [(100, 100), (50, 50), (25, 25), (13, 13), (7, 7), (4, 4)]),
        ((96, 32), [(96, 32), (48, 16), (24, 8), (12, 4)]),
        ((8, 8), [(8, 8), (4, 4)]),
    ],
)
def test_halves_rounding_up_to_four(size, stages):
    assert halvings(*size) == stages


def test_too_small_names_the_nearest_size():
    with pytest.raises(ValueError, match="the nearest size is 7x40"):
        halvings(5, 40)


@pytest.mark.parametrize("large", range(7, 40))
def test_kernel_leads_there_and_back(large):
    small = (large + 1) // 2
    kernel = doubling_kernel((small, small), (large, large))
    import torch

    picture = torch.zeros(1, 1, large, large)
    down = nn.Conv2d(1, 1, kernel, 2, 1)(picture)
    assert down.shape[2:] == (small, small)
    assert nn.ConvTranspose2d(1, 1, kernel, 2, 1)(down).shape[2:] == (large, large)
