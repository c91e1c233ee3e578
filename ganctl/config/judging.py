"""Whether a resolved config can be played: every component, size, label, turn and optimizer, all mistakes at once."""

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ganctl.building.annotations import shown
from ganctl.building.build import TARGET, check, stand_in, trial
from ganctl.building.components import resolve
from ganctl.building.weightless import weightless
from ganctl.data.album import NoneReadable
from ganctl.data.batch import Tensors
from ganctl.data.dataset import Dataset, Description
from ganctl.ema import Average
from ganctl.errors import UserError
from ganctl.games.game import Game
from ganctl.logs import untold
from ganctl.metrics.keys import ANY, Offer
from ganctl.metrics.offer import offer
from ganctl.nearest import hint
from ganctl.schedules import Linear, Schedule

Config = dict[str, Any]
NEEDED = ("game", "optimizers", "average")
OPTIONAL = ("every", "schedules")
DATA = "ganctl.data"  # the logger
FEW = 1_000  # pictures that are read for the sake of a message
BETAS = ("beta1", "beta2")  # names of a schedule for the two halves of Adam's `betas`


@dataclass(frozen=True)
class Looked:
    """A dataset, and what a look at the disk tells of it."""

    dataset: Dataset
    facts: Description


def look(node: Any, plugins: Sequence[str], mistakes: list[str]) -> Looked | None:
    """What the dataset is, from a look at the disk; None where it cannot be known.

    Where a setting of it is wrong, the setting's default stands in, and the look shows what else is. What the data
    has to say (pictures left out) it says when it is opened.
    """
    dataset, found = stand_in(node, Dataset, "dataset", plugins)
    mistakes += found
    try:
        with untold(DATA):
            return Looked(dataset, dataset.describe()) if isinstance(dataset, Dataset) else None
    except UserError as error:
        mistakes += error.mistakes
    except (ValueError, OSError) as error:
        mistakes.append(f"dataset: {error}")
    return None


def scant(looked: Looked, batch_size: int, *, sound: bool) -> list[str]:
    """What is wrong with data of fewer pictures than a batch takes. A few are read, to say how many are of use.

    sound: whether all settings of the dataset are the user's.
    """
    usable, found = looked.facts.count, list[str]()
    if sound and usable <= FEW:
        try:
            usable = opened(looked.dataset)
        except NoneReadable as error:  # no batch size would do
            return list(error.mistakes)
        except UserError as error:
            found += error.mistakes
            with suppress(UserError):
                usable = opened(skipping(looked.dataset))
    return [*found, too_large(batch_size, usable, looked.facts.count)]


def opened(dataset: Dataset) -> int:
    """How many pictures can be trained on. Raises UserError."""
    with untold(DATA):
        return len(dataset.open(torch.device("cpu")))


def skipping(dataset: Dataset) -> Dataset:
    """The same data with on_error=skip, where it has that setting: what it would be trained on once that is set."""
    lenient = copy(dataset)
    if hasattr(lenient, "on_error"):
        lenient.on_error = "skip"
    return lenient


def too_large(batch_size: int, usable: int, count: int) -> str:
    """The words for a batch that would hold a picture twice: of `count` pictures `usable` can be trained on."""
    have = (
        f"{usable} of the dataset's {count} images can be used" if usable < count else f"the dataset has {count} images"
    )
    return f"batch_size: {batch_size}; {have}; set batch_size={usable} or less"


def kinds(game: Any, dataset: Any, plugins: Sequence[str]) -> tuple[type[Tensors], type[Tensors]] | None:
    """What batches the game takes and the dataset deals; None where that cannot be known, which is told elsewhere."""
    try:
        player: Any = resolve(game[TARGET], (Game,), plugins)
        dealer: Any = resolve(dataset[TARGET], (Dataset,), plugins)
    except (ValueError, KeyError, TypeError):
        return None
    return player.batches, dealer.batches


def judge(model: Config, plugins: Sequence[str], mistakes: list[str], *, sizes_known: bool) -> Game | None:
    """The weightless game of the group `model`, resolved; all that is wrong with the group goes to `mistakes`.

    None where it cannot be built; unless the dataset's sizes are known, nothing is.
    """
    strange = [name for name in (*NEEDED, *OPTIONAL) if not isinstance(model.get(name), dict)]
    mistakes += [
        f"model.{name}: {shown(model.get(name))} is not a mapping; see conf/model/dcgan.yaml" for name in strange
    ]
    if strange:
        return None
    if not sizes_known:
        mistakes += check(model["game"], Game, "model.game", plugins)
    game, turns = _built(model["game"], plugins, mistakes) if sizes_known else (None, None)
    mistakes += _about_turns(model, turns)
    for turn, node in model["optimizers"].items():
        mistakes += _optimizer(node, f"model.optimizers.{turn}", plugins)[1]
    mistakes += _about_schedules(model, plugins)
    mistakes += _tried({"_target_": "ganctl.ema.Average", **model["average"]}, Average, "model.average", plugins)
    return game


