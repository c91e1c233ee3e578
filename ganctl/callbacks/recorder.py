"""Losses into metrics.csv and TensorBoard, read from the device once a window; stops when one is not finite."""

import csv
import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganctl.errors import NotFinite
from ganctl.module import GameModule
from ganctl.runs.atomic import write_text


class Recorder(pl.Callback):
    """Writes a row every `every` rounds. The file holds nothing that differs between a run and its repetition:
    no times, so that an interrupted run, resumed, ends with the very same bytes.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every
        self.columns: list[str] = []
        self.latest: dict[str, float] = {}
        self.rows = 0

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        # under a scaler gradients are multiplied by its scale, and overflow now and then, as they should
        module.watch_every = self.every if module.scaler is None else 0
        if trainer.is_global_zero:
            truncate(self.path, self.rows + 1 if self.rows else 0)

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        if module.rounds % self.every == 0:
            self.record(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        """The window that the end cut short. Its checkpoint holds the window itself: a continuation drops this row."""
        if module.tally.sums:
            self.record(trainer, module)

    def record(self, trainer: pl.Trainer, module: GameModule) -> None:
        """Close the window: read, check, write."""
        self.latest = module.tally.read(trainer.strategy.reduce)
        check_finite(self.latest, module.rounds)
        if not trainer.is_global_zero:
            return
        self.columns = self.columns or ["images_seen", "rounds", *self.latest]
        self._append({"images_seen": module.images_seen, "rounds": module.rounds, **self.latest})
        for logger in trainer.loggers:
            logger.log_metrics(self.latest, step=module.images_seen)

    def _append(self, row: dict[str, float]) -> None:
        new = [name for name in row if name not in self.columns]
        if new:  # a turn that did not play in the first window
            self.columns += new
            rewrite(self.path, self.columns)
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns, restval="", lineterminator="\n")
            if self.rows == 0:
                writer.writeheader()
            writer.writerow(row)
        self.rows += 1

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "columns": list(self.columns), "latest": dict(self.latest)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows, self.columns, self.latest = state_dict["rows"], state_dict["columns"], state_dict["latest"]


def check_finite(values: dict[str, float], rounds: int) -> None:
    """NotFinite, naming the first bad quantity and its meaning."""
    for name, value in values.items():
        if not math.isfinite(value):
            turn, _, quantity = name.partition("/")
            raise NotFinite(
                f"round {rounds}: {quantity} in the {turn}'s turn is {value}; training stopped; the last good "
                "checkpoint, if one was saved, is kept. The usual cause is a learning rate that is too high; "
                f"try a fifth of it: model.optimizers.{turn}.lr=..., or precision=32"
            )


def truncate(path: Path, lines: int) -> None:
    """Keep the first `lines` lines: what was logged after the checkpoint will be logged again."""
    if path.exists():
        kept = path.read_text().splitlines(keepends=True)[:lines]
        write_text(path, "".join(kept))


def rewrite(path: Path, columns: list[str]) -> None:
    """Give a CSV file more columns; older rows are empty there."""
    if not path.exists():
        return
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [",".join(columns), *(",".join(row.get(name, "") or "" for name in columns) for row in rows)]
    write_text(path, "\n".join(lines) + "\n" if rows else "")
