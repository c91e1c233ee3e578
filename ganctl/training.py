"""From a checked config to a finished run: builds the parts and hands them to Lightning."""

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from ganctl import checkpoint, config
from ganctl.build import build, build_optimizer
from ganctl.callbacks.checkpoints import Checkpoints
from ganctl.callbacks.gallery import Gallery
from ganctl.callbacks.progress import ShowProgress
from ganctl.callbacks.recorder import Recorder
from ganctl.callbacks.stopping import Stopping
from ganctl.data.dataset import Dataset, Table
from ganctl.data.stream import Stream, fixed
from ganctl.devices import Placement, place, precision_of, use_threads
from ganctl.ema import Average
from ganctl.errors import GanctlError
from ganctl.games.game import Game
from ganctl.module import GameModule
from ganctl.runs import Run
from ganctl.schedules import Schedule
from ganctl.schema import quantity
from ganctl.state import restore, restore_random_states

log = logging.getLogger("ganctl")
Config = dict[str, Any]
PREVIEW_COLUMNS = 8


def train(settings: Config, *, run: Run | None = None) -> Config:
    """Train from the first image on; `settings` come from `ganctl.config.prepare`. Returns the content of result.json."""
    placement = place(settings["device"])
    run = run or Run.create(settings)
    return Session(settings, placement, run).play()


def resume(run: Run, settings: Config) -> Config:
    """Continue a run from its last good checkpoint, as if it had never stopped."""
    placement = place(settings["device"])
    return Session(settings, placement, run).play(resuming=True)
