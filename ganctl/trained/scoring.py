"""How unlike its training pictures a picture is: a score each, by what a trained game cannot reproduce."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganctl.data.progress import shown
from ganctl.errors import UserError
from ganctl.games.coding import Coding
from ganctl.games.game import Game
from ganctl.games.latent import LatentGame
from ganctl.pictures import grid
from ganctl.precision import repeatable
from ganctl.trained.gathering import OWN, Pile, gathered
from ganctl.trained.inversion import Inversion, Search
from ganctl.trained.loading import load_game

HIGHEST = 24  # pictures on the sheet
TRIPLES = 3  # of them in a row
Remake = Callable[[Tensor], Tensor]  # pictures [B, C, H, W] in [-1, 1] -> the nearest that the game can make


@dataclass(frozen=True)
class Rated:
    """Pictures beside the nearest that the game can make."""

    image: Tensor  # [B, C, H, W] in [-1, 1]
    made: Tensor  # [B, C, H, W] in [-1, 1]

    @property
    def error(self) -> Tensor:
        """[B, H, W]: squared difference of grey levels in [0, 1], averaged over the channels."""
        return ((self.image - self.made) / 2).square().mean(1)

    @property
    def score(self) -> Tensor:
        """[B]: mean squared error."""
        return self.error.flatten(1).mean(1)

    def joined(self, other: "Rated") -> "Rated":
        return Rated(torch.cat((self.image, other.image)), torch.cat((self.made, other.made)))

    def highest(self, count: int) -> "Rated":
        """The highest scores, in their order."""
        chosen = self.score.argsort(descending=True, stable=True)[:count]
        return Rated(self.image[chosen], self.made[chosen])


@dataclass(frozen=True)
class Scored:
    """A score for each picture, in their order."""

    pile: Pile
    scores: np.ndarray  # [N]
    highest: Rated  # on the CPU

    @property
    def auroc(self) -> float | None:
        """Probability that an anomaly scores higher than a normal picture.

        None where nothing says which is which, or where all pictures are of one kind.
        """
        if self.pile.classes is None or self.pile.normal is None:
            return None
        unlike = [name not in self.pile.normal for name in self.pile.classes]
        if len(set(unlike)) < 2:
            return None
        from sklearn.metrics import roc_auc_score

        return float(roc_auc_score(unlike, self.scores))

    def by_class(self) -> Mapping[str, np.ndarray]:
        """Class -> its scores; empty where there are no classes."""
        classes = np.array(self.pile.classes or ())
        return {str(name): self.scores[classes == name] for name in np.unique(classes)}

    def write_table(self, path: Path) -> None:
        """CSV, highest score first: file, score, and label where there are classes. Raises OSError."""
        with path.open("x", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "score", *(["label"] if self.pile.classes else [])])
            for row in np.argsort(-self.scores, kind="stable"):
                label = [self.pile.classes[row]] if self.pile.classes else []
                writer.writerow([self.pile.names[row], f"{self.scores[row]:.6g}", *label])

    def sheet(self) -> np.ndarray:
        """[H, W, 3] uint8: picture, the nearest made, and where they differ, for the highest scores, row by row."""
        error = self.highest.error
        hot = heat(error / error.max().clamp(min=1e-12)) * 2 - 1
        triples = torch.stack((coloured(self.highest.image), coloured(self.highest.made), hot), 1)
        return grid(triples.flatten(0, 1), 3 * TRIPLES)


def score(
    run: str | Path | None = None,
    pictures: str = OWN,
    ckpt: str | int = "last",
    *,
    normal: Sequence[str] | None = None,
    n: int | None = None,
    search: Search | None = None,
    batch_size: int = 250,
    ema: bool = True,
    device: Any = "auto",
    plugins: Sequence[str] = (),
) -> Scored:
    """Score a folder's or zip's pictures, or the test pictures of the run's dataset; nothing is written.

    normal: classes that are no anomalies; for the run's own dataset those it was trained on. n: so many pictures at
    most. search: of a generator. The rest are arguments of `ganctl.trained.loading.load_game`. Raises UserError.
    """
    search = search or Search()
    loaded = load_game(run, ckpt, ema=ema, device=device, plugins=plugins)
    demand_scorable(loaded.game, loaded.path)
    pile = gathered(pictures, loaded.config, loaded.device, plugins)
    pile = pile if normal is None else pile.known_normal(normal)
    return scored(loaded.game, pile.some(n, search.seed), search, batch_size, loaded.device)


def demand_scorable(game: Game, path: Path) -> None:
    """Raise UserError for a game that cannot show what it knows of a picture."""
    if not isinstance(game, Coding | LatentGame):
        raise UserError(
            f"run: {path} holds a {type(game).__name__}; scores need an autoencoder (model=ae, vae, aae or vaegan) or "
            "a generator of pictures from noise (such as model=dcgan)"
        )


def scored(game: Game, pile: Pile, search: Search, batch_size: int, device: torch.device) -> Scored:
    """All pictures of the pile, `batch_size` at a time. Raises UserError where a score is not a number."""
    scores: list[Tensor] = []
    highest: Rated | None = None
    for rated in rate(game, pile, search, batch_size, device):
        scores.append(rated.score)
        highest = (rated if highest is None else highest.joined(rated)).highest(HIGHEST)
    found = torch.cat(scores)
    if highest is None or not found.isfinite().all():
        raise UserError("run: this checkpoint's reconstructions are not finite; take an earlier one with ckpt=")
    return Scored(pile, found.numpy(), highest)


def rate(game: Game, pile: Pile, search: Search, batch_size: int, device: torch.device) -> Iterator[Rated]:
    """Batches of pictures with the nearest that the game can make, on the CPU."""
    with repeatable():
        remake = Inversion(game, search) if isinstance(game, LatentGame) else reconstruction(game)
        pieces = pile.rows.split(batch_size)
        for rows in shown("scoring", pieces, len(pieces)):
            pixels, _ = pile.reals.look(rows)
            image = pixels.to(device).float() / 127.5 - 1
            yield Rated(image.cpu(), remake(image).cpu())


def reconstruction(game: Game) -> Remake:
    """Of an autoencoder, without a graph."""
    assert isinstance(game, Coding)
    return torch.no_grad()(game.reconstruct)


def coloured(image: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 3, H, W], as sample grids show them."""
    if image.shape[1] == 2:
        return torch.cat((image, torch.full_like(image[:, :1], -1)), 1)
    return image[:, :3].expand(-1, 3, -1, -1)


def heat(values: Tensor) -> Tensor:
    """[N, H, W] in [0, 1] -> [N, 3, H, W] in [0, 1]: black, red, yellow, white."""
    return torch.stack([(3 * values - start).clamp(0, 1) for start in range(3)], 1)
