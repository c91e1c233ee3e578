"""Content losses: how far an output is from the one picture that it should be."""

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from ganctl.schedules import Schedule, value_at


class ContentLoss(nn.Module, ABC):
    """A distance with a weight, which may change with images seen. A module, for what compares by a network."""

    def __init__(self, weight: float | Schedule = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, output: Tensor, target: Tensor, images_seen: int) -> Tensor:
        """output, target: [B, C, H, W] in [-1, 1] -> scalar, weighted."""
        return value_at(self.weight, images_seen) * self.distance(output, target)

    @abstractmethod
    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        """Scalar, unweighted."""

    def notice(self) -> str:
        """What a training should know of it, in words; empty where it is what its paper has."""
        return ""


class L1(ContentLoss):
    """Mean absolute difference; blurs less than squares (Isola et al. 2017, eq. 3, with weight 100)."""

    def __init__(self, weight: float | Schedule = 100.0) -> None:
        super().__init__(weight)

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        return l1_loss(output, target)


class MSE(ContentLoss):
    """Mean squared difference, which PSNR counts (Ledig et al. 2017, eq. 4)."""

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        return mse_loss(output, target)
