"""All that a run's folder tells of it, read without touching it, also while it is still training."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ganctl.doctor import history
from ganctl.doctor.history import Diagnosis
from ganctl.doctor.rules import Verdict
from ganctl.errors import GanctlError, UserError
from ganctl.metrics.evaluation import FILE, Evaluation, read
from ganctl.metrics.panels import name_of
from ganctl.runs.figures import number, rows_of
from ganctl.runs.store import Run, Status, available, outputs_root, read_config, read_result, read_status

NEEDED = ("model", "dataset", "description", "seed")


@dataclass(frozen=True)
class Record:
    """One run; whatever is missing is None or empty."""

    run: Run
    config: Mapping[str, Any]
    status: Status
    result: Mapping[str, Any]
    evaluations: Sequence[Evaluation]  # oldest first
    diagnosis: Diagnosis | None  # the doctor's last

    @property
    def name(self) -> str:
        """As it is typed in `run=`: below outputs/, else its path."""
        inside = os.path.relpath(self.run.folder, outputs_root())
        return str(self.run.folder) if inside.startswith("..") else inside

    @property
    def choices(self) -> Mapping[str, str]:
        """Group -> option."""
        return self.config.get("choices") or {}

    @property
    def model(self) -> str:
        """The option, or the game's class."""
        return self.choices.get("model") or str(self.config["model"].get("game", {}).get("_target_")).rpartition(".")[2]

    @property
    def data(self) -> str:
        """What the dataset is called, with its shape."""
        return name_of(self.config)

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def images_seen(self) -> int:
        return self.status.images_seen

    @property
    def seconds(self) -> float | None:
        """Of training; None before any was counted."""
        return self.status.seconds or None

    @property
    def speed(self) -> float | None:
        """Images per second, over all of the training."""
        return self.images_seen / self.seconds if self.seconds else None

    @property
    def memory(self) -> int | None:
        """Bytes at the peak; known when a run has ended."""
        return self.result.get("peak_memory")

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """Network -> how many numbers it learns; empty where the config no longer builds."""
        stored = self.result.get("parameters")
        if isinstance(stored, dict):
            return stored
        from ganctl.building.weightless import weightless
        from ganctl.training.parts import game_of

        try:
            with weightless():
                return game_of({**self.config, "plugins": []}).parameter_counts()
        except (GanctlError, ValueError, KeyError):
            return {}

    @cached_property
    def curves(self) -> Mapping[str, tuple[list[float], list[float]]]:
        """Name -> images seen and values, of everything in metrics.csv."""
        found: dict[str, tuple[list[float], list[float]]] = {}
        for row in rows_of(self.run.metrics_file):
            seen = number(row.pop("images_seen", ""))
            row.pop("rounds", None)
            for name, text in row.items():
                value = number(text)
                if seen is not None and value is not None:
                    found.setdefault(name, ([], []))[0].append(seen)
                    found[name][1].append(value)
        return found

    @property
    def verdict(self) -> Verdict | None:
        """The doctor's last word."""
        return None if self.diagnosis is None else self.diagnosis.verdict

    @property
    def checkpoints(self) -> list[str]:
        """What `ckpt=` can name."""
        return available(self.run)

    @property
    def has_pictures(self) -> bool:
        """Whether training left a sheet."""
        return any(self.run.samples.glob("*.png"))


def record(run: Run) -> Record:
    """Read a run's folder. Raises UserError where its settings are not those of ganctl."""
    config = read_config(run)
    missing = [name for name in NEEDED if name not in config]
    if missing:
        raise UserError(f"{run.config_file}: holds no {missing[0]}; it was not written by ganctl train")
    checks = history.read(run.folder / history.FILE)
    last = checks[-1] if checks else None
    return Record(run, config, read_status(run), read_result(run), read(run.folder / FILE), last)
