"""Scores of a checkpoint against the data that its run was trained on. No Lightning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganctl.build import build
from ganctl.data.dataset import Dataset
from ganctl.errors import GanctlError
from ganctl.metrics.evaluation import FILE, Evaluation, append
from ganctl.metrics.panel import Panel
from ganctl.metrics.panels import Judge, Wanted, panel_of
from ganctl.metrics.pointpanel import PointPanel
from ganctl.pictures import save_picture
from ganctl.runs import run_around
from ganctl.sampling import Sampler, load

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
    """Load, draw, score; nothing is written. Arguments are those of `ganctl.sampling.load`. Raises UserError.

    shares = evaluate("outputs/first", wanted=Wanted(metrics=["coverage"], count=1000)).evaluation.histogram
    """
    sampler = load(run, ckpt, ema=wanted.averaged, device=device, plugins=plugins)
    judge = judge_of(sampler, wanted, plugins)
    found = replace(judge.evaluate(sampler.game, sampler.images_seen), checkpoint=sampler.path.name)
    return Evaluated(found, sampler.path, pictures_of(judge, sampler, wanted))


def judge_of(sampler: Sampler, wanted: Wanted, plugins: Sequence[str] = ()) -> Judge:
    """The panel for the data that a checkpoint's config names."""
    dataset = build(sampler.config["dataset"], Dataset, "dataset", plugins)
    table = dataset.open(sampler.device)
    return panel_of(sampler.config, dataset, table, sampler.game, wanted, sampler.device)


def pictures_of(judge: Judge, sampler: Sampler, wanted: Wanted) -> dict[str, np.ndarray]:
    """A plot of points, or the samples beside their nearest training pictures where that was measured."""
    if isinstance(judge, PointPanel) and judge.latest is not None:
        return {"points": judge.latest}
    if isinstance(judge, Panel) and "memorisation" in judge.metrics:
        return {"nearest": judge.nearest_sheet(sampler.game)}
    return {}
