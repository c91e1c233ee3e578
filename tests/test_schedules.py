"""Schedules against values derived by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganctl.schedules import Cosine, Linear, Schedule, Steps, value_at


@pytest.mark.parametrize(
    ("images_seen", "linear", "cosine"),
    [
        (0, 4.0, 4.0),
        (100, 4.0, 4.0),  # begins here
        (150, 3.5, 4 - 2 * (1 - math.cos(math.pi / 4)) / 2),  # a quarter of the way
        (200, 3.0, 3.0),  # half way, where both meet
        (300, 2.0, 2.0),
        (10**9, 2.0, 2.0),
    ],
)
def test_values(images_seen: int, linear: float, cosine: float) -> None:
    """From 4 at 100 images to 2 at 300."""
    assert Linear(4.0, 2.0, end_images=300, begin_images=100).at(images_seen) == pytest.approx(linear)
    assert Cosine(4.0, 2.0, end_images=300, begin_images=100).at(images_seen) == pytest.approx(cosine)


@given(st.integers(0, 10**7), st.floats(-10, 10), st.floats(-10, 10), st.sampled_from([Linear, Cosine]))
def test_never_leaves_its_ends(images_seen: int, start: float, end: float, kind: type[Linear]) -> None:
    value = kind(start, end, end_images=1e6).at(images_seen)
    assert min(start, end) - 1e-9 <= value <= max(start, end) + 1e-9


def test_steps() -> None:
    rates = Steps(1.0, {200: 3.0, 100: 2.0})
    assert [rates.at(images) for images in (0, 99, 100, 199, 200, 10**9)] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert Steps(1.0, {}).at(5) == 1.0
    with pytest.raises(ValueError, match="they begin at 0 images"):
        Steps(1.0, {-1: 2.0})


def test_plain_numbers_stand_still() -> None:
    assert value_at(0.3, 10**6) == 0.3


def test_value_at_asks_the_schedule() -> None:
    class Doubling(Schedule):
        def at(self, images_seen: int) -> float:
            return 2.0 * images_seen

    assert value_at(Doubling(), 21) == 42.0


def test_an_end_before_its_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="end_images: 10; must be more than begin_images"):
        Linear(1.0, 0.0, end_images=10, begin_images=10)
