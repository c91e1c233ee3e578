"""Scores of a checkpoint against the data that its run was trained on. No Lightning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganctl.building.build import build
from ganctl.data.dataset import Dataset
from ganctl.data.roots import of_a_run
from ganctl.errors import GanctlError, UserError
from ganctl.metrics.evaluation import FILE, Evaluation, append
from ganctl.metrics.panels import Judge, Wanted, panel_of
from ganctl.pictures import save_picture
from ganctl.runs.store import run_around
from ganctl.trained.loading import Loaded, load_game

NOTHING = Wanted()


@dataclass(frozen=True)
class Evaluated:
    """Scores of one checkpoint, and the pictures that explain them (name -> [H, W, 3] uint8)."""

    evaluation: Evaluation
    path: Path  # of the checkpoint
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The run's, or where a checkpoint outside any run lies."""
        run = run_around(self.path)
        return run.folder if run else self.path.parent

    def write(self) -> list[Path]:
        """A line in evaluations.jsonl and the pictures in evaluation/; returns what was written."""
        try:
            append(self.folder / FILE, self.evaluation)
            written = [self.folder / FILE]
            for name, picture in self.pictures.items():
                written.append(self.folder / "evaluation" / f"{name}-{self.evaluation.images_seen:09d}.png")
                save_picture(picture, written[-1])
        except OSError as error:
            raise GanctlError(f"{self.folder}: the scores cannot be written: {error.strerror or error}") from error
        return written


def evaluate(
    run: str | Path | None = None,
    ckpt: str | int = "last",
    wanted: Wanted = NOTHING,
    *,
    device: Any = "auto",
    plugins: Sequence[str] = (),
) -> Evaluated:
    """Load, draw, score; nothing is written. Arguments are those of `loading.load_game`. Raises UserError.

    shares = evaluate("outputs/first", wanted=Wanted(metrics=["coverage"], count=1000)).evaluation.histogram
    """
    loaded = load_game(run, ckpt, ema=wanted.averaged, device=device, plugins=plugins)
    judge = judge_of(loaded, wanted, plugins)
    found = replace(judge.evaluate(loaded.game, loaded.images_seen), checkpoint=loaded.path.name)
    return Evaluated(found, loaded.path, judge.pictures(loaded.game))


def judge_of(loaded: Loaded, wanted: Wanted, plugins: Sequence[str] = ()) -> Judge:
    """The panel for the data that a checkpoint's config names."""
    settings = {**loaded.config, "dataset": tested_on(loaded.config["dataset"], wanted.test)}
    with of_a_run(settings["dataset"]):
        dataset = build(settings["dataset"], Dataset, "dataset", plugins)
        table = dataset.open(loaded.device)
    return panel_of(settings, dataset, table, loaded.game, wanted, loaded.device)


def tested_on(node: Mapping[str, Any], test: str | None) -> Mapping[str, Any]:
    """A dataset's settings with other test pictures, where it can have some. Raises UserError."""
    if test is None:
        return node
    if "test" not in node:
        kind = str(node["_target_"]).rpartition(".")[2]
        raise UserError(f"test: {test}; a run on {kind} is scored on its own data; leave test out")
    return {**node, "test": test}
