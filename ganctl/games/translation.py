"""A picture to its pair: a generator drawn to the target, and against a discriminator."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Outcome, Turn
from ganctl.games.regression import PairedRound, RegressionGame
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.content import ContentLoss
from ganctl.losses.regularizers import Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Translator


class TranslationGame(RegressionGame):
    """Isola et al. 2017, eq. 4: G* = arg min max of the conditional adversarial loss + lambda L1.

    A discriminator with `source_channels` judges the pair, else the picture alone (their eq. 2; Ledig et al. 2017).
    `discriminator_weight` halves its loss, "which slows down the rate at which D learns" (their section 3.3);
    `adversarial_weight` is the share of the adversarial loss in the generator's turn (SRGAN: 0.001).
    """

    def __init__(
        self,
        generator: Translator,
        discriminator: Discriminator,
        adversarial: AdversarialLoss,
        augment: Augment,
        content: Sequence[ContentLoss],
        penalties: Sequence[Regularizer] = (),
        adversarial_weight: float = 1.0,
        discriminator_weight: float = 0.5,
    ) -> None:
        super().__init__(generator, content)
        self.contest = Contest(discriminator, adversarial, augment, penalties)
        self.discriminator, self.augment = discriminator, augment
        self.penalties = nn.ModuleList(penalties)  # so that a checkpoint holds their averages
        self.adversarial_weight, self.discriminator_weight = adversarial_weight, discriminator_weight

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("discriminator", (self.discriminator,), self.discriminator_loss), *super().turns())

    def discriminator_loss(self, round: PairedRound) -> Outcome:
        real, fake = self.judged(round.source, round.target), self.judged(round.source, round.output.detach())
        return self.contest.tell_apart(real, fake, round.clock, "discriminator", self.discriminator_weight)

    def generator_loss(self, round: PairedRound) -> Outcome:
        fake, real = self.judged(round.source, round.output), self.judged(round.source, round.target)
        adversarial = {"adversarial": self.adversarial_weight * self.contest.pass_off(fake, real)}
        return Outcome({**adversarial, **super().generator_loss(round).terms})

    def judged(self, source: Tensor, picture: Tensor) -> Tensor:
        """What the discriminator takes: the pair, source first, or the picture alone."""
        return torch.cat((source, picture), 1) if self.discriminator.source_channels else picture

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)
