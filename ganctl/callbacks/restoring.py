"""Continues from a checkpoint: weights and counters before training starts, random states right before its round."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl

from ganctl.callbacks.state import restore, restore_random_states
from ganctl.module import GameModule


class Restoring(pl.Callback):
    """Stands last among the callbacks, so that nothing draws random numbers after it. state: this process's own."""

    def __init__(self, state: dict[str, Any], callbacks: Mapping[str, pl.Callback]) -> None:
        self.state, self.callbacks = state, callbacks
        self.waiting = True

    def on_fit_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        restore(self.state, module, self.callbacks)

    def on_train_batch_start(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        if self.waiting:
            restore_random_states(self.state["random"], module.device)
            self.waiting = False
