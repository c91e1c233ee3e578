"""Watches one trial of a search from outside and ends it early: when the doctor sees red, or others do better."""

import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ganctl.doctor import history
from ganctl.metrics.evaluation import FILE, read

RED_IN_A_ROW = 2  # checks, before a run counts as sick


class Referee:
    """signals: what the whole search was sent. every: images between evaluations."""

    def __init__(self, trial: Any, folder: Path, key: str, every: int, signals: Callable[[], Sequence[int]]) -> None:
        self.trial, self.folder, self.key, self.every, self.outer = trial, folder, key, every, signals
        self.reason = ""  # why the run was ended early
        self.sizes: dict[str, int] = {}
        self.reported: set[int] = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def signals(self) -> list[int]:
        """Those of the search; SIGTERM from the moment on that the run is lost."""
        if not self.reason:
            self.reason = self.sick() or self.worse()
        return [*self.outer(), *([signal.SIGTERM] if self.reason else [])]

    def sick(self) -> str:
        """The doctor's verdict, if the last checks were red."""
        if not self.grown(history.FILE):
            return ""
        last = [each.verdict for each in history.read(self.folder / history.FILE)[-RED_IN_A_ROW:]]
        red = len(last) == RED_IN_A_ROW and all(verdict.hopeless for verdict in last)
        return f"stopped early: the doctor says {last[-1].name}" if red else ""

    def worse(self) -> str:
        """Words, if the score lies behind the median of the other trials at the same length."""
        if not self.grown(FILE):
            return ""
        for found in read(self.folder / FILE):
            step, score = found.images_seen // self.every, found.score(self.key)
            if score is not None and step not in self.reported:
                self.reported.add(step)
                self.trial.report(score.value, step)
                if self.trial.should_prune():
                    seen = f"{found.images_seen:,} images"
                    return f"stopped early: {score.name} {score.value:.4g} after {seen} is behind the other trials"
        return ""

    def grown(self, name: str) -> bool:
        """Whether a file has changed since the last look."""
        path = self.folder / name
        size = path.stat().st_size if path.exists() else 0
        before, self.sizes[name] = self.sizes.get(name, 0), size
        return size != before