def _built(node: Any, plugins: Sequence[str], mistakes: list[str]) -> tuple[Game | None, list[str] | None]:
    """The game, built without memory, and the names of its turns; None where it cannot be built."""
    with aside(), weightless():
        game, found = trial(node, Game, "model.game", plugins)
        mistakes += found
        try:
            return (game, [turn.name for turn in game.turns()]) if isinstance(game, Game) else (None, None)
        except ValueError as error:
            mistakes.append(f"model.game: {error}")
    return None, None


def offered(game: Game | None, looked: Looked | None, option: str | None, mistakes: list[str]) -> Offer:
    """What a run can be scored by, where `option` asks for scores; ANY where that cannot be known."""
    if game is None or looked is None or option is None:
        return ANY
    try:
        with aside():
            return offer(game, looked.dataset)
    except UserError as error:
        mistakes += [mistake.replace("metrics", option, 1) for mistake in error.mistakes]
    return ANY


@contextmanager
def aside() -> Iterator[None]:
    """Draws no random number that training would miss, and keeps PyTorch's remarks on impossible sizes to itself."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _about_turns(model: Config, turns: list[str] | None) -> list[str]:
    """Turns without an optimizer, and settings of turns that there are not."""
    known = list(model["optimizers"]) if turns is None else turns
    mistakes = [
        f"model.optimizers.{turn}: missing; the turn {turn!r} needs an optimizer"
        for turn in known
        if turn not in model["optimizers"]
    ]
    for name in ("optimizers", *OPTIONAL):
        for turn in model[name]:
            if turn not in known:
                there = hint(str(turn), known) or f"; there are: {', '.join(known)}"
                mistakes.append(f"model.{name}.{turn}: the game has no such turn{there}")
    for turn, every in model["every"].items():
        if type(every) is not int or every < 1:
            mistakes.append(f"model.every.{turn}: {shown(every)} is not a number of rounds; must be 1 or more")
    return mistakes


def _optimizer(node: Any, path: str, plugins: Sequence[str]) -> tuple[Any, list[str]]:
    """An optimizer of one parameter, and its mistakes."""
    optimizer, mistakes = trial(node, Optimizer, path, plugins, {"params": [nn.Parameter(torch.zeros(1, 1))]})
    if isinstance(optimizer, Optimizer):
        closure = inspect.signature(type(optimizer).step).parameters.get("closure")
        if closure is not None and closure.default is inspect.Parameter.empty:
            name = type(optimizer).__name__
            mistakes.append(f"{path}: {name} asks for the loss several times a step; choose another optimizer")
    return optimizer, mistakes


def _about_schedules(model: Config, plugins: Sequence[str]) -> list[str]:
    mistakes = _tried(model["schedules"], Mapping[str, Mapping[str, Schedule]], "model.schedules", plugins)
    for turn, fields in model["schedules"].items():
        optimizer, _ = _optimizer(model["optimizers"].get(turn), "", plugins)
        if isinstance(optimizer, Optimizer) and isinstance(fields, dict):
            known = _numbers(optimizer)
            for field in [field for field in fields if field not in known]:
                there = hint(str(field), known) or f"; it has {', '.join(known)}"
                mistakes.append(f"model.schedules.{turn}.{field}: the optimizer has no such number{there}")
    return mistakes


def ended(schedules: Config, images: int, plugins: Sequence[str]) -> Iterator[tuple[str, int]]:
    """(turn.field, images seen) of learning rates that are 0 before the end of a training of `images`."""
    built, _ = trial(schedules, Mapping[str, Mapping[str, Schedule]], "model.schedules", plugins)
    for turn, fields in built.items() if isinstance(built, dict) else ():
        for field, schedule in fields.items():
            if field == "lr" and isinstance(schedule, Linear) and schedule.end == 0 and schedule.end_images < images:
                yield f"{turn}.{field}", int(schedule.end_images)


def _numbers(optimizer: Optimizer) -> list[str]:
    """What of an optimizer a schedule can change."""
    numbers = [name for name, value in optimizer.defaults.items() if type(value) in (int, float)]
    return [*numbers, *(BETAS if "betas" in optimizer.defaults else ())]


def _tried(node: Any, expected: Any, path: str, plugins: Sequence[str]) -> list[str]:
    with aside():
        return trial(node, expected, path, plugins)[1]
