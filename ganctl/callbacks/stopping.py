"""Why training ends: its length is reached, its time is over, or somebody asked."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from ganctl.errors import INTERRUPTED, OK, TERMINATED
from ganctl.module import GameModule

EXIT_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


class Stopping(pl.Callback):
    """Stands first: what is due at a training's end is done after the round in which it is reached.

    Ctrl-C and SIGTERM are only remembered here, see `Interrupting`; a second Ctrl-C stops at once.

    minutes: of training, over all continuations, as `spent` counts its seconds.
    """

    def __init__(self, images: int, minutes: float | None = None, spent: Callable[[], float] = float) -> None:
        self.images, self.exit_code = images, OK
        self.seconds, self.spent = float("inf") if minutes is None else 60 * minutes, spent
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        if threading.current_thread() is threading.main_thread():  # to others signals do not come
            for number in EXIT_CODES:
                self._before[number] = signal.signal(number, self._ask)
        if module.images_seen >= self.images:  # killed after its last checkpoint, before it was called finished
            trainer.should_stop = True

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        if module.images_seen >= self.images or self.spent() >= self.seconds:
            trainer.should_stop = True

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.exit_code == INTERRUPTED and number == signal.SIGINT:
            os._exit(INTERRUPTED)
        self.exit_code = EXIT_CODES[signal.Signals(number)]


class Interrupting(pl.Callback):
    """Ends after the round in which a signal came. Stands right before the checkpoint writer: what is interrupted is
    saved, but neither sampled, examined nor evaluated out of turn, so that its continuation leaves what an
    uninterrupted one would.
    """

    def __init__(self, stopping: Stopping) -> None:
        self.stopping = stopping

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        if self.stopping.exit_code:
            trainer.should_stop = True
