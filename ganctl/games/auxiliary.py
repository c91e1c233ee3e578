"""Side tasks on the discriminator's features: class labels (ACGAN) and latent codes (InfoGAN)."""

import math
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ganctl.games.prior import Code, Prior
from ganctl.losses.regularizers import Critique


class Auxiliary(nn.Module, ABC):
    """A head that shares the discriminator's features and adds one term to each side's turn.

    The game attaches it, because only the game knows both the discriminator and the prior:

        auxiliary.attach(discriminator.feature_size, prior)   # once, in the game's constructor
        terms["class"] = auxiliary.discriminator_term(critique, label, noise)
        terms["class"] = auxiliary.generator_term(fake_features, label, noise)
    """

    plays_with: Literal["discriminator", "generator"] = "discriminator"  # the turn whose optimizer trains the head

    @abstractmethod
    def attach(self, feature_size: int, prior: Prior | None = None) -> None:
        """Make the head. Raises ValueError where the prior does not offer what the head should recover."""

    @abstractmethod
    def discriminator_term(self, critique: Critique, label: Tensor | None, noise: Tensor) -> Tensor:
        """Scalar, weighted. label [B] or [B, K]: of reals, and asked of fakes; noise [B, size]: of fakes."""

    @abstractmethod
    def generator_term(self, fake_features: Tensor, label: Tensor | None, noise: Tensor) -> Tensor:
        """Scalar, weighted, through features that the generator's pictures gave rise to."""


def pooled(features: Tensor) -> Tensor:
    """Features as a head reads them, [B, K]; a patch critic's map [B, K, h, w] is averaged."""
    return features.mean((2, 3)) if features.ndim == 4 else features


class ClassifyLabel(Auxiliary):
    """ACGAN, Odena et al. 2017, eq. 3: the head names the label of reals and fakes, the generator must be recognised.

    weight: of the reals' term in the discriminator's turn; fakes: the fakes' term there, relative to it;
    generator_weight: in the generator's turn (with a Wasserstein loss 0.1 works better than 1).
    """

    def __init__(self, classes: int, weight: float = 1.0, generator_weight: float = 1.0, fakes: float = 1.0) -> None:
        if classes < 1:
            raise ValueError(f"classes: {classes}; a label head needs 1 or more, so the dataset needs labels")
        super().__init__()
        self.classes, self.weight, self.generator_weight, self.fakes = classes, weight, generator_weight, fakes
        self.head: nn.Module = nn.Identity()

    def attach(self, feature_size: int, prior: Prior | None = None) -> None:
        self.head = nn.Linear(feature_size, self.classes)

    def discriminator_term(self, critique: Critique, label: Tensor | None, noise: Tensor) -> Tensor:
        real, fake = self.loss(critique.real_features, label), self.loss(critique.fake_features, label)
        return self.weight * (real + self.fakes * fake)

    def generator_term(self, fake_features: Tensor, label: Tensor | None, noise: Tensor) -> Tensor:
        return self.generator_weight * self.loss(fake_features, label)

    def loss(self, features: Tensor, label: Tensor | None) -> Tensor:
        """-log P(label) of a picture, averaged over the batch; attributes are independent of each other."""
        if label is None:
            raise ValueError("ClassifyLabel needs labels; choose a dataset that has them")
        logits = self.head(pooled(features))
        if label.is_floating_point():
            return binary_cross_entropy_with_logits(logits, label, reduction="none").sum(1).mean()
        return cross_entropy(logits, label)


class RecoverCode(Auxiliary):
    """InfoGAN, Chen et al. 2016, eq. 5 and 6: -E log Q(code | fake), the part of the information bound that can move.

    Both turns lower it, as in the paper's code: the discriminator's trains Q and the shared trunk, the generator's
    makes codes readable. One-hot codes by cross entropy, numbers by a Gaussian of fixed spread.
    weight: of everything; continuous: of the numbers, relative to it; hidden: units between the trunk and the answer.
    """

    def __init__(self, weight: float = 1.0, continuous: float = 1.0, deviation: float = 1.0, hidden: int = 128) -> None:
        if deviation <= 0 or hidden < 1:
            raise ValueError(f"deviation: {deviation}, hidden: {hidden}; must be more than 0")
        super().__init__()
        self.weight, self.continuous, self.deviation, self.hidden = weight, continuous, deviation, hidden
        self.codes: tuple[Code, ...] = ()
        self.head: nn.Module = nn.Identity()

    def attach(self, feature_size: int, prior: Prior | None = None) -> None:
        if prior is None or not prior.codes:
            raise ValueError("RecoverCode needs a prior with codes; choose prior: ganctl.games.prior.InfoCode")
        self.codes = prior.codes
        self.head = nn.Sequential(
            nn.Linear(feature_size, self.hidden, bias=False),
            nn.BatchNorm1d(self.hidden),
            nn.LeakyReLU(0.1),
            nn.Linear(self.hidden, sum(code.width for code in self.codes)),
        )

    def discriminator_term(self, critique: Critique, label: Tensor | None, noise: Tensor) -> Tensor:
        return self.loss(critique.fake_features, noise)

    def generator_term(self, fake_features: Tensor, label: Tensor | None, noise: Tensor) -> Tensor:
        return self.loss(fake_features, noise)

    def loss(self, features: Tensor, noise: Tensor) -> Tensor:
        """-log Q of all codes of a picture, averaged over the batch."""
        answers = self.head(pooled(features)).split([code.width for code in self.codes], 1)
        losses = [self.of_code(code, answer, noise) for code, answer in zip(self.codes, answers, strict=True)]
        return self.weight * torch.stack(losses).sum()

    def of_code(self, code: Code, answer: Tensor, noise: Tensor) -> Tensor:
        """answer [B, width], noise [B, size] -> scalar."""
        truth = noise[:, code.place]
        if code.ways:
            return cross_entropy(answer, truth)
        error = (answer - truth) / self.deviation
        return self.continuous * (error.square() / 2 + math.log(self.deviation) + math.log(2 * math.pi) / 2).mean()
