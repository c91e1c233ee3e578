"""Progress: a bar on a terminal, plain lines elsewhere; images seen, images per second, time left, losses."""

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ganctl.callbacks.recorder import Recorder
from ganctl.module import GameModule

log = logging.getLogger("ganctl")
QUIET_SECONDS = 10.0  # between plain lines
REFRESH_SECONDS = 0.5  # of the bar


class ShowProgress(pl.Callback):
    """Tells how far training is."""

    def __init__(self, images: int, recorder: Recorder) -> None:
        self.images, self.recorder = images, recorder
        self.bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        self.began, self.told, self.first = time.monotonic(), time.monotonic(), module.images_seen
        if sys.stdout.isatty() and trainer.is_global_zero:
            columns = (TextColumn("{task.completed:,.0f} of {task.total:,.0f} images"), BarColumn())
            self.bar = Progress(*columns, TimeRemainingColumn(), TextColumn("{task.description}"))
            self.task = self.bar.add_task("", total=self.images, completed=module.images_seen)
            self.bar.start()

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        now = time.monotonic()
        if now - self.told < (REFRESH_SECONDS if self.bar else QUIET_SECONDS) and not trainer.should_stop:
            return
        self.told = now
        speed = (module.images_seen - self.first) / max(now - self.began, 1e-9)
        words = f"{speed:,.0f} images/s  {self.losses()}  {module.game.status()}".rstrip()
        if self.bar:
            self.bar.update(self.task, completed=module.images_seen, description=words)
        else:
            left = max(self.images - module.images_seen, 0) / max(speed, 1e-9)
            log.info("%s of %s images  %s  %s left", f"{module.images_seen:,}", f"{self.images:,}", words, clock(left))

    def losses(self) -> str:
        """The last window's objectives, without what is only watched."""
        shown = {k: v for k, v in self.recorder.latest.items() if not k.endswith(("/real", "/fake", "/gradient"))}
        return "  ".join(f"{name} {value:.3g}" for name, value in shown.items())

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if self.bar:
            self.bar.stop()


def clock(seconds: float) -> str:
    """Seconds as 1:02:03 or 2:03."""
    hours, rest = divmod(int(seconds), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
