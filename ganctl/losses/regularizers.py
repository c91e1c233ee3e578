"""Penalties on a discriminator, read from one critique. Weights may change with images seen."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.schedules import Schedule, value_at


@dataclass(frozen=True)
class Critique:
    """What the discriminator saw and said in one turn."""

    critic: Callable[[Tensor], Tensor]  # image [B, C, H, W] -> scores, with this batch's labels
    real: Tensor  # [B, C, H, W], augmented; requires grad where a penalty needs it
    fake: Tensor  # [B, C, H, W], augmented; requires grad where a penalty needs it
    real_score: Tensor  # [B] or [B, h, w]
    fake_score: Tensor  # [B] or [B, h, w]
    real_features: Tensor
    fake_features: Tensor
    images_seen: int
    rounds: int


class Regularizer(ABC):
    """A penalty with a weight, played every `every` rounds and then counted `every` times (lazy regularisation).

    The interval is derived from the saved number of rounds, so that a resumed run plays it in the same rounds.
    """

    needs_gradient: bool = False  # of the scores with respect to `real` and `fake`; then the turn runs in fp32

    def __init__(self, weight: float | Schedule, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every: {every}; must be 1 or more")
        self.weight, self.every = weight, every

    def due(self, rounds: int) -> bool:
        return rounds % self.every == 0

    def __call__(self, critique: Critique) -> Tensor:
        """Scalar, weighted; call only when due."""
        return value_at(self.weight, critique.images_seen) * self.every * self.penalty(critique)

    @abstractmethod
    def penalty(self, critique: Critique) -> Tensor:
        """Scalar, unweighted."""


def input_gradient(score: Tensor, image: Tensor) -> Tensor:
    """Gradient of each image's summed score, [B, C*H*W], itself differentiable."""
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    return gradient.flatten(1)


class R1(Regularizer):
    """Mescheder et al. 2018, eq. 9: E over reals of |grad D|^2 / 2."""

    needs_gradient = True

    def penalty(self, critique: Critique) -> Tensor:
        return input_gradient(critique.real_score, critique.real).square().sum(1).mean() / 2


class R2(Regularizer):
    """Mescheder et al. 2018, eq. 10: the same over fakes."""

    needs_gradient = True

    def penalty(self, critique: Critique) -> Tensor:
        return input_gradient(critique.fake_score, critique.fake).square().sum(1).mean() / 2
