"""Noise to image: one generator against one discriminator."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Images, Tensors
from ganctl.games.game import Clock, Generative, Outcome, Turn, Wish
from ganctl.games.prior import Prior
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Critique, Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Generator

REHEARSAL = 64  # pictures a rehearsal makes at once


@dataclass(frozen=True)
class LatentInputs(Tensors):
    """What one picture is made of."""

    noise: Tensor  # [B, noise_size]
    label: Tensor | None = None  # [B] class or [B, K] attributes


@dataclass(frozen=True)
class LatentRound:
    """What the two turns share."""

    real: Tensor  # [B, C, H, W] in [-1, 1]
    inputs: LatentInputs
    fake: Tensor  # [B, C, H, W] in [-1, 1]; has a graph only if the generator plays this round
    clock: Clock


class LatentGame(Generative):
    """Goodfellow et al. 2014, algorithm 1: the discriminator learns to tell, then the generator to pass."""

    def __init__(
        self,
        generator: Generator,
        discriminator: Discriminator,
        prior: Prior,
        adversarial: AdversarialLoss,
        augment: Augment,
        penalties: Sequence[Regularizer] = (),
    ) -> None:
        super().__init__()
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.adversarial, self.augment, self.penalties = adversarial, augment, list(penalties)

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("discriminator", (self.discriminator,), self.discriminator_loss),
            Turn("generator", (self.generator,), self.generator_loss),
        )

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> LatentRound:
        noise = self.prior.draw(len(batch), device=batch.image.device)
        inputs = LatentInputs(noise, batch.label)
        with torch.set_grad_enabled("generator" in playing):
            fake = self.generator(inputs.noise, inputs.label)
        return LatentRound(batch.image, inputs, fake, clock)

    def discriminator_loss(self, round: LatentRound) -> Outcome:
        due = [penalty for penalty in self.penalties if penalty.due(round.clock.rounds)]
        needs_gradient = any(penalty.needs_gradient for penalty in due)
        with full_precision(round.real.device) if needs_gradient else nullcontext():
            critique = self.critique(round, needs_gradient)
            self.augment.observe(critique.real_score.detach())
            terms = {"adversarial": self.adversarial.discriminator(critique.real_score, critique.fake_score)}
            terms |= {type(penalty).__name__: penalty(critique) for penalty in due}
        real, fake = critique.real_score.detach(), critique.fake_score.detach()
        return Outcome(terms, {"real": real.mean(), "fake": fake.mean(), "wins": (real > fake).float().mean()})

    def generator_loss(self, round: LatentRound) -> Outcome:
        fake_score = self.judge(round.fake, round.inputs.label)
        real_score = None
        if self.adversarial.relativistic:
            with torch.no_grad():
                real_score = self.judge(round.real, round.inputs.label)
        return Outcome({"adversarial": self.adversarial.generator(fake_score, real_score)})

    def judge(self, image: Tensor, label: Tensor | None) -> Tensor:
        """The discriminator's score of augmented pictures."""
        return self.discriminator(self.augment(image), label)

    def critique(self, round: LatentRound, needs_gradient: bool) -> Critique:
        """Both batches as the discriminator sees them; with gradients towards the pictures where a penalty asks."""
        real, fake = self.augment(round.real).detach(), self.augment(round.fake.detach())
        if needs_gradient:
            real, fake = real.float().requires_grad_(), fake.float().requires_grad_()
        label, critic = round.inputs.label, self.discriminator
        real_features, fake_features = critic.features(real, label), critic.features(fake, label)
        return Critique(
            critic=lambda image: critic(image, label),
            real=real,
            fake=fake,
            real_score=critic.score(real_features, label),
            fake_score=critic.score(fake_features, label),
            real_features=real_features,
            fake_features=fake_features,
            images_seen=round.clock.images_seen,
            rounds=round.clock.rounds,
        )

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        noise = self.prior.draw(wish.count, generator=generator, truncation=wish.truncation)
        return LatentInputs(noise, self.labels(wish))

    def labels(self, wish: Wish) -> Tensor | None:
        """The labels wished for, or the classes in turn; none where the generator is unconditional."""
        classes = self.generator.classes
        if not classes and wish.label is not None:
            raise ValueError("label: this model was trained without labels and cannot draw a class")
        if not classes or wish.label is not None:
            return wish.label
        return torch.arange(wish.count) % classes

    def paint(self, inputs: LatentInputs) -> Tensor:
        return self.generator(inputs.noise, inputs.label).float()

    def rehearse(self, generator: torch.Generator) -> None:
        device = next(self.generator.parameters()).device
        inputs = self.request(Wish(REHEARSAL), generator)
        self.paint(inputs.map(lambda value: value.to(device)))


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """fp32 inside an autocast region: penalties differentiate twice, where bf16 has too few digits."""
    return torch.autocast(device.type, enabled=False)
