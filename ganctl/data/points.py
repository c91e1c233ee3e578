"""Points in the plane around known centres: the smallest data on which a generator can miss a mode."""

from abc import abstractmethod
from math import cos, pi, sin

import torch
from torch import Tensor

from ganctl.data.batch import Images
from ganctl.data.dataset import Dataset, Description, Table
from ganctl.transfer import handed

SHAPE = (2, 1, 1)  # a point is a picture of one pixel whose two channels are x and y
REACH = 0.8  # of the outermost centre, so that a generator that ends in tanh reaches every point


class Points(Dataset):
    """A mixture of equally likely Gaussians, as Lin et al. 2018 (PacGAN) draw them, scaled into [-1, 1].

    `centres` and `deviation` are on the scale of the points that are dealt.
    """

    def __init__(self, count: int = 100_000) -> None:
        centres, deviation = self.mixture()
        if count < len(centres):
            raise ValueError(f"count: {count}; must be at least one point for each of the {len(centres)} modes")
        scale = REACH / centres.abs().max().item()
        self.count, self.centres, self.deviation = count, centres * scale, deviation * scale

    @abstractmethod
    def mixture(self) -> tuple[Tensor, float]:
        """The centres [M, 2] and the standard deviation of each mode, as the papers give them."""

    def describe(self) -> Description:
        modes = len(self.centres)
        return Description(SHAPE, modes, self.count, tuple(f"mode {index}" for index in range(modes)))

    def open(self, device: torch.device) -> Table:
        chance = torch.Generator().manual_seed(0)
        label = torch.arange(self.count) % len(self.centres)
        offset = torch.randn(self.count, 2, generator=chance) * self.deviation
        return PointTable((self.centres[label] + offset).view(-1, *SHAPE), label, device)


class Ring8(Points):
    """Eight modes on a circle of radius 1, standard deviation 0.01."""

    def mixture(self) -> tuple[Tensor, float]:
        angles = [2 * pi * index / 8 for index in range(8)]
        return torch.tensor([[cos(angle), sin(angle)] for angle in angles]), 0.01


class Grid25(Points):
    """Twenty-five modes on a 5x5 grid 2 apart, standard deviation 0.05."""

    def mixture(self) -> tuple[Tensor, float]:
        steps = range(-4, 5, 2)
        return torch.tensor([[x, y] for x in steps for y in steps], dtype=torch.float32), 0.05


class PointTable(Table):
    """Points [N, 2, 1, 1] float32 on the training device, with the number of their mode."""

    def __init__(self, points: Tensor, labels: Tensor, device: torch.device) -> None:
        self.points, self.labels, self.device = points.to(device), labels.to(device), device

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Images:
        here = handed(indices, self.device)
        return Images(self.points[here], self.labels[here])
