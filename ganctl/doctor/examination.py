"""Measures the signals that lie in samples: the live generator's pictures beside a fixed part of the real ones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.data.batch import Images, Tensors, at_once
from ganctl.data.dataset import Table
from ganctl.doctor.signals import Facts
from ganctl.games.game import Game
from ganctl.games.latent import LatentGame
from ganctl.metrics.diversity import diversity, nearest_other
from ganctl.metrics.isolation import isolated
from ganctl.metrics.sheets import painted, pieces, request
from ganctl.networks.interfaces import Growing

SAMPLES = 256  # drawn at each check, always from the same inputs
TOGETHER = 4  # pictures at least, and multiples of so many: critics look at groups of them (minibatch deviation)
REALS = 1_024  # of the data, at most, that samples are held against
SIDE = 32  # pixels at which pictures are compared
FEWEST = 3  # pictures, under which there are no distances to compare
MOST_CLASSES = 30  # with more, 256 samples cannot tell which are missing
SEED = 20_170_204  # any fixed number
TINY = 1e-8


@dataclass(frozen=True)
class Reals:
    """Real pictures as rows of numbers, their labels, and what is known of their distances."""

    image: Tensor  # [SAMPLES, C, H, W] or fewer, on the CPU, in [-1, 1], as training deals them
    label: Tensor | None  # [N] classes or [N, K] attributes
    rows: Tensor  # [N, values] float32 on the CPU
    apart: float  # mean distance of two
    lonely: float  # median distance to the nearest other one
    contrast: float  # spread of brightness within one

    @property
    def points(self) -> bool:
        """Points of the plane, not pictures: they have no contrast, and their neighbours lie as near as can be."""
        return self.image.shape[2:] == (1, 1)


class Examination:
    """Draws SAMPLES pictures and compares. Nothing in the game or in any random state is changed.

    facts: of the table, for the rules. Where the table deals no single pictures, or the game draws none from noise,
    `fits` is False and there is nothing to examine.
    """

    def __init__(self, table: Table, game: Game, classes: int = 0, names: tuple[str, ...] = ()) -> None:
        self.reals = reals_of(table)
        self.unseen = reals_of(held) if (held := table.held_out()) is not None else None
        # a generator of noise against a discriminator: an autoencoder's blur would look like collapse
        self.fits = self.reals is not None and isinstance(game, LatentGame)
        self.classes = classes if self.fits and 2 <= classes <= MOST_CLASSES and self.labelled() else 0
        shown = names or tuple(map(str, range(classes)))
        self.facts = Facts(
            pictures=len(table),
            spread=self.spread(table),
            names=shown if self.classes else (),
            expected=self.share(self.reals.label) if self.classes and self.reals else (),
            weights={turn.name: sum(p.numel() for p in turn.parameters()) for turn in game.turns()},
        )

    def spread(self, table: Table) -> float | None:
        """Of the real pictures; 0 where there are too few to differ, None where the table deals no single pictures."""
        if self.reals is not None:
            return self.reals.apart / self.reals.rows.shape[1] ** 0.5
        return 0.0 if isinstance(next(first(table, 1)), Images) else None

    def labelled(self) -> bool:
        """Whether each real picture has one class."""
        label = None if self.reals is None else self.reals.label
        return label is not None and label.dim() == 1 and not label.is_floating_point()

    def share(self, label: Tensor | None) -> tuple[float, ...]:
        """How often each class occurs."""
        if label is None:
            return ()
        counts = torch.bincount(label.cpu(), minlength=self.classes).double()
        return tuple((counts / counts.sum().clamp_min(1)).tolist())

    def measure(self, game: Game, device: torch.device) -> dict[str, Any]:
        """Fields of `Signals`: those that samples tell, and the discriminator's word on unseen pictures."""
        if not self.fits or self.reals is None or self.reals.apart < TINY or growing(game):
            return {}
        assert isinstance(game, LatentGame)  # else nothing fits
        playing = game.training
        with isolated():
            game.eval()
            try:
                inputs, label = request(game, SAMPLES, self.wished(), SEED)
                samples = torch.cat([painted(game, piece, device).cpu() for piece in pieces(game, inputs, device)])
                if not samples.isfinite().all():
                    return {"finite": False}
                return self.compare(samples) | self.verdicts(game, samples, label, device)
            finally:
                game.train(playing)

    def wished(self) -> Tensor | None:
        """Labels as the data has them, for games that take any."""
        label = None if self.reals is None else self.reals.label
        return None if label is None else label[torch.arange(SAMPLES) % len(label)]

    def compare(self, samples: Tensor) -> dict[str, Any]:
        """samples [N, C, H, W] in [-1, 1] -> the signals of distance."""
        reals = self.reals
        assert reals is not None
        rows = flattened(samples)
        found = diversity(rows, reals.rows)
        across = torch.cdist(rows, reals.rows)
        apart = torch.pdist(rows).mean()
        gap = (2 * across.mean() - apart - reals.apart) / max(reals.apart, TINY)
        measured: dict[str, Any] = {"diversity": found.ratio, "gap": float(gap)}
        if self.classes and reals.label is not None:
            measured["shares"] = self.share(reals.label[across.argmin(1)])
        if not reals.points:
            measured |= {"neighbours": found.neighbours, "duplicates": found.duplicates}
            measured["nearest"] = float(across.min(1).values.median()) / reals.lonely if reals.lonely else None
            measured["contrast"] = float(rows.std(1).mean()) / max(reals.contrast, TINY)
        return measured

    def verdicts(self, game: LatentGame, samples: Tensor, label: Tensor | None, device: torch.device) -> dict[str, Any]:
        """The discriminator's win rate on training pictures and on held-out ones, where there are any."""
        if self.unseen is None or self.reals is None:
            return {}
        critic = game.discriminator
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            fake = scores(critic, Images(samples, label), device)
            seen, unseen = (
                scores(critic, Images(reals.image, None if reals.label is None else reals.label[:SAMPLES]), device)
                for reals in (self.reals, self.unseen)
            )
        return {"seen_wins": win_rate(seen, fake), "unseen_wins": win_rate(unseen, fake)}


