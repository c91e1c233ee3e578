"""Penalties on a discriminator, read from one critique. Weights may change with images seen."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganctl.precision import full_precision
from ganctl.schedules import Schedule, value_at


@dataclass(frozen=True)
class Critique:
    """What the discriminator saw and said in one turn."""

    network: nn.Module  # the discriminator, for penalties on its weights
    critic: Callable[[Tensor], Tensor]  # image [B, C, H, W] -> scores, with this batch's labels, not augmented again
    real: Tensor  # [B, C, H, W] in [-1, 1]; requires grad where a penalty needs it
    fake: Tensor  # [B, C, H, W] in [-1, 1]; requires grad where a penalty needs it
    real_score: Tensor  # [B] or [B, h, w]
    fake_score: Tensor  # [B] or [B, h, w]
    real_features: Tensor
    fake_features: Tensor
    images_seen: int
    rounds: int


class Penalty(nn.Module, ABC):
    """A term with a weight, played in every `every`-th turn and then counted `every` times (lazy regularisation).

    The interval is derived from the saved number of rounds, so that a resumed run plays it in the same turns.
    A module, so that what a penalty must remember lies in buffers and in the checkpoint.
    """

    def __init__(self, weight: float | Schedule, every: int = 1) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every: {every}; must be 1 or more")
        self.weight, self.every = weight, every

    def due(self, plays: int) -> bool:
        """Whether it counts in a turn that was played `plays` times before."""
        return plays % self.every == 0

    def forward(self, seen: Any) -> Tensor:
        """seen: a `Critique`, or for the generator a `Creation` -> scalar, weighted; call only when due."""
        return value_at(self.weight, seen.images_seen) * self.every * self.penalty(seen)

    @abstractmethod
    def penalty(self, seen: Any) -> Tensor:
        """Scalar, unweighted."""


class Regularizer(Penalty):
    """A penalty on the discriminator, in its turn."""

    needs_gradient: bool = False  # of the scores with respect to `real` and `fake`; then the turn runs in fp32
    alone: bool = False  # means something only where the discriminator judges each picture alone: no batch norm


def input_gradient(score: Tensor, image: Tensor) -> Tensor:
    """Gradient of each image's summed score, [B, C*H*W], itself differentiable."""
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    return gradient.flatten(1)


class R1(Regularizer):
    """Mescheder et al. 2018, eq. 9: E over reals of |grad D|^2 / 2."""

    needs_gradient = alone = True

    def penalty(self, critique: Critique) -> Tensor:
        return input_gradient(critique.real_score, critique.real).square().sum(1).mean() / 2


class R2(Regularizer):
    """Mescheder et al. 2018, eq. 10: the same over fakes."""

    needs_gradient = alone = True

    def penalty(self, critique: Critique) -> Tensor:
        return input_gradient(critique.fake_score, critique.fake).square().sum(1).mean() / 2


class GradientPenalty(Regularizer):
    """Gulrajani et al. 2017, eq. 3: E of (|grad D(x)| - 1)^2, x drawn on the lines between reals and fakes.

    `target`: the norm asked for; other than 1, the penalty is divided by target^2 (Karras et al. 2018 take 750 on
    CIFAR-10).
    """

    alone = True

    def __init__(self, weight: float | Schedule = 10.0, every: int = 1, target: float = 1.0) -> None:
        super().__init__(weight, every)
        if target <= 0:
            raise ValueError(f"target: {target}; must be more than 0")
        self.target = target

    def penalty(self, critique: Critique) -> Tensor:
        with full_precision(critique.real.device):
            real, fake = critique.real.detach().float(), critique.fake.detach().float()
            share = torch.rand(len(real), 1, 1, 1, device=real.device)
            between = torch.lerp(fake, real, share).requires_grad_()  # [B, C, H, W]
            norm = torch.linalg.vector_norm(input_gradient(critique.critic(between), between), dim=1)  # [B]
            return (norm / self.target - 1).square().mean()


class Drift(Regularizer):
    """Karras et al. 2018, appendix A.1: E of D(real)^2, so that a Wasserstein critic stays near zero."""

    def __init__(self, weight: float | Schedule = 0.001, every: int = 1) -> None:
        super().__init__(weight, every)

    def penalty(self, critique: Critique) -> Tensor:
        return critique.real_score.float().square().mean()


