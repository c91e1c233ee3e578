"""The processes of a run on several devices stop after the same round."""

from typing import Any

import pytorch_lightning as pl

from ganctl.module import GameModule


class Agreeing(pl.Callback):
    """If one of the processes wants to stop, all do. Stands after whoever asks for it, before the checkpoint writer."""

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        trainer.should_stop = trainer.strategy.reduce_boolean_decision(trainer.should_stop, all=False)
