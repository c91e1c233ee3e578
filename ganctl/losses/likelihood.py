"""What an autoencoder lowers: how unlikely the picture is, given its reconstruction, and how far codes lie off."""

import math
from abc import ABC, abstractmethod

from torch import Tensor

from ganctl.networks.interfaces import Encoding

LEAST = 1e-6  # probability that a Bernoulli pixel keeps, so that its logarithm stays finite


class Likelihood(ABC):
    """Negative log-likelihood of pictures in nats, up to a constant: summed over a picture, averaged over the batch."""

    def __call__(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        """Both [B, ...] -> scalar. A reconstruction is the middle of the distribution of pictures."""
        return self.of_values(reconstruction.float(), image.float()).flatten(1).sum(1).mean()

    @abstractmethod
    def of_values(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        """The share of every single value, same shape."""


class Bernoulli(Likelihood):
    """Kingma and Welling 2014, appendix C.1: cross entropy; grey levels in [-1, 1] are probabilities of white."""

    def of_values(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        white = (reconstruction + 1) / 2 * (1 - 2 * LEAST) + LEAST
        truth = (image + 1) / 2
        return -(truth * white.log() + (1 - truth) * (1 - white).log())


class Gaussian(Likelihood):
    """Squared error over 2 deviation^2: values spread by `deviation` around the reconstruction."""

    def __init__(self, deviation: float = 1.0) -> None:
        self.deviation = positive(deviation)

    def of_values(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        return (reconstruction - image).square() / (2 * self.deviation**2)


class Laplace(Likelihood):
    """Absolute error over `scale`: sharper edges than the squared one."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = positive(scale, "scale")

    def of_values(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        return (reconstruction - image).abs() / self.scale


def positive(value: float, name: str = "deviation") -> float:
    """The value, or ValueError in words."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name}: {value}; must be more than 0")
    return value


def divergence(encoding: Encoding) -> Tensor:
    """Kingma and Welling 2014, appendix B: KL(N(mean, variance) || N(0, 1)) in nats, averaged over the batch: scalar.

    Raises ValueError for codes that are certain: they lie infinitely far off.
    """
    if encoding.log_variance is None:
        raise ValueError("the encoder gives no variances")
    mean, log_variance = encoding.mean.float(), encoding.log_variance.float()
    return ((mean.square() + log_variance.exp() - 1 - log_variance) / 2).sum(1).mean()
