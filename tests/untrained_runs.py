"""Runs whose checkpoint holds fresh weights: made in a moment, for commands on runs."""

from pathlib import Path

import torch

from ganctl.config.preparation import compose, prepare
from ganctl.ema import Average
from ganctl.runs import checkpoint, store
from ganctl.training.parts import game_of


def make_run(outputs: Path, name: str, *overrides: str) -> store.Run:
    """A finished-looking run of these overrides; the average is the game as it is."""
    settings = prepare(compose([*overrides]))
    torch.manual_seed(0)
    game = game_of(settings)
    average = Average()
    average.follow(game)
    run = store.create(outputs, name, settings, settings["choices"], images=640)
    content = {"images_seen": 640, "config": settings, "game": game.state_dict(), "average": average.state_dict()}
    checkpoint.save(run.checkpoints / "last.ckpt", content)
    return run
