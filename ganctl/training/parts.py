"""The parts of a training, built from a checked config."""

from collections.abc import Mapping
from functools import partial
from inspect import signature
from typing import Any

import torch
from torch.optim import Optimizer

from ganctl.building.build import build, build_optimizer
from ganctl.data.dataset import Dataset
from ganctl.ema import Average
from ganctl.games.game import Game
from ganctl.module import GameModule
from ganctl.schedules import Schedule

Config = dict[str, Any]


def dataset_of(settings: Config) -> Dataset:
    """The dataset, not yet opened."""
    return build(settings["dataset"], Dataset, "dataset", settings["plugins"])


def game_of(settings: Config) -> Game:
    """The game with its networks, on the current default device."""
    return build(settings["model"]["game"], Game, "model.game", settings["plugins"])


def module_of(settings: Config, game: Game) -> GameModule:
    """The game in its Lightning module, with makers of its optimizers."""
    model, plugins = settings["model"], settings["plugins"]
    average = build({"_target_": "ganctl.ema.Average", **model["average"]}, Average, "model.average", plugins)
    schedules = build(model.get("schedules") or {}, Mapping[str, Mapping[str, Schedule]], "model.schedules", plugins)
    makers = {
        turn: partial(make_optimizer, node, f"model.optimizers.{turn}", plugins)
        for turn, node in model["optimizers"].items()
    }
    every = model.get("every") or {}
    return GameModule(game, makers, average, every, schedules, clip=settings["trainer"]["clip"])


def make_optimizer(node: Config, path: str, plugins: list[str], parameters: list[torch.nn.Parameter]) -> Optimizer:
    """The optimizer of a turn; fused, where it can be and the config does not say otherwise (7 % of a step)."""
    optimizer = build_optimizer(node, parameters, path, plugins)
    if "fused" in signature(type(optimizer).__init__).parameters and "fused" not in node and "foreach" not in node:
        return build_optimizer({**node, "fused": True}, parameters, path, plugins)
    return optimizer
