"""Scores a generator of points by the protocol of Lin et al. 2018: modes, high-quality share, reverse KL."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ganctl.data.points import Points
from ganctl.errors import NotFinite, UserError
from ganctl.games.game import Game, Generative
from ganctl.metrics.contract import Contract, Score, library_versions
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.extractors import fingerprint
from ganctl.metrics.isolation import isolated
from ganctl.metrics.keys import NAMES
from ganctl.metrics.points import COUNT, PointScore, scatter, score_points
from ganctl.metrics.reals import SEED
from ganctl.metrics.sheets import count_bad, painted, request

FEWEST = 100  # points, so that every mode of the grid can get some


class PointPanel:
    """count: points drawn; 2,500 in the protocol."""

    def __init__(
        self,
        data: Points,
        name: str,
        *,
        count: int = COUNT,
        seed: int = 0,
        device: torch.device | str = "cpu",
        averaged: bool = True,
    ) -> None:
        if count < FEWEST:
            raise UserError(f"n: {count}; points needs {FEWEST} samples or more; the protocol takes {COUNT:,}")
        self.data, self.count, self.seed, self.device = data, count, seed, torch.device(device)
        self.contract = Contract(
            reference=name,
            reference_id=fingerprint(data.centres, str(data.deviation)),
            split="centres",
            reference_count=len(data.centres),
            count=count,
            extractor="points",
            extractor_id="",
            resizer="none",
            precision="float32",
            averaged=averaged,
            seed=seed,
            versions=library_versions(),
        )
        self.floors = values_of(self.score(self.real_points()))
        self.latest: np.ndarray | None = None  # scatter plot of what was scored last

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the scores that an evaluation gives."""
        return tuple(self.floors)

    def real_points(self) -> Tensor:
        """As many points of the data."""
        table = self.data.open(torch.device("cpu"))
        rows = torch.randint(len(table), (self.count,), generator=torch.Generator().manual_seed(SEED))
        return table.batch(rows, torch.Generator()).image.flatten(1)  # type: ignore[attr-defined]

    def score(self, points: Tensor) -> PointScore:
        """points [N, 2] on the data's scale."""
        return score_points(points, self.data.centres, self.data.deviation)

    def evaluate(self, game: Generative, images_seen: int) -> Evaluation:
        """Draw and score. Random states are left as they were. Raises NotFinite where a point is not a number."""
        with isolated():
            inputs, _ = request(game, self.count, self.labels(), self.seed)
            points = painted(game, inputs, self.device).flatten(1).cpu()
        if bad := count_bad(points):
            raise NotFinite(f"{bad:,} of {self.count:,} samples are not finite; nothing was scored")
        found = self.score(points)
        self.latest = scatter(points, self.data.centres, self.data.deviation)
        names = self.data.describe().names
        good = max(sum(found.counts), 1)
        histogram = {name: count / good for name, count in zip(names, found.counts, strict=True)}
        return Evaluation(images_seen, self.scores(found), histogram, dict.fromkeys(names, 1 / len(names)))

    def pictures(self, game: Game) -> Mapping[str, np.ndarray]:
        """A plot of what was scored last."""
        return {} if self.latest is None else {"points": self.latest}

    def labels(self) -> Tensor:
        """All modes in turn, for generators that take a label."""
        return torch.arange(self.count) % len(self.data.centres)

    def scores(self, found: PointScore) -> tuple[Score, ...]:
        """The three numbers of the protocol, with those of the data beside them."""
        values = values_of(found)
        return tuple(Score(key, NAMES[key], value, self.contract, self.floors[key]) for key, value in values.items())


def values_of(found: PointScore) -> Mapping[str, float]:
    """By key."""
    return {"modes": float(found.modes), "high_quality": found.high_quality, "kl": found.kl}
