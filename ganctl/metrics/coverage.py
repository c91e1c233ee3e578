"""Which classes are drawn, how often, and whether a wished class is the one that comes."""

from dataclasses import dataclass

import torch
from torch import Tensor

ENOUGH = 0.1  # a class counts as covered from this part of its real share on


@dataclass(frozen=True)
class Coverage:
    """The class histogram of samples beside that of the data."""

    shares: tuple[float, ...]  # of the samples, one a class
    expected: tuple[float, ...]  # of the real pictures
    modes: int  # classes with at least one sample
    covered: int  # classes with at least a tenth of their real share
    kl: float  # reverse KL divergence, in nats


def is_covered(share: float, real: float) -> bool:
    """Whether a class of the data is drawn at least a tenth as often as it occurs."""
    return real > 0 and share >= ENOUGH * real


def histogram(classes: Tensor, number: int) -> Tensor:
    """[N] int64 -> [number] float64: the share of each class."""
    counts = torch.bincount(classes, minlength=number).double()
    return counts / counts.sum().clamp_min(1)


def reverse_kl(samples: Tensor, reals: Tensor) -> float:
    """KL(samples || reals) of two histograms, in nats (Srivastava et al. 2017, section 4; Lin et al. 2018).

    A class drawn that the data lacks would make it infinite; the data's share is then taken as one in a million.
    """
    drawn = samples > 0
    return float((samples[drawn] * (samples[drawn] / reals[drawn].clamp_min(1e-6)).log()).sum())


def coverage(predicted: Tensor, real_labels: Tensor, classes: int) -> Coverage:
    """predicted [N]: the samples' classes as the classifier sees them; real_labels [M]: the data's own."""
    shares, expected = histogram(predicted, classes), histogram(real_labels, classes)
    present = expected > 0
    return Coverage(
        shares=tuple(shares.tolist()),
        expected=tuple(expected.tolist()),
        modes=int(((shares > 0) & present).sum()),
        covered=int((present & (shares >= ENOUGH * expected)).sum()),
        kl=reverse_kl(shares, expected),
    )


def conditional_accuracy(predicted: Tensor, wanted: Tensor) -> float:
    """Share of the samples whose class is the wished one."""
    return float((predicted == wanted).double().mean())
