"""Noise to image: one generator against one discriminator."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.auxiliary import Auxiliary
from ganctl.games.contest import refuse_unfit
from ganctl.games.game import Clock, Generative, Outcome, Turn, Wish
from ganctl.games.growth import Growth
from ganctl.games.painting import LatentInputs, paint, styled
from ganctl.games.prior import Prior
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.generator_penalties import Creation, GeneratorPenalty
from ganctl.losses.regularizers import Critique, Regularizer, full_precision
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Generator, StyleBased

REHEARSAL = 64  # pictures a rehearsal makes at once
COMFORTABLE = (8, 16)  # columns of a sheet


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
        auxiliaries: Sequence[Auxiliary] = (),
        generator_penalties: Sequence[GeneratorPenalty] = (),
        growth: Growth | None = None,
    ) -> None:
        super().__init__()
        refuse_mismatches(generator, discriminator, prior, adversarial, augment, penalties)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.adversarial, self.augment = adversarial, augment
        self.penalties, self.auxiliaries = tuple(penalties), tuple(auxiliaries)
        self.generator_penalties, self.growth = tuple(generator_penalties), growth or Growth()
        # so that a checkpoint holds heads and averages
        self.extras = nn.ModuleList((*penalties, *auxiliaries, *generator_penalties))
        for penalty in generator_penalties:
            penalty.accept(generator)
        self.growth.attach(generator, discriminator)
        for auxiliary in auxiliaries:
            auxiliary.attach(discriminator.feature_size, prior)

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("discriminator", (self.discriminator, *self.heads("discriminator")), self.discriminator_loss),
            Turn("generator", (self.generator, *self.heads("generator")), self.generator_loss),
        )

    def heads(self, turn: str) -> list[Auxiliary]:
        """The auxiliary heads that a turn trains."""
        return [auxiliary for auxiliary in self.auxiliaries if auxiliary.plays_with == turn]

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> LatentRound:
        noise = self.prior.draw(len(batch), device=batch.image.device)
        inputs = LatentInputs(noise, batch.label)
        with torch.set_grad_enabled("generator" in playing):
            fake = self.generator(inputs.noise, inputs.label)
        return LatentRound(self.growth.follow(batch.image), inputs, fake, clock)

    def discriminator_loss(self, round: LatentRound) -> Outcome:
        due = [penalty for penalty in self.penalties if penalty.due(round.clock.plays("discriminator"))]
        needs_gradient = any(penalty.needs_gradient for penalty in due)
        with full_precision(round.real.device) if needs_gradient else nullcontext():
            critique = self.critique(round, needs_gradient)
            self.augment.observe(critique.real_score.detach())
            terms = {"adversarial": self.adversarial.discriminator(critique.real_score, critique.fake_score)}
            terms |= {type(penalty).__name__: penalty(critique) for penalty in due}
            for auxiliary in self.auxiliaries:
                term = auxiliary.discriminator_term(critique, round.inputs.label, round.inputs.noise)
                terms[type(auxiliary).__name__] = term
        real, fake = critique.real_score.detach(), critique.fake_score.detach()
        watched = {"real": real.mean(), "fake": fake.mean(), "wins": (real > fake).float().mean()}
        return Outcome(terms, watched | self.augment.watched())

    def generator_loss(self, round: LatentRound) -> Outcome:
        label, noise = round.inputs.label, round.inputs.noise
        features = self.discriminator.features(self.augment(round.fake), label)
        fake_score, real_score = self.discriminator.score(features, label), None
        if self.adversarial.relativistic:
            with torch.no_grad():
                real_score = self.discriminator(self.augment(round.real), label)
        terms = {"adversarial": self.adversarial.generator(fake_score, real_score)}
        for auxiliary in self.auxiliaries:
            terms[type(auxiliary).__name__] = auxiliary.generator_term(features, label, noise)
        creation = Creation(self.generator, noise, label, round.clock.images_seen, round.clock.rounds)
        due = [penalty for penalty in self.generator_penalties if penalty.due(round.clock.plays("generator"))]
        return Outcome(terms | {type(penalty).__name__: penalty(creation) for penalty in due})

    def critique(self, round: LatentRound, needs_gradient: bool) -> Critique:
        """Both batches as the discriminator sees them; with gradients towards the pictures where a penalty asks."""
        real, fake = self.augment(round.real).detach(), self.augment(round.fake.detach())
        if needs_gradient:
            real, fake = real.float().requires_grad_(), fake.float().requires_grad_()
        label, critic = round.inputs.label, self.discriminator
        real_features, fake_features = critic.features(real, label), critic.features(fake, label)
        return Critique(
            network=critic,
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

    def sheet_columns(self) -> int | None:
        """One column a class, where that makes a sheet easy to look at."""
        classes = self.generator.classes
        return classes if COMFORTABLE[0] <= classes <= COMFORTABLE[1] else None

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)
        self.growth.advance(clock.images_seen)

    def batch_size(self, images_seen: int, batch_size: int) -> int:
        return self.growth.batch_size(images_seen, batch_size)

    def status(self) -> str:
        return self.growth.status()

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        if wish.text is not None:
            raise ValueError("text: this model was trained without captions; leave text out")
        draw = self.prior.draw if wish.code is None else partial(self.prior.sweep, wish.code)
        by_styles = isinstance(self.generator, StyleBased)  # then truncation narrows the styles, not the noise
        draw = partial(draw, generator=generator, truncation=None if by_styles else wish.truncation)
        inputs = LatentInputs(draw(wish.count), self.labels(wish))
        return styled(inputs, wish, self.generator, draw)

    def columns(self, wish: Wish) -> int | None:
        return None if wish.code is None else len(self.prior.code(wish.code).values())

    def labels(self, wish: Wish) -> Tensor | None:
        """The labels wished for, or the classes in turn; none where the generator is unconditional."""
        classes = self.generator.classes
        if not classes and wish.label is not None:
            raise ValueError("label: this model was trained without labels and cannot draw a class")
        if not classes or wish.label is not None:
            return wish.label
        return torch.arange(wish.count) % classes

    def paint(self, inputs: LatentInputs) -> Tensor:
        return self.growth.enlarge(paint(self.generator, inputs))

    def rehearse(self, generator: torch.Generator) -> None:
        device = next(self.generator.parameters()).device
        inputs = self.request(Wish(REHEARSAL), generator)
        self.paint(inputs.map(lambda value: value.to(device)))


def refuse_mismatches(
    generator: Generator,
    discriminator: Discriminator,
    prior: Prior,
    adversarial: AdversarialLoss,
    augment: Augment,
    penalties: Sequence[Regularizer],
) -> None:
    """Raise ValueError for parts that each are fine and together mean nothing."""
    if generator.noise_size != prior.size:
        raise ValueError(f"prior: draws {prior.size} numbers; the generator's noise_size is {generator.noise_size}")
    refuse_unfit(discriminator, adversarial, augment, penalties)