class Consistency(Regularizer):
    """CR, Zhang et al. 2020, eq. 4: E of (D(x) - D(T(x)))^2 over reals; T flips and shifts.

    `shift`: largest shift as a share of the side (the paper's 4 pixels of 32 are 1/8). `flip`: False where a mirrored
    picture is another picture, e.g. digits.
    """

    def __init__(
        self, weight: float | Schedule = 10.0, every: int = 1, shift: float = 0.125, flip: bool = True
    ) -> None:
        super().__init__(weight, every)
        if not 0 <= shift < 1:
            raise ValueError(f"shift: {shift}; must lie in [0, 1)")
        self.shift, self.flip = shift, flip

    def penalty(self, critique: Critique) -> Tensor:
        return self.change(critique, critique.real, critique.real_score)

    def change(self, critique: Critique, image: Tensor, score: Tensor) -> Tensor:
        """Mean squared change of each picture's mean score."""
        moved = shifted(image.detach(), self.shift)
        moved = mirrored(moved) if self.flip else moved
        return (mean_score(score) - mean_score(critique.critic(moved))).square().mean()


class BalancedConsistency(Consistency):
    """bCR, Zhao et al. 2021, algorithm 1: the same over fakes too; `fakes` is their weight relative to the reals'."""

    def __init__(
        self,
        weight: float | Schedule = 10.0,
        every: int = 1,
        shift: float = 0.125,
        flip: bool = True,
        fakes: float = 1.0,
    ) -> None:
        super().__init__(weight, every, shift, flip)
        self.fakes = fakes

    def penalty(self, critique: Critique) -> Tensor:
        of_fakes = self.change(critique, critique.fake, critique.fake_score)
        return super().penalty(critique) + self.fakes * of_fakes


def mean_score(score: Tensor) -> Tensor:
    """[B] or [B, h, w] -> [B]; where a patch's score moves with the picture, its place is not held against it."""
    return score.float().flatten(1).mean(1) if score.ndim > 1 else score.float()


def shifted(image: Tensor, largest: float) -> Tensor:
    """Each picture moved by whole pixels, at most `largest` of each side, with its mirrored border: [B, C, H, W]."""
    rows = moved_index(image, size=image.shape[2], largest=largest)[:, None, :, None]
    columns = moved_index(image, size=image.shape[3], largest=largest)[:, None, None, :]
    batch = torch.arange(len(image), device=image.device)[:, None, None, None]
    channel = torch.arange(image.shape[1], device=image.device)[None, :, None, None]
    return image[batch, channel, rows, columns]


def moved_index(image: Tensor, *, size: int, largest: float) -> Tensor:
    """For each picture the source of every place along one side, [B, size]; beyond the border it runs back."""
    reach = int(size * largest)
    offset = torch.randint(-reach, reach + 1, (len(image), 1), device=image.device)
    place = (torch.arange(size, device=image.device) + offset).abs()
    return torch.where(place >= size, 2 * (size - 1) - place, place)


def mirrored(image: Tensor) -> Tensor:
    """Each picture left-right flipped with probability 1/2."""
    coin = torch.rand(len(image), 1, 1, 1, device=image.device) < 0.5
    return torch.where(coin, image.flip(3), image)


class LeCam(Regularizer):
    """Tseng et al. 2021, section 3.2: scores are drawn to the moving average of the other side's scores.

    E over reals of (D(x) - average fake score)^2 + E over fakes of (D(x) - average real score)^2, from round `start`
    on; before it the averages follow the latest batch.
    """

    real_average: Tensor
    fake_average: Tensor

    def __init__(self, weight: float | Schedule = 0.3, every: int = 1, start: int = 1000, decay: float = 0.99) -> None:
        super().__init__(weight, every)
        if not 0 <= decay < 1:
            raise ValueError(f"decay: {decay}; must lie in [0, 1)")
        self.start, self.decay = start, decay
        self.register_buffer("real_average", torch.zeros(()))
        self.register_buffer("fake_average", torch.zeros(()))

    def penalty(self, critique: Critique) -> Tensor:
        self.follow(critique)
        if critique.rounds < self.start:
            return torch.zeros_like(self.real_average)
        towards_fake = (critique.real_score.float() - self.fake_average).square().mean()
        return towards_fake + (critique.fake_score.float() - self.real_average).square().mean()

    @torch.no_grad()
    def follow(self, critique: Critique) -> None:
        """Move the averages by this critique."""
        share = 1 - self.decay if critique.rounds >= self.start else 1.0
        self.real_average.lerp_(critique.real_score.float().mean(), share)
        self.fake_average.lerp_(critique.fake_score.float().mean(), share)
