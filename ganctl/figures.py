"""The last figures of a run, from metrics.csv and result.json. Imports nothing heavy."""

import csv
from collections.abc import Mapping
from pathlib import Path

from ganctl.runs import Run, read_result

PLACES = ("images_seen", "rounds")  # columns of metrics.csv that say when, not how well
WATCHED = ("real", "fake", "wins", "gradient")  # ends of names that are only watched, not lowered


def last_figures(run: Run) -> dict[str, float]:
    """Name -> value: the last losses, and the scores that were measured. Nothing where there is nothing."""
    found = {name: number(text) for name, text in last_row(run.metrics_file).items() if name not in PLACES}
    scores = read_result(run).get("metrics")
    found |= scores if isinstance(scores, dict) else {}
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def telling(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures for a narrow place: losses and scores, without what is only watched."""
    return {name: value for name, value in figures.items() if name.rpartition("/")[2] not in WATCHED}


def last_row(file: Path) -> dict[str, str]:
    """The last line of a CSV under its header."""
    last: dict[str, str] = {}
    try:
        with file.open(newline="", encoding="utf-8") as text:
            for row in csv.DictReader(text):
                last = row
    except (OSError, csv.Error, UnicodeDecodeError):
        return {}
    return {name: text for name, text in last.items() if name and text}


def number(text: str) -> float | None:
    """A figure of a CSV, or None."""
    try:
        return float(text)
    except ValueError:
        return None
