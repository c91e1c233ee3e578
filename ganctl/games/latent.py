"""Noise to image: one generator against one discriminator."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.auxiliary import Auxiliary
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Generative, Outcome, Turn, Wish
from ganctl.games.growth import Growth
from ganctl.games.painting import LatentInputs, paint, styled
from ganctl.games.prior import Prior
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.generator_penalties import Creation, GeneratorPenalty
from ganctl.losses.regularizers import Critique, Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Generator, StyleBased

COMFORTABLE = (8, 16)  # columns of a sheet
REMEMBERED = 64  # combinations of attributes


@dataclass(frozen=True)
class LatentRound:
    """What the two turns share."""

    real: Tensor  # [B, C, H, W] in [-1, 1]
    inputs: LatentInputs
    fake: Tensor  # [B, C, H, W] in [-1, 1]; has a graph only if the generator plays this round
    clock: Clock


class LatentGame(Generative):
    """Goodfellow et al. 2014, algorithm 1: the discriminator learns to tell, then the generator to pass."""

    remembered: Tensor  # [REMEMBERED, classes]: attributes of pictures that were seen, -1 before the first

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
        if generator.noise_size != prior.size:
            raise ValueError(f"prior: draws {prior.size} numbers; the generator's noise_size is {generator.noise_size}")
        self.contest = Contest(discriminator, adversarial, augment, penalties)
        self.generator, self.discriminator, self.prior = generator, discriminator, prior
        self.augment, self.auxiliaries = augment, tuple(auxiliaries)
        self.generator_penalties, self.growth = tuple(generator_penalties), growth or Growth()
        # so that a checkpoint holds heads and averages
        self.extras = nn.ModuleList((*penalties, *auxiliaries, *generator_penalties))
        for penalty in generator_penalties:
            penalty.accept(generator)
        self.growth.attach(generator, discriminator)
        if generator.classes:
            self.register_buffer("remembered", torch.full((REMEMBERED, generator.classes), -1.0))
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
        self.remember(batch.label)
        with torch.set_grad_enabled("generator" in playing):
            fake = self.generator(inputs.noise, inputs.label)
        return LatentRound(self.growth.follow(batch.image), inputs, fake, clock)

    def remember(self, label: Tensor | None) -> None:
        """Keep combinations of attributes that occur; of classes every one does."""
        if label is not None and label.is_floating_point() and self.generator.classes:
            kept = label[:REMEMBERED]
            self.remembered[: len(kept)] = kept

    def discriminator_loss(self, round: LatentRound) -> Outcome:
        label, noise = round.inputs.label, round.inputs.noise

        def named(critique: Critique) -> dict[str, Tensor]:
            return {type(head).__name__: head.discriminator_term(critique, label, noise) for head in self.auxiliaries}

        return self.contest.tell_apart(round.real, round.fake, round.clock, "discriminator", heads=named, label=label)

    def generator_loss(self, round: LatentRound) -> Outcome:
        label, noise = round.inputs.label, round.inputs.noise
        features = self.discriminator.features(self.augment(round.fake), label)
        passed = self.contest.lowered(self.discriminator.score(features, label), round.real, label)
        terms = {"adversarial": passed}
        for auxiliary in self.auxiliaries:
            terms[type(auxiliary).__name__] = auxiliary.generator_term(features, label, noise)
        creation = Creation(self.generator, noise, label, round.clock.images_seen)
        due = [penalty for penalty in self.generator_penalties if penalty.due(round.clock.plays("generator"))]
        return Outcome(terms | {type(penalty).__name__: penalty(creation) for penalty in due})

    def notices(self, images: int) -> list[str]:
        notice = self.growth.notice(images)
        return [notice] if notice else []

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

    def batch_sizes(self, batch_size: int) -> frozenset[int]:
        return self.growth.all_batch_sizes(batch_size)

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
        """The labels wished for; else classes in turn, or attributes as they occur; none where there are no labels."""
        classes = self.generator.classes
        if not classes and wish.label is not None:
            raise ValueError("label: this model was trained without labels and cannot draw a class")
        if not classes or wish.label is not None:
            return wish.label
        known = self.remembered[self.remembered.min(1).values >= 0].cpu()
        return known[torch.arange(wish.count) % len(known)] if len(known) else torch.arange(wish.count) % classes

    def paint(self, inputs: LatentInputs) -> Tensor:
        return self.growth.enlarge(paint(self.generator, inputs))
