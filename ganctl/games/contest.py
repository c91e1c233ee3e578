"""A discriminator against whoever makes its fakes: the loss, the penalties and the augmentation that go with it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from ganctl.games.game import Clock, Outcome
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Critique, Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Constrained, Discriminator
from ganctl.precision import full_precision

Heads = Callable[[Critique], Mapping[str, Tensor]]


def no_heads(critique: Critique) -> Mapping[str, Tensor]:
    """No terms beside the discriminator's own."""
    return {}


class Contest:
    """What both sides do with one discriminator. Owns nothing: the game registers the parts.

    Pictures are given as the discriminator takes them: where it judges pairs, the source's channels come first.
    """

    def __init__(
        self,
        discriminator: Discriminator,
        adversarial: AdversarialLoss,
        augment: Augment,
        penalties: Sequence[Regularizer] = (),
    ) -> None:
        refuse_unfit(discriminator, adversarial, augment, penalties)
        self.discriminator, self.adversarial = discriminator, adversarial
        self.augment, self.penalties = augment, tuple(penalties)

    def tell_apart(
        self,
        real: Tensor,
        fake: Tensor,
        clock: Clock,
        turn: str,
        weight: float = 1.0,
        heads: Heads = no_heads,
        label: Tensor | None = None,
    ) -> Outcome:
        """The discriminator's turn, called `turn`; `weight` is that of the loss, not of the penalties.

        heads: more terms by name, from what the discriminator said. label: of both, where it judges with the label.
        """
        due = [penalty for penalty in self.penalties if penalty.due(clock.plays(turn))]
        needs_gradient = any(penalty.needs_gradient for penalty in due)
        with full_precision(real.device) if needs_gradient else nullcontext():
            critique = self.critique(real, fake, clock, needs_gradient, label)
            self.augment.observe(critique.real_score.detach())
            loss = self.adversarial.discriminator(critique.real_score, critique.fake_score)
            terms = {"adversarial": weight * loss}
            terms |= {type(penalty).__name__: penalty(critique) for penalty in due}
            terms |= heads(critique)
        real_score, fake_score = critique.real_score.detach(), critique.fake_score.detach()
        wins = (real_score > fake_score).float().mean()
        watched = {"real": real_score.mean(), "fake": fake_score.mean(), "wins": wins}
        return Outcome(terms, watched | self.augment.watched())

    def pass_off(self, fake: Tensor, real: Tensor, label: Tensor | None = None) -> Tensor:
        """The other side's turn: the scalar that the maker of `fake` lowers."""
        return self.lowered(self.discriminator(self.augment(fake), label), real, label)

    def lowered(self, fake_score: Tensor, real: Tensor, label: Tensor | None = None) -> Tensor:
        """The same, where the scores of augmented fakes are known already."""
        real_score = None
        if self.adversarial.relativistic:
            with torch.no_grad():
                real_score = self.discriminator(self.augment(real), label)
        return self.adversarial.generator(fake_score.float(), None if real_score is None else real_score.float())

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """Scores in fp32: losses take their differences, for which bf16 has too few digits."""
        return self.discriminator.score(features, label).float()

    def critique(
        self, real: Tensor, fake: Tensor, clock: Clock, needs_gradient: bool, label: Tensor | None = None
    ) -> Critique:
        """Both batches as the discriminator sees them; with gradients towards the pictures where a penalty asks."""
        real, fake = self.augment(real).detach(), self.augment(fake.detach())
        if needs_gradient:
            real, fake = real.float().requires_grad_(), fake.float().requires_grad_()
        critic = self.discriminator
        real_features, fake_features = critic.features(real, label), critic.features(fake, label)
        return Critique(
            network=critic,
            critic=lambda image: critic.forward(image, label),  # never compiled: some penalties differentiate twice
            real=real,
            fake=fake,
            real_score=self.score(real_features, label),
            fake_score=self.score(fake_features, label),
            real_features=real_features,
            fake_features=fake_features,
            images_seen=clock.images_seen,
            rounds=clock.rounds,
        )


def refuse_unfit(
    discriminator: Discriminator, adversarial: AdversarialLoss, augment: Augment, penalties: Sequence[Regularizer]
) -> None:
    """Raise ValueError for parts that each are fine and together mean nothing."""
    if augment.reads_sign and not adversarial.sign_tells:
        loss = type(adversarial).__name__
        raise ValueError(
            f"augment: adapts to the sign of scores, which tells nothing with {loss}; "
            "set augment.target=null augment.strength=0.2, or choose augment=diffaugment"
        )
    if adversarial.steep and not held(discriminator, penalties):
        raise ValueError(
            f"adversarial: {type(adversarial).__name__} needs a critic whose slope is held, by clipped weights, "
            "spectral norm or a gradient penalty; choose loss=wgan_gp, or model=wgan"
        )
    place = "network.norm" if isinstance(discriminator, Constrained) else "norm"
    mixing = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in discriminator.modules())
    alone = [type(penalty).__name__ for penalty in penalties if penalty.alone]
    if mixing and alone:
        raise ValueError(
            f"penalties: {', '.join(alone)} needs a discriminator that judges each picture alone, and this one has "
            f"batch norm; set model.game.discriminator.{place}=none, or choose a loss without it"
        )


def held(discriminator: Discriminator, penalties: Sequence[Regularizer]) -> bool:
    """Whether something bounds how steep the scores can become."""
    parts = list(discriminator.modules())
    clipped = any(isinstance(part, Constrained) for part in parts)
    # by its name: PyTorch keeps the class to itself
    normed = any(type(part).__name__ == "_SpectralNorm" for part in parts)
    return clipped or normed or any(penalty.alone for penalty in penalties)
