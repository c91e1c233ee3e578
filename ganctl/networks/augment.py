"""Augmentation of what the discriminator sees, so that few pictures go further without the generator copying it."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Augment(nn.Module, ABC):
    """One random policy for real and fake alike, differentiable, so that the generator learns through it.

    A game calls `advance` at the start of a round, passes every image through it on the way to the discriminator (in
    the generator's turn too), and reports the scores of the reals once in the discriminator's turn. Penalties are
    taken at the changed image (detach it, then require its gradient): grid_sample has no second derivative.
    Strength and counts are buffers, random draws come from torch's global generators: exact resume restores both.
    """

    @abstractmethod
    def forward(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> [B, C, H, W]; colour changes may leave [-1, 1]."""

    def observe(self, real_score: Tensor) -> None:
        """real_score [B] or [B, h, w]: logits of the augmented reals; adaptive augmentation listens."""

    def advance(self, images_seen: int) -> None:
        """Where training stands; adaptive augmentation changes its strength."""


class NoAugment(Augment):
    """The discriminator sees the image as it is."""

    def forward(self, image: Tensor) -> Tensor:
        return image
