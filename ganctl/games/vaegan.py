"""VAE-GAN: what the discriminator sees in a picture, not its pixels, tells how good a reconstruction is."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.autoencoding import refuse_certain_codes
from ganctl.games.coding import Coding
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Outcome, Turn
from ganctl.games.prior import Prior
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.likelihood import Gaussian, divergence
from ganctl.losses.regularizers import Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Encoder, Generator
from ganctl.schedules import Schedule, value_at


@dataclass(frozen=True)
class VAEGANRound:
    """What the three turns share. Fakes with a graph are made in the turn of their makers."""

    real: Tensor  # [B, C, H, W] in [-1, 1]
    fake: Tensor  # [B, C, H, W] for the discriminator: half of them reconstructions, half samples of the prior
    noise: Tensor  # [B, K] from the prior
    clock: Clock


class VAEGAN(Coding):
    """Larsen et al. 2016, algorithm 1: L = L_prior + L_llike + L_GAN, each network with the parts that concern it.

    L_llike (eq. 8) compares features of the discriminator, with unit variance; the paper's are of a middle layer, ours
    of the last. fidelity: gamma of the paper, the weight of L_llike against L_GAN in the decoder's turn.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Generator,
        discriminator: Discriminator,
        prior: Prior,
        adversarial: AdversarialLoss,
        augment: Augment,
        penalties: Sequence[Regularizer] = (),
        kl_weight: float | Schedule = 3.0,
        fidelity: float | Schedule = 0.001,
    ) -> None:
        super().__init__(encoder, decoder, prior)
        refuse_certain_codes(encoder, prior)
        self.contest = Contest(discriminator, adversarial, augment, penalties)
        self.discriminator, self.augment = discriminator, augment
        self.penalties = nn.ModuleList(penalties)  # so that a checkpoint holds what they remember
        self.kl_weight, self.fidelity = kl_weight, fidelity
        self.likelihood = Gaussian(deviation=1.0)

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("discriminator", (self.discriminator,), self.discriminator_loss),
            Turn("encoder", (self.encoder,), self.encoder_loss),
            Turn("decoder", (self.decoder,), self.decoder_loss),
        )

    @torch.no_grad()
    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> VAEGANRound:
        noise = self.prior.draw(len(batch), device=batch.image.device)
        half = len(batch) // 2
        code = torch.cat((self.encoder(batch.image[:half]).draw(), noise[half:]))
        return VAEGANRound(batch.image, self.decoder(code), noise, clock)

    def discriminator_loss(self, round: VAEGANRound) -> Outcome:
        """L_GAN: pictures against reconstructions and samples."""
        return self.contest.tell_apart(round.real, round.fake, round.clock, "discriminator")

    def encoder_loss(self, round: VAEGANRound) -> Outcome:
        """L_prior + L_llike."""
        encoding = self.encoder(round.real)
        features = self.feature_loss(self.decoder(encoding.draw()), round.real)
        kl = divergence(encoding)
        weight = value_at(self.kl_weight, round.clock.images_seen)
        return Outcome({"features": features, "kl": weight * kl}, {"nats": kl.detach()})

    def decoder_loss(self, round: VAEGANRound) -> Outcome:
        """gamma L_llike - L_GAN, on reconstructions of codes as the encoder now gives them, and on samples."""
        with torch.no_grad():
            code = self.encoder(round.real).draw()
        reconstruction, sample = self.decoder(code), self.decoder(round.noise)
        weight = value_at(self.fidelity, round.clock.images_seen)
        features = weight * self.feature_loss(reconstruction, round.real)
        fakes, reals = torch.cat((reconstruction, sample)), torch.cat((round.real, round.real))
        return Outcome({"features": features, "adversarial": self.contest.pass_off(fakes, reals)})

    def feature_loss(self, reconstruction: Tensor, real: Tensor) -> Tensor:
        """L_llike: how unlikely the discriminator's features of the real picture are, in nats: scalar."""
        with torch.no_grad():
            wanted = self.discriminator.features(real)
        return self.likelihood(self.discriminator.features(reconstruction), wanted)

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)
