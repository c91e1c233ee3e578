"""Numbers that change with images seen: learning rates, penalty weights, the moving average."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping


class Schedule(ABC):
    """A pure function of images seen, so that a resumed run continues it exactly."""

    @abstractmethod
    def at(self, images_seen: int) -> float:
        """The value after `images_seen` real images."""


class Linear(Schedule):
    """`start` until `begin_images`, then a straight line to `end` at `end_images`, then `end`."""

    def __init__(self, start: float, end: float, end_images: float, begin_images: float = 0) -> None:
        if end_images <= begin_images:
            raise ValueError(f"end_images: {end_images}; must be more than begin_images ({begin_images})")
        self.start, self.end, self.begin_images, self.end_images = start, end, begin_images, end_images

    def at(self, images_seen: int) -> float:
        return self.start + (self.end - self.start) * self.progress(images_seen)

    def progress(self, images_seen: int) -> float:
        """How far along, 0 to 1."""
        return min(max((images_seen - self.begin_images) / (self.end_images - self.begin_images), 0.0), 1.0)


class Decay(Linear):
    """`start` for the share `hold` of a training of `images`, then a straight line to `end` at its end.

    In YAML `images: ${images}`, so that the line ends with the training, however long it is.
    """

    def __init__(self, start: float, images: float, hold: float = 0.5, end: float = 0.0) -> None:
        if not 0 <= hold < 1:
            raise ValueError(f"hold: {hold}; must be a share of the training, 0 or more and less than 1")
        if images <= 0:
            raise ValueError(f"images: {images}; must be more than 0")
        super().__init__(start, end, end_images=images, begin_images=hold * images)


class Cosine(Linear):
    """As `Linear`, along half a cosine."""

    def progress(self, images_seen: int) -> float:
        return (1 - math.cos(math.pi * super().progress(images_seen))) / 2


class Steps(Schedule):
    """`start`, then each of `steps` (images seen -> value) from there on."""

    def __init__(self, start: float, steps: Mapping[int, float]) -> None:
        if min(steps, default=0) < 0:
            raise ValueError(f"steps: {dict(steps)}; they begin at 0 images or more")
        self.start, self.steps = start, dict(sorted(steps.items()))

    def at(self, images_seen: int) -> float:
        reached = [value for images, value in self.steps.items() if images <= images_seen]
        return reached[-1] if reached else self.start


def value_at(value: float | Schedule, images_seen: int) -> float:
    """A number as it stands after `images_seen` images."""
    return value.at(images_seen) if isinstance(value, Schedule) else value
