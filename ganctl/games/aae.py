"""Adversarial autoencoder: reconstruct, while a discriminator of codes draws them to the prior."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.coding import Coding
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Outcome, Turn
from ganctl.games.prior import Prior
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.likelihood import Likelihood
from ganctl.losses.regularizers import Consistency, Regularizer
from ganctl.networks.augment import NoAugment
from ganctl.networks.interfaces import CodeDiscriminator, Encoder, Generator


@dataclass(frozen=True)
class AAERound:
    """What the three turns share. Codes are not: each turn needs those of the encoder as it then is."""

    image: Tensor  # [B, C, H, W] in [-1, 1]
    noise: Tensor  # [B, K, 1, 1] from the prior: what codes should look like
    clock: Clock


class AAE(Coding):
    """Makhzani et al. 2016, section 2: a reconstruction phase, then a regularisation phase of two turns.

    Where a VAE's codes are drawn to the prior by a formula, any prior that can be drawn from will do here.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Generator,
        discriminator: CodeDiscriminator,
        prior: Prior,
        likelihood: Likelihood,
        adversarial: AdversarialLoss,
        penalties: Sequence[Regularizer] = (),
    ) -> None:
        super().__init__(encoder, decoder, prior)
        refuse_strange_critics(discriminator, encoder, penalties)
        self.contest = Contest(discriminator, adversarial, NoAugment(), penalties)
        self.discriminator, self.likelihood = discriminator, likelihood
        self.penalties = nn.ModuleList(penalties)  # so that a checkpoint holds what they remember

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("reconstruction", (self.encoder, self.decoder), self.reconstruction_loss),
            Turn("discriminator", (self.discriminator,), self.discriminator_loss),
            Turn("encoder", (self.encoder,), self.encoder_loss),
        )

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> AAERound:
        noise = self.prior.draw(len(batch), device=batch.image.device)
        return AAERound(batch.image, noise[:, :, None, None], clock)

    def reconstruction_loss(self, round: AAERound) -> Outcome:
        reconstruction = self.decoder(self.encoder(round.image).draw())
        return Outcome({"reconstruction": self.likelihood(reconstruction, round.image)})

    def discriminator_loss(self, round: AAERound) -> Outcome:
        with torch.no_grad():
            code = self.code_picture(round.image)
        return self.contest.tell_apart(round.noise, code, round.clock, "discriminator")

    def encoder_loss(self, round: AAERound) -> Outcome:
        return Outcome({"adversarial": self.contest.pass_off(self.code_picture(round.image), round.noise)})

    def code_picture(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] -> codes as the discriminator takes them, [B, K, 1, 1]."""
        return self.encoder(image).draw()[:, :, None, None]


def refuse_strange_critics(critic: CodeDiscriminator, encoder: Encoder, penalties: Sequence[Regularizer]) -> None:
    """Raise ValueError for a discriminator of other codes, and for penalties that mean nothing on codes."""
    if critic.code_size != encoder.code_size:
        raise ValueError(
            f"discriminator: takes codes of {critic.code_size} numbers; the encoder gives {encoder.code_size}"
        )
    moving = [type(penalty).__name__ for penalty in penalties if isinstance(penalty, Consistency)]
    if moving:
        raise ValueError(f"penalties: {moving[0]} moves pictures, and a code cannot be moved; choose another loss")
