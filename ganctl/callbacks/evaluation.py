"""Scores the averaged generator while training, keeps the best checkpoint, and may stop when it gets worse."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganctl.callbacks.pace import crossed
from ganctl.metrics.contract import Score
from ganctl.metrics.evaluation import Evaluation, append, forget
from ganctl.metrics.isolation import isolated
from ganctl.metrics.panels import Judge
from ganctl.metrics.pointpanel import PointPanel
from ganctl.module import GameModule
from ganctl.pictures import save_picture

log = logging.getLogger("ganctl")
WORSE, PATIENCE = 1.5, 3  # stop when the metric lies this far from its best, so many evaluations in a row
SHOWN = 5  # scores in the line that is printed
USUAL = ("psnr", "fd", "kd", "kl", "diversity")  # by which the best checkpoint is chosen, the first that was taken


class Evaluating(pl.Callback):
    """Stands before the checkpoint writer, so that a checkpoint holds what was found in its own round.

    keep_best: writes best.ckpt. watch: key of the score that decides; None: the usual one. stop: end training early.
    Training goes on bit for bit as it would without, also when an evaluation fails.
    """

    def __init__(
        self,
        judge: Judge,
        file: Path,
        every: int,
        keep_best: Callable[[GameModule], None],
        watch: str | None = None,
        stop: bool = False,
    ) -> None:
        self.judge, self.file, self.every, self.keep_best = judge, file, every, keep_best
        self.watch, self.stop = watch, stop
        self.best: dict[str, Any] = {}  # of the watched score: key, name, value, images_seen
        self.worse = 0  # evaluations in a row

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        if trainer.is_global_zero:
            forget(self.file, module.images_seen)

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        due = crossed(module.told_at, module.images_seen, self.every) or trainer.should_stop
        if due and trainer.is_global_zero:
            self.evaluate(trainer, module)

    def evaluate(self, trainer: pl.Trainer, module: GameModule) -> None:
        """Score this round; a failure is told and passed over."""
        try:
            found = scored(self.judge, module)
        except Exception as error:  # whatever fails here must not end a training of many hours
            log.warning("The evaluation at %s images failed (%s); training goes on", f"{module.images_seen:,}", error)
            log.debug("evaluation failed", exc_info=error)
            return
        append(self.file, found)
        score = next((score for key in ([self.watch] if self.watch else USUAL) if (score := found.score(key))), None)
        log.info("%s images: %s", f"{found.images_seen:,}", summary(found, score))
        self.show(trainer, found)
        if score is not None:
            self.follow(score, trainer, module)

    def follow(self, score: Score, trainer: pl.Trainer, module: GameModule) -> None:
        """Keep the best, count the worse."""
        if not self.best or better(score, self.best["value"]):
            self.best = {"key": score.key, "name": score.name, "value": score.value, "images_seen": module.images_seen}
            self.worse = 0
            self.keep_best(module)
            return
        self.worse = self.worse + 1 if much_worse(score, self.best["value"]) else 0
        if self.stop and self.worse >= PATIENCE and not trainer.should_stop:
            log.info(
                "Stopped early: %s was worse than %g times its best in %d evaluations; best.ckpt is of %s images",
                *(score.name, WORSE, PATIENCE, f"{self.best['images_seen']:,}"),
            )
            trainer.should_stop = True

    def show(self, trainer: pl.Trainer, found: Evaluation) -> None:
        """Curves in TensorBoard; for points also a plot in scatter/."""
        values = {f"evaluation/{score.name}": score.value for score in found.scores}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=found.images_seen)
        if isinstance(self.judge, PointPanel) and self.judge.latest is not None:
            save_picture(self.judge.latest, self.file.parent / "scatter" / f"{found.images_seen:09d}.png")

    def state_dict(self) -> dict[str, Any]:
        return {"best": dict(self.best), "worse": self.worse}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best, self.worse = dict(state_dict["best"]), state_dict["worse"]


def scored(judge: Judge, module: GameModule) -> Evaluation:
    """The averaged networks' evaluation, as of training."""
    with isolated(), module.average.sampled(module.game):
        found = judge.evaluate(module.game, module.images_seen)
    return replace(found, origin="training")


def better(score: Score, best: float) -> bool:
    """Whether the score is better than the best value so far."""
    return score.value < best if score.lower_is_better else score.value > best


def much_worse(score: Score, best: float) -> bool:
    """1.5 times the best or more (a distance counts from its floor: near it all values are alike)."""
    if score.lower_is_better:
        return score.value > WORSE * max(best, score.floor or 0.0, 0.0)
    return score.value < best / WORSE


def summary(found: Evaluation, decides: Score | None) -> str:
    """The score that decides, and the first of the others, on one line."""
    ordered = sorted(found.scores, key=lambda score: score is not decides)
    return "  ".join(f"{score.name} {score.value:.4g}" for score in ordered[:SHOWN])
