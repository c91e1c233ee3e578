"""The doctor's word on a run after the fact: what training wrote, or an examination of its last checkpoint."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganctl.building.build import build
from ganctl.data.dataset import Dataset
from ganctl.data.roots import of_a_run
from ganctl.doctor.advice import advise
from ganctl.doctor.examination import Examination
from ganctl.doctor.history import FILE, Diagnosis, read
from ganctl.doctor.rules import diagnose
from ganctl.doctor.signals import Signals, from_window
from ganctl.doctor.view import View
from ganctl.runs.store import Run
from ganctl.trained.loading import load_game


def diagnosed(run: Run) -> list[Diagnosis]:
    """All checks that training made so far, also while it goes on; empty where it made none."""
    return read(run.folder / FILE)


def examined(run: Run, device: Any = "auto", plugins: Sequence[str] = ()) -> list[Diagnosis]:
    """One check of the last checkpoint, with the losses' file as its past. Writes nothing.

    Raises UserError in words for a run without a checkpoint, or whose data is gone.
    """
    loaded = load_game(run.folder, "last", ema=False, device=device, plugins=plugins)
    with of_a_run(loaded.config["dataset"]):
        dataset = build(loaded.config["dataset"], Dataset, "dataset", plugins)
        described, table = dataset.describe(), dataset.open(loaded.device)
    examination = Examination(table, loaded.game, described.classes, described.names)
    past = windows(run.metrics_file, loaded.images_seen)
    now = past.pop() if past else Signals(loaded.images_seen, 0)
    measured = examination.measure(loaded.game, loaded.device)
    last = Signals(**{**vars(now), "images_seen": loaded.images_seen, **measured})
    view = View([*past, last], examination.facts, int(loaded.config["images"]), alone=True)
    verdict = diagnose(view)
    return [Diagnosis(verdict, last, examination.facts, advise(verdict, loaded.config, examination.facts))]


def windows(file: Path, images_seen: int) -> list[Signals]:
    """The rows of metrics.csv up to the checkpoint, without what only samples tell."""
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        rows = [{name: float(text) for name, text in row.items() if text} for row in csv.DictReader(lines)]
    moments = [(int(row.pop("images_seen")), int(row.pop("rounds")), row) for row in rows]
    return [from_window(seen, rounds, row) for seen, rounds, row in moments if seen <= images_seen]
