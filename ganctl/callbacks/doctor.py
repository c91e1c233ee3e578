"""Examines the training every so often: a line in diagnosis.jsonl, and words when the verdict changes."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganctl.callbacks.pace import crossed
from ganctl.callbacks.recorder import Recorder
from ganctl.doctor.advice import advise
from ganctl.doctor.examination import Examination
from ganctl.doctor.history import Diagnosis, append, rewind
from ganctl.doctor.rules import Verdict, diagnose
from ganctl.doctor.signals import Signals, from_window
from ganctl.doctor.view import View
from ganctl.errors import NotFinite
from ganctl.module import GameModule

log = logging.getLogger("ganctl")
PATIENCE = 3  # red checks in a row, after which a training that may be stopped is stopped


class Doctor(pl.Callback):
    """Stands behind the recorder, whose last window it reads, and before the checkpoint writer, so that a checkpoint
    and the file agree. What it knows lies in the file; training goes on bit for bit as it would without it.

    settings: the run's, for advice. stop: end training when the verdict stays red.
    """

    def __init__(
        self,
        examination: Examination,
        recorder: Recorder,
        file: Path,
        every: int,
        settings: Mapping[str, Any],
        stop: bool = False,
    ) -> None:
        self.examination, self.recorder, self.file, self.every = examination, recorder, file, every
        self.settings, self.stop = settings, stop
        self.found: list[Diagnosis] = []

    @property
    def verdict(self) -> Verdict | None:
        """The last one."""
        return self.found[-1].verdict if self.found else None

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        if trainer.is_global_zero:
            self.found = rewind(self.file, module.images_seen)

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        due = crossed(module.told_at, module.images_seen, self.every) or trainer.should_stop
        if due and trainer.is_global_zero:
            self.examine(trainer, module)

    def on_exception(self, trainer: pl.Trainer, module: GameModule, exception: BaseException) -> None:  # type: ignore[override]
        if isinstance(exception, NotFinite) and trainer.is_global_zero:
            self.conclude(Signals(module.images_seen, module.rounds, finite=False), trainer)

    def examine(self, trainer: pl.Trainer, module: GameModule) -> None:
        """One check; a failure is told and passed over, for it must not end a training of many hours."""
        try:
            measured = self.examination.measure(module.game, module.device)
        except Exception as error:
            log.warning("The doctor's check at %s images failed (%s); training goes on", module.images_seen, error)
            log.debug("check failed", exc_info=error)
            return
        self.conclude(from_window(module.images_seen, module.rounds, self.recorder.latest, **measured), trainer)

    def conclude(self, seen: Signals, trainer: pl.Trainer) -> None:
        """Judge, write, tell."""
        history = [*(each.signals for each in self.found), seen]
        verdict = diagnose(View(history, self.examination.facts, int(self.settings["images"])))
        before = self.verdict
        found = Diagnosis(verdict, seen, self.examination.facts, advise(verdict, self.settings, self.examination.facts))
        self.found.append(found)
        append(self.file, found)
        if before is None or (before.name, before.level) != (verdict.name, verdict.level):
            self.tell(found, trainer)
        recent = self.found[-PATIENCE:]
        if self.stop and len(recent) == PATIENCE and all(each.verdict.hopeless for each in recent):
            log.info("Stopped early by the doctor: %s", verdict.name)
            trainer.should_stop = True

    def tell(self, found: Diagnosis, trainer: pl.Trainer) -> None:
        """One line in the log, and the same in TensorBoard."""
        line = sentence(found)
        log.log(logging.WARNING if found.verdict.level == "red" else logging.INFO, "Doctor: %s", line)
        for logger in trainer.loggers:
            if isinstance(logger, pl.loggers.TensorBoardLogger):
                logger.experiment.add_text("doctor", line, found.images)


def sentence(found: Diagnosis) -> str:
    """Verdict, number and advice on one line."""
    advice = f" Try {found.advice.override}: {found.advice.words}" if found.advice else ""
    return f"{found.verdict.name}. {found.verdict.words}{advice}"
