"""Checkpoints after whole rounds: the last one, numbered ones, each checked before it is written."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import move_data_to_device

from ganctl.callbacks.pace import crossed
from ganctl.callbacks.state import capture, others_own
from ganctl.chance import kept
from ganctl.errors import NotFinite
from ganctl.module import GameModule
from ganctl.runs import checkpoint
from ganctl.runs.store import Run, numbered_path, prune, update_status


class Checkpoints(pl.Callback):
    """Saves `last.ckpt` every `every` images and at the end, and keeps `keep` numbered ones beside it."""

    def __init__(
        self, run: Run, config: dict[str, Any], every: int | None, keep: int, callbacks: Mapping[str, pl.Callback]
    ) -> None:
        self.run, self.config, self.every, self.keep, self.callbacks = run, config, every, keep, callbacks
        self.others: list[dict[str, Any]] = []  # of a run on several devices: what only the other processes know

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        due = crossed(module.told_at, module.images_seen, self.every)
        if due or trainer.should_stop:
            self.others = states_of_others(trainer, module)
            if trainer.is_global_zero:
                self.save(module, numbered=due)

    def save(self, module: GameModule, *, numbered: bool) -> None:
        """Write the state of this round; NotFinite, and nothing written, if a weight is not finite."""
        content = self.content(module)
        checkpoint.save(self.run.checkpoints / "last.ckpt", content)
        update_status(self.run, images_seen=module.images_seen)
        if numbered and self.keep > 0:
            checkpoint.save(numbered_path(self.run, module.images_seen), content)
            prune(self.run, self.keep)

    def keep_best(self, module: GameModule) -> None:
        """Write this round's state as best.ckpt; the one before it makes way."""
        checkpoint.save(self.run.checkpoints / "best.ckpt", self.content(module))

    def content(self, module: GameModule) -> dict[str, Any]:
        """What a checkpoint holds, with the averages' batch statistics measured anew."""
        with kept(module.device):
            module.average.measure(module.game)
        content = {**capture(module, self.callbacks, self.others), "config": self.config}
        check_weights(content, module.rounds)
        return content


def states_of_others(trainer: pl.Trainer, module: GameModule) -> list[dict[str, Any]]:
    """What differs between the run's processes, of all but the first; every process takes part."""
    if trainer.world_size == 1:
        return []
    found: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(found, move_data_to_device(others_own(module), "cpu"))
    return found[1:]


def check_weights(content: dict[str, Any], rounds: int) -> None:
    """NotFinite naming the first weight or average that is not finite."""
    for part in ("game", "average"):
        for name, value in content[part].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise NotFinite(
                    f"round {rounds}: {name} of the {part} is not finite; training stopped before saving, and the "
                    "last good checkpoint, if one was saved, is kept. Try lower learning rates or precision=32"
                )
