"""The last figures of a run, from metrics.csv and evaluations.jsonl. Imports nothing heavy."""

import csv
from collections.abc import Mapping
from pathlib import Path

from ganctl.metrics.contract import Score
from ganctl.metrics.evaluation import FILE, read
from ganctl.metrics.keys import NAMES
from ganctl.runs.store import Run, read_result

PLACES = ("images_seen", "rounds")  # columns of metrics.csv that say when, not how well
WATCHED = ("real", "fake", "wins", "gradient")  # ends of names that are only watched, not lowered
TELLING = (
    *("fd", "precision", "recall", "covered", "high_quality", "modes", "kl", "psnr", "ssim", "lpips"),
    *("kd", "conditional", "diversity"),
)
MOST_TOLD = 4  # scores in a narrow place


def last_figures(run: Run, name: str = "") -> dict[str, float]:
    """Name -> value: the last losses, and the scores of `last_scores` by their keys. Nothing where there is nothing."""
    last = next(reversed(rows_of(run.metrics_file)), {})
    losses = {name: number(text) for name, text in last.items() if name not in PLACES}
    found = {name: value for name, value in losses.items() if value is not None}
    return found | {key: score.value for key, score in last_scores(run, name).items()}


def last_scores(run: Run, name: str = "") -> dict[str, Score]:
    """Key -> the score that was taken last, whichever evaluation took it; where some are called `name`, of those."""
    taken = [score for evaluation in read(run.folder / FILE) for score in evaluation.scores]
    return {score.key: score for score in [*taken, *(score for score in taken if score.name == name)]}


def deciding(run: Run) -> str:
    """Key of the score that chose a finished run's best checkpoint; empty where none did."""
    best = read_result(run).get("best")
    return str(best.get("key", "")) if isinstance(best, dict) else ""


def telling(figures: Mapping[str, float], first: str = "") -> dict[str, float]:
    """The figures for a narrow place: `first` and some scores, or, without any, losses that are not only watched."""
    scores = [name for name in dict.fromkeys((first, *TELLING)) if name in figures][:MOST_TOLD]
    if scores:
        return {name: figures[name] for name in scores}
    losses = {name: value for name, value in figures.items() if name.partition("/")[0] not in NAMES}  # kd/a2b is a kd
    return {name: value for name, value in losses.items() if name.rpartition("/")[2] not in WATCHED}


def rows_of(file: Path) -> list[dict[str, str]]:
    """The lines of a CSV under its header, without what is empty; none where it cannot be read."""
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            return [{name: text for name, text in row.items() if name and text} for row in csv.DictReader(lines)]
    except (OSError, csv.Error, UnicodeDecodeError):
        return []


def number(text: str) -> float | None:
    """A figure of a CSV, or None."""
    try:
        return float(text)
    except ValueError:
        return None
