"""Variety and memorisation: distances between pictures, straight on their pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

FEWEST = 3  # pictures, so that "the nearest other" says something
HELD_OUT = 10  # one picture of so many stands for unseen ones where nearness to the training pictures is measured
MOST = 500  # pictures compared with each other
ROWS = 256  # rows of a distance matrix held at once
COPY = 0.1  # a sample this much nearer to another one than real pictures are (median) is a duplicate


@dataclass(frozen=True)
class Diversity:
    """Samples against reals; 1 means as varied as the data."""

    ratio: float  # mean distance of two samples over that of two reals (healthy runs: 0.85 and more)
    neighbours: float | None  # median distance to the nearest other sample, over that of the reals; None: those are 0
    duplicates: float  # share of the samples that have a near copy among the samples


def diversity(samples: Tensor, reals: Tensor) -> Diversity:
    """samples, reals: [N, ...] pictures of one shape, any scale; the first 500 of each are compared.

    Raises ValueError for fewer than FEWEST on one side.
    """
    if min(len(samples), len(reals)) < FEWEST:
        raise ValueError(f"diversity needs {FEWEST} pictures on each side, not {len(samples)} and {len(reals)}")
    count = min(len(samples), len(reals), MOST)
    fake, real = flat(samples[:count]), flat(reals[:count])
    fake_nearest, real_nearest = nearest_other(fake), nearest_other(real)
    typical = real_nearest.median()
    return Diversity(
        ratio=float(mean_distance(fake) / mean_distance(real).clamp_min(1e-12)),
        neighbours=over(fake_nearest.median(), typical),
        duplicates=float((fake_nearest <= COPY * typical).double().mean()),
    )


def over(value: Tensor, typical: Tensor) -> float | None:
    """A ratio; None where real pictures are mostly copies of each other, and nothing can be held against them."""
    return float(value / typical) if typical > 0 else None


def flat(pictures: Tensor) -> Tensor:
    """[N, ...] -> [N, values] float32."""
    return pictures.flatten(1).to(torch.float32)


def mean_distance(points: Tensor) -> Tensor:
    """Mean Euclidean distance over all pairs of rows."""
    return torch.pdist(points).double().mean()


def nearest_other(points: Tensor) -> Tensor:
    """[N]: each row's distance to the nearest other row. Differences, not products: copies get exactly 0."""
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(float("inf")).min(1).values


def nearest(samples: Tensor, reals: Tensor, count: int = 1) -> tuple[Tensor, Tensor]:
    """Distances and indices [N, count] of the nearest reals of each sample, the nearest first."""
    distances, indices = [], []
    targets = flat(reals)
    for rows in flat(samples).split(ROWS):
        found = torch.cdist(rows, targets).topk(min(count, len(targets)), dim=1, largest=False)
        distances.append(found.values)
        indices.append(found.indices)
    return torch.cat(distances), torch.cat(indices)


def memorisation(samples: Tensor, held_out: Tensor, training: Tensor) -> float | None:
    """Median distance of a sample to its nearest training picture, over that of held-out pictures.

    Near 1: samples are as far from the training pictures as unseen ones are; under 0.5: some are near copies. None
    where most of those held out lie among the training pictures as well.
    """
    ours, theirs = nearest(samples, training)[0].median(), nearest(held_out, training)[0].median()
    return over(ours, theirs)
