"""Augmentation of what the discriminator sees, so that few pictures go further without the generator copying it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn


class Augment(nn.Module, ABC):
    """One random policy for real and fake alike, differentiable, so that the generator learns through it.

    A game calls `advance` at the start of a round, passes every image through it on the way to the discriminator (in
    the generator's turn too), and reports the scores of the reals once in the discriminator's turn. Penalties are
    taken at the changed image (detach it, then require its gradient): grid_sample has no second derivative.
    Strength and counts are buffers, random draws come from torch's global generators: exact resume restores both.
    """

    reads_sign: bool = False  # `observe` takes the sign of a score for the discriminator's verdict

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> [B, C, H, W]; colour changes may leave [-1, 1]."""

    def observe(self, real_score: Tensor) -> None:
        """real_score [B] or [B, h, w]: logits of the augmented reals; adaptive augmentation listens."""

    def advance(self, images_seen: int) -> None:
        """Where training stands; adaptive augmentation changes its strength."""

    def watched(self) -> dict[str, Tensor]:
        """Scalars worth a curve, by name."""
        return {}


class NoAugment(Augment):
    """The discriminator sees the image as it is."""

    def forward(self, image: Tensor) -> Tensor:
        return image


Change = Literal["colour", "translation", "cutout"]


class DiffAugment(Augment):
    """Zhao et al. 2020, section 3.2: every picture is changed every time, by each change of the policy in turn.

    Strengths are those of section 4: brightness +-0.5, saturation 0 to 2, contrast 0.5 to 1.5; moved by up to 1/8 of
    each side, with grey (0) where nothing is left; one grey rectangle of half of each side. Saturation needs RGB.
    """

    def __init__(self, policy: Sequence[Change] = ("colour", "translation", "cutout")) -> None:
        super().__init__()
        unknown = [name for name in policy if name not in CHANGES]
        if unknown:
            raise ValueError(f"policy: {', '.join(unknown)}; known are {', '.join(CHANGES)}")
        self.changes = tuple(change for name in policy for change in CHANGES[name])

    def forward(self, image: Tensor) -> Tensor:
        for change in self.changes:
            image = change(image)
        return image


def one_each(image: Tensor, low: float, high: float) -> Tensor:
    """A number in [low, high) for each picture, [B, 1, 1, 1]."""
    return torch.empty(len(image), 1, 1, 1, device=image.device, dtype=image.dtype).uniform_(low, high)


def brightness(image: Tensor) -> Tensor:
    """All values raised or lowered alike."""
    return image + one_each(image, -0.5, 0.5)


def saturation(image: Tensor) -> Tensor:
    """Each pixel away from or towards its own grey; RGB only, others pass unchanged."""
    if image.shape[1] != 3:
        return image
    grey = image.mean(1, keepdim=True)
    return torch.lerp(grey.expand_as(image), image, one_each(image, 0.0, 2.0))


def contrast(image: Tensor) -> Tensor:
    """All values away from or towards the picture's mean."""
    middle = image.mean((1, 2, 3), keepdim=True)
    return torch.lerp(middle.expand_as(image), image, one_each(image, 0.5, 1.5))


def translation(image: Tensor, largest: float = 0.125) -> Tensor:
    """Whole pixels, at most `largest` of each side."""
    for side in (2, 3):
        image = moved(image, side, round(image.shape[side] * largest))
    return image


def moved(image: Tensor, side: int, reach: int) -> Tensor:
    """Each picture moved along one side by its own distance in [-reach, reach]; what comes in is 0."""
    size = image.shape[side]
    offset = torch.randint(-reach, reach + 1, (len(image), 1), device=image.device)
    source = torch.arange(size, device=image.device) + offset  # [B, size]
    inside = (source >= 0) & (source < size)
    shape = [len(image), 1, 1, 1]
    shape[side] = size
    taken = image.gather(side, source.clamp(0, size - 1).view(shape).expand_as(image))
    return taken * inside.view(shape)


def cutout(image: Tensor, share: float = 0.5) -> Tensor:
    """A rectangle of `share` of each side becomes 0; its middle lies anywhere in the picture."""
    height, width = image.shape[2:]
    rows = covered(image, height, share).view(-1, 1, height, 1)
    columns = covered(image, width, share).view(-1, 1, 1, width)
    return image * ~(rows & columns)


def covered(image: Tensor, size: int, share: float) -> Tensor:
    """For each picture the places along one side that the rectangle covers, [B, size]."""
    length = round(size * share)
    start = torch.randint(0, size + 1 - length % 2, (len(image), 1), device=image.device) - length // 2
    place = torch.arange(size, device=image.device)
    return (place >= start) & (place < start + length)


CHANGES: dict[str, tuple[Callable[[Tensor], Tensor], ...]] = {
    "colour": (brightness, saturation, contrast),
    "translation": (translation,),
    "cutout": (cutout,),
}
