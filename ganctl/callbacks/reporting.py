"""status.json while training: how far, since when, by whom."""

import time
from typing import Any

import pytorch_lightning as pl

from ganctl.module import GameModule
from ganctl.runs.store import Run, read_status, update_status

EVERY_SECONDS = 5.0


class Reporting(pl.Callback):
    """Counts the seconds of training over all continuations, and tells the folder how far training is."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.seconds_before = read_status(run).seconds
        self.began = self.told = 0.0  # 0: not yet

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        self.began = self.told = time.monotonic()
        self.first = module.images_seen

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        now = time.monotonic()
        if now - self.told > EVERY_SECONDS and trainer.is_global_zero:
            self.told = now
            update_status(self.run, images_seen=module.images_seen, seconds=self.seconds)

    @property
    def begun(self) -> bool:
        """Whether training has started."""
        return self.began > 0

    @property
    def seconds(self) -> float:
        """Spent in training so far."""
        return self.seconds_before + time.monotonic() - self.began

    def speed(self, images_seen: int) -> float:
        """Images per second since it was begun or resumed, samples and checkpoints included."""
        return (images_seen - self.first) / max(time.monotonic() - self.began, 1e-9)
