"""Image to code and back: the plain autoencoder and the variational one, one turn each."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Images
from ganctl.games.coding import Coding
from ganctl.games.game import Clock, Outcome, Turn
from ganctl.games.prior import Gaussian, Prior
from ganctl.losses.likelihood import Likelihood, divergence
from ganctl.networks.interfaces import Encoder, Generator
from ganctl.precision import full_precision
from ganctl.schedules import Schedule, value_at

MEMORY = 10_000  # latest codes that the plain autoencoder's prior is fitted to, about


class Autoencoder(Coding):
    """Rumelhart et al. 1986: reconstruct the picture from a short code, and nothing else.

    Nothing draws its codes to a prior. So that it can be sampled all the same, a Gaussian is fitted to the codes seen
    (Ghosh et al. 2020, section 4: ex-post density estimation); training is not touched by it.
    """

    code_mean: Tensor  # buffer [K]
    code_square: Tensor  # buffer [K, K], mean of the outer products
    codes_seen: Tensor  # buffer, scalar, at most MEMORY

    def __init__(self, encoder: Encoder, decoder: Generator, prior: Prior, likelihood: Likelihood) -> None:
        super().__init__(encoder, decoder, prior)
        refuse_other_priors(prior)
        self.likelihood = likelihood
        self.register_buffer("code_mean", torch.zeros(prior.size))
        self.register_buffer("code_square", torch.eye(prior.size))
        self.register_buffer("codes_seen", torch.zeros(()))

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("autoencoder", (self.encoder, self.decoder), self.loss),)

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> Images:
        return batch

    def loss(self, round: Images) -> Outcome:
        code = self.encoder(round.image).draw()
        self.fit(code.detach().float())
        return Outcome({"reconstruction": self.likelihood(self.decoder(code), round.image)})

    @torch.no_grad()
    def fit(self, code: Tensor) -> None:
        """Draw the fitted Gaussian towards a batch of codes [B, K]; at first all codes count alike."""
        self.codes_seen.add_(len(code)).clamp_(max=max(MEMORY, len(code)))
        share = len(code) / self.codes_seen
        with full_precision(code.device):
            self.code_mean.lerp_(code.mean(0), share)
            self.code_square.lerp_(code.T @ code / len(code), share)

    def code_of(self, noise: Tensor) -> Tensor:
        """noise [B, K], standard normal -> codes of the fitted mean and covariance."""
        mean, square = self.code_mean.cpu().double(), self.code_square.cpu().double()  # not every GPU has fp64
        variances, axes = torch.linalg.eigh(square - mean.outer(mean))
        spread = (axes * variances.clamp(min=0).sqrt()).to(noise)  # [K, K]
        return self.code_mean + noise @ spread.T


@dataclass(frozen=True)
class VAERound:
    """One batch and the time."""

    image: Tensor  # [B, C, H, W] in [-1, 1]
    clock: Clock


class VAE(Coding):
    """Kingma and Welling 2014, eq. 10: reconstruct, and keep each picture's codes close to the prior.

    kl_weight: 1 is the bound on the likelihood; more (Higgins et al. 2017) orders the codes and blurs the pictures.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Generator,
        prior: Prior,
        likelihood: Likelihood,
        kl_weight: float | Schedule = 1.0,
    ) -> None:
        super().__init__(encoder, decoder, prior)
        refuse_certain_codes(encoder, prior)
        self.likelihood, self.kl_weight = likelihood, kl_weight

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("autoencoder", (self.encoder, self.decoder), self.loss),)

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> VAERound:
        return VAERound(batch.image, clock)

    def loss(self, round: VAERound) -> Outcome:
        encoding = self.encoder(round.image)
        reconstruction = self.decoder(encoding.draw())
        kl = divergence(encoding)
        weight = value_at(self.kl_weight, round.clock.images_seen)
        terms = {"reconstruction": self.likelihood(reconstruction, round.image), "kl": weight * kl}
        return Outcome(terms, {"nats": kl.detach()})


def refuse_other_priors(prior: Prior) -> None:
    """Raise ValueError where the prior is not the standard normal distribution."""
    if not isinstance(prior, Gaussian):
        raise ValueError(f"prior: {type(prior).__name__}; this game is about Gaussian codes; take prior.Gaussian")


def refuse_certain_codes(encoder: Encoder, prior: Prior) -> None:
    """Raise ValueError for an encoder without variances, and for priors that the divergence is not about."""
    refuse_other_priors(prior)
    if not encoder.stochastic:
        raise ValueError("encoder: gives no variances, which this game needs; set its stochastic=true")
