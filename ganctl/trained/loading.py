"""A trained game from a checkpoint: without training data, without any flag of the training, without Lightning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganctl.building.build import build
from ganctl.devices import place
from ganctl.ema import averaged
from ganctl.errors import UserError
from ganctl.games.game import Game, Generative, Translating
from ganctl.runs import checkpoint
from ganctl.runs.store import find_checkpoint


@dataclass(frozen=True)
class Loaded:
    """A game with its weights, on its device, in eval mode."""

    game: Game
    config: Mapping[str, Any]  # the run's own, resolved
    path: Path  # the checkpoint
    images_seen: int
    device: torch.device

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes or attributes, where the run's dataset has any."""
        return tuple(self.config["description"].get("names") or ())

    @property
    def classes(self) -> int:
        """Classes or attributes that can be asked for; 0 where there are no labels."""
        return int(self.config["description"].get("classes") or 0)


def load_game(
    run: str | Path | None = None,
    ckpt: str | int = "last",
    *,
    ema: bool = True,
    device: Any = "auto",
    plugins: Sequence[str] = (),
) -> Loaded:
    """The game of a run (its folder, its name, a checkpoint file; None: the newest run).

    ckpt: `last`, `best` or a number of images. ema: with the averaged weights, where the run kept them.
    plugins: modules of your own that the run's classes come from. Raises UserError in words.
    """
    path = find_checkpoint(None if run is None else str(run), ckpt)
    content = checkpoint.load(path)
    game = rebuilt(content, path, plugins)
    fill(game, content, path, ema)
    target = place(device).torch_device
    return Loaded(game.eval().to(target), content["config"], path, int(content["images_seen"]), target)


def rebuilt(content: Mapping[str, Any], path: Path, plugins: Sequence[str]) -> Game:
    """The game that the checkpoint's own config describes, with fresh weights."""
    config = content["config"]
    try:
        return build(config["model"]["game"], Game, "model.game", plugins)
    except UserError as error:
        wanted = ",".join(config.get("plugins") or ())
        again = [f"plugins: the run was trained with plugins={wanted}; give that again if you trust it"]
        raise UserError(*(f"{path}: {each}" for each in error.mistakes), *(again if wanted else [])) from error


def fill(game: Game, content: Mapping[str, Any], path: Path, ema: bool) -> None:
    """Load the weights; with `ema` the averaged modules take theirs from the average."""
    try:
        game.load_state_dict(content["game"])
        for name in game.averaged() if ema else ():
            getattr(game, name).load_state_dict(averaged(content["average"], name))
    except (RuntimeError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"{path}: its weights do not fit the game its own config describes ({first})") from error


def use_of(game: Game, description: Mapping[str, Any]) -> str:
    """The command that makes pictures with the game."""
    if isinstance(game, Generative) or not isinstance(game, Translating):
        return "sample"
    source = description.get("source")
    return "upscale" if source and source[1] < description["shape"][1] else "translate"
