"""Adversarial losses: what the discriminator's scores mean to each side. Scores are logits of any shape, e.g. [B]."""

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn.functional import relu, softplus


class AdversarialLoss(ABC):
    """Two scalars to lower, one a side."""

    relativistic: bool = False  # needs the real scores in the generator's turn too
    steep: bool = False  # grows without end with the critic's steepness, which something must hold
    sign_tells: bool = True  # a score above 0 says real, below 0 fake; adaptive augmentation reads it so

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scores of real and fake -> scalar that the discriminator lowers."""

    @abstractmethod
    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """Scores of fake (and of real, where relativistic) -> scalar that the generator lowers."""


class NonSaturating(AdversarialLoss):
    """Goodfellow et al. 2014, eq. 1, with the generator raising log D(G(z)) (their section 3)."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return softplus(-fake).mean()


class Minimax(NonSaturating):
    """Goodfellow et al. 2014, eq. 1 as it stands: the generator lowers log(1 - D(G(z))), which vanishes when D wins."""

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(AdversarialLoss):
    """Mao et al. 2017, eq. 9 (a = 0, b = c = 1)."""

    sign_tells = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return (fake - 1).square().mean() / 2


class Hinge(AdversarialLoss):
    """Lim and Ye 2017; Miyato et al. 2018, eq. 16 and 17."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class Wasserstein(AdversarialLoss):
    """Arjovsky et al. 2017, eq. 2; the critic must be held Lipschitz by clipping or a penalty."""

    sign_tells = False
    steep = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return -fake.mean()


class RelativisticPairing(AdversarialLoss):
    """Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN), eq. 2: each fake is judged against its real."""

    relativistic = True
    sign_tells = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        if real is None:
            raise ValueError("a relativistic loss needs the real scores in the generator's turn")
        return softplus(real - fake).mean()
