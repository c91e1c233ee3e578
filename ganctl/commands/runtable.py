"""The table of `ganctl list runs`: every run under outputs/, with its last figures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ganctl.errors import UserError
from ganctl.metrics.contract import Contract, Score
from ganctl.nearest import hint
from ganctl.runs.figures import deciding, last_figures, last_scores, telling
from ganctl.runs.store import Run, Status, all_runs, outputs_root, read_status

COLUMNS = ("run", "state", "model", "dataset", "images", "time", "last figures")


@dataclass(frozen=True)
class Line:
    """One run in the table."""

    run: str  # as it is typed in `run=`
    status: Status
    figures: dict[str, float]
    scores: dict[str, Score] = field(default_factory=dict)  # by key
    first: str = ""  # of the figures, the one that is shown before all others

    @classmethod
    def of(cls, run: Run, outputs: Path, name: str) -> "Line":
        """A run's line, from its folder; name: of the figure that matters, if it is one."""
        scores, figures = last_scores(run, name), last_figures(run, name)
        asked = next((key for key, score in scores.items() if name == score.name), name)
        first = asked if asked in figures else deciding(run)
        return cls(os.path.relpath(run.folder, outputs), read_status(run), figures, scores, first)

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands under COLUMNS."""
        choices, status = self.status.choices, self.status
        told = telling(self.figures, self.first)
        named = {self.scores[key].name if key in self.scores else key: value for key, value in told.items()}
        figures = "  ".join(f"{name} {value:.4g}" for name, value in named.items())
        images = f"{status.images_seen:,} of {status.images:,}"
        names = choices.get("model", "?"), choices.get("dataset", "?")
        return (self.run, status.state, *names, images, local_time(status.updated), figures or "-")

    def score(self, name: str) -> Score | None:
        """The score of that key (fd) or name (FD-classifier)."""
        return next((score for key, score in self.scores.items() if name in (key, score.name)), None)


def describe_runs(sort: str = "time", outputs: Path | None = None) -> str:
    """The table, or a sentence where there is no run. Raises UserError for an order that no run knows.

    Sorted by a score, the best come first; scores of different conditions stand under headings of their own.
    """
    outputs = outputs or outputs_root()
    lines = [Line.of(run, outputs, sort.removeprefix("-")) for run in all_runs(outputs)]
    if not lines:
        return f"no runs in {outputs} yet; train one with:  ganctl train model=dcgan dataset=digits"
    parts = ordered(lines, sort)
    header, *rows = columns([COLUMNS, *(line.cells for _, part in parts for line in part)]).splitlines()
    shown, place = [header], 0
    for heading, part in parts:
        shown += [f"\n{heading}"] if heading else []
        shown += rows[place : place + len(part)]
        place += len(part)
    return "\n".join(shown)


def ordered(lines: list[Line], sort: str) -> list[tuple[str, list[Line]]]:
    """Heading -> runs, by a column, a score or a loss (runs without it last); `-` before it turns the order round."""
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    if name == "time":  # the newest first, as they came
        return [("", lines[::-1] if backwards else lines)]
    if name == "images":
        return [("", sorted(lines, key=lambda line: line.status.images_seen, reverse=backwards))]
    if name in COLUMNS[:4]:
        return [("", sorted(lines, key=lambda line: line.cells[COLUMNS.index(name)], reverse=backwards))]
    if any(line.score(name) for line in lines):
        return by_score(lines, name, backwards)
    known = {figure for line in lines for figure in line.figures}
    if name not in known:
        there = [*COLUMNS[:6], *sorted(known)]
        raise UserError(f"sort={sort}: no run has that{hint(name, there)}; there are: {', '.join(there)}")
    having = [line for line in lines if name in line.figures]
    without = [line for line in lines if name not in line.figures]
    return [("", [*sorted(having, key=lambda line: line.figures[name], reverse=backwards), *without])]


def by_score(lines: list[Line], name: str, backwards: bool) -> list[tuple[str, list[Line]]]:
    """The best first, within each set of conditions; never across."""
    sets: dict[tuple[str, Contract], list[tuple[Score, Line]]] = {}
    for line in lines:
        if score := line.score(name):
            sets.setdefault(score.terms, []).append((score, line))
    parts = []
    for (title, contract), pairs in sets.items():
        best_last = not pairs[0][0].lower_is_better
        pairs.sort(key=lambda pair: pair[0].value, reverse=best_last != backwards)
        parts.append((f"{title}: {contract.summary()}", [line for _, line in pairs]))
    without = [line for line in lines if line.score(name) is None]
    if len(parts) == 1:
        return [("", [*parts[0][1], *without])]
    return [*parts, *([(f"without {name}", without)] if without else [])]


def local_time(moment: str) -> str:
    """`2026-11-22 17:05` from the UTC time that status.json holds."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return "?"


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of words, aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
