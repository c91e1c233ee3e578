"""Points around known centres: how many modes are found, how well, and how evenly (Lin et al. 2018, PacGAN)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganctl.metrics.coverage import histogram, reverse_kl

COUNT = 2_500  # samples that the protocol scores
NEAR = 3.0  # standard deviations within which a point is of high quality
PALE, DARK = (255, 205, 160), (20, 60, 160)  # colours of a scatter plot: the modes, the points


@dataclass(frozen=True)
class PointScore:
    """What the protocol reports of one run."""

    modes: int  # centres with at least one high-quality point
    high_quality: float  # share of the points within 3 standard deviations of a centre
    kl: float  # reverse KL divergence of the high-quality points over the centres, against an even spread, in nats
    counts: tuple[int, ...]  # high-quality points, one a centre


def score_points(points: Tensor, centres: Tensor, deviation: float) -> PointScore:
    """points [N, 2] and centres [M, 2] on the same scale; deviation: a mode's standard deviation on that scale."""
    distance, mode = torch.cdist(points.double(), centres.double()).min(1)
    good = mode[distance < NEAR * deviation]
    total = len(centres)
    counts = torch.bincount(good, minlength=total)
    even = torch.full((total,), 1 / total, dtype=torch.float64)
    return PointScore(
        modes=int((counts > 0).sum()),
        high_quality=len(good) / len(points),
        kl=reverse_kl(histogram(good, total), even) if len(good) else float("inf"),
        counts=tuple(counts.tolist()),
    )


def scatter(points: Tensor, centres: Tensor, deviation: float, side: int = 400) -> np.ndarray:
    """Points [N, 2] in [-1, 1] as dark dots, centres with their 3 deviations as pale discs: [side, side, 3] uint8."""
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    pixels = torch.stack(torch.meshgrid(axis, -axis, indexing="xy"), -1).view(-1, 2)  # y points up
    radius = max(NEAR * deviation, 3 / side)
    disc = (torch.cdist(pixels, centres.float()).min(1).values < radius).view(side, side)
    picture = torch.full((side, side, 3), 255, dtype=torch.uint8)
    picture[disc] = torch.tensor(PALE, dtype=torch.uint8)
    column, row = (((points.T.float().clamp(-1, 1) + 1) / 2 * side).long().clamp_max(side - 1)).unbind(0)
    picture[side - 1 - row, column] = torch.tensor(DARK, dtype=torch.uint8)
    return picture.numpy()
