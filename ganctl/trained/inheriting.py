"""A run that begins from another: `init_from=RUN` gives its networks the weights that those of RUN have learned."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ganctl.building.build import build
from ganctl.building.weightless import weightless
from ganctl.ema import averaged, below
from ganctl.errors import UserError
from ganctl.games.game import Game
from ganctl.runs import checkpoint
from ganctl.runs.store import find_checkpoint

Weights = Mapping[str, Tensor]


def located(selector: str) -> Path:
    """The last checkpoint of the run that `init_from` names; a checkpoint file as it is. Raises UserError."""
    if not selector:
        raise UserError("init_from: no run was named; write init_from=RUN (see ganctl list runs)")
    try:
        return find_checkpoint(selector)
    except UserError as error:
        words = (mistake.partition(": ")[2] for mistake in error.mistakes)
        raise UserError(*(f"init_from: {each}" for each in words)) from None


def demand_fit(settings: Mapping[str, Any], path: Path) -> None:
    """Raise UserError where the checkpoint cannot be read, or its networks do not fit those of these settings."""
    with weightless():
        game = build(settings["model"]["game"], Game, "model.game", settings["plugins"])
    heritage(game, path)


def inherit(game: Game, path: Path) -> None:
    """Give the game's networks the weights of the checkpoint's. Raises UserError as `demand_fit`."""
    for name, weights in heritage(game, path).items():
        game.get_submodule(name).load_state_dict(dict(weights))


def heritage(game: Game, path: Path) -> dict[str, Weights]:
    """Attribute of the game -> the weights that it begins with: averaged, where that run kept an average of them."""
    try:
        content = checkpoint.load(path)
    except UserError as error:
        raise UserError(*(f"init_from: {mistake}" for mistake in error.mistakes)) from None
    found = {name: stored(content, theirs) for name, theirs in game.inherits().items()}
    mistakes = [misfit(game, name, weights, path) for name, weights in found.items()]
    if any(mistakes):
        raise UserError(*filter(None, mistakes))
    return found


def stored(content: Mapping[str, Any], name: str) -> Weights:
    """The weights of a module of the game that the checkpoint holds; nothing where it has none of that name."""
    return averaged(content["average"], name) or below(f"{name}.", content["game"])


def misfit(game: Game, name: str, weights: Weights, path: Path) -> str | None:
    """Why these weights are not for the game's module of that name; None where they are."""
    if not weights:
        return f"init_from: {path}: its game has no {name!r} to begin with; choose a run of a model that has"
    own = game.get_submodule(name).state_dict()
    for key in sorted({*own, *weights}):
        there, here = (shape(state.get(key)) for state in (weights, own))
        if there != here:
            return (
                f"init_from: {path}: its {name} does not fit this model's ({key}: {there} there, {here} here); "
                "choose a run of the same sizes, or give this one the sizes of that"
            )
    return None


def shape(value: Tensor | None) -> str:
    """64x3x9x9; a number for scalars, `missing` where there is nothing."""
    return "missing" if value is None else "x".join(map(str, value.shape)) or "one number"