def growing(game: Game) -> bool:
    """Whether samples are still smaller than the data: enlarged, they are too blurred for comparisons."""
    networks = (network for network in game.modules() if isinstance(network, Growing))
    return any(float(network.position) < len(network.sizes) - 1 for network in networks)


def reals_of(table: Table) -> Reals | None:
    """A fixed part of the table, spread over all of it; None where it deals no single pictures."""
    one = next(first(table, 1))
    if not isinstance(one, Images) or len(table) < FEWEST:
        return None
    parts: list[Tensor] = []
    shown, labels = one.image.cpu()[:0], []
    for batch in first(table, REALS, at_once(one.image.shape[1:], REALS)):
        assert isinstance(batch, Images)  # as the first one
        parts.append(flattened(batch.image))
        shown = torch.cat((shown, batch.image[: SAMPLES - len(shown)].cpu()))
        labels += [] if batch.label is None else [batch.label.cpu()]
    rows = torch.cat(parts)
    apart, lonely = float(torch.pdist(rows).mean()), float(nearest_other(rows).median())
    contrast = float(rows.std(1).mean())
    return Reals(shown, torch.cat(labels) if labels else None, rows, apart, lonely, contrast)


def first(table: Table, count: int, size: int = REALS) -> Iterator[Tensors]:
    """The first pictures of a fixed order that is spread over all of the table, `size` at a time."""
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(SEED))[:count]
    chance = torch.Generator().manual_seed(SEED)
    for rows in order.split(size):
        with isolated():
            batch = table.batch(rows, chance)
        yield batch


def flattened(images: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, values] on the CPU; larger pictures are shrunk first."""
    image = images.detach().float().cpu()
    if max(image.shape[2:]) > SIDE:
        image = interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)
    return image.flatten(1)


def scores(critic: Any, pictures: Images, device: torch.device) -> Tensor:
    """Of each picture, [N] or [N, h, w] on the CPU."""
    size = max(TOGETHER, at_once(pictures.image.shape[1:], SAMPLES) // TOGETHER * TOGETHER)
    there = (piece.map(lambda value: value.to(device)) for piece in pictures.split(size))
    return torch.cat([critic(piece.image, piece.label).cpu() for piece in there])


def win_rate(real: Tensor, fake: Tensor) -> float:
    """Share of all pairs in which the real picture has the higher score; equal scores count half."""
    real, fake = (score.flatten(1).mean(1) if score.dim() > 1 else score for score in (real, fake))
    difference = real[:, None] - fake[None, :]
    return float(((difference > 0).float() + (difference == 0).float() / 2).mean())
