"""The table of `ganctl list runs`: every run under outputs/, with its last figures."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ganctl.errors import UserError
from ganctl.figures import last_figures, telling
from ganctl.nearest import hint
from ganctl.runs import Status, all_runs, outputs_root, read_status

COLUMNS = ("run", "state", "model", "dataset", "images", "time", "last figures")


@dataclass(frozen=True)
class Line:
    """One run in the table."""

    run: str  # as it is typed in `run=`
    status: Status
    figures: dict[str, float]

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands under COLUMNS."""
        choices, status = self.status.choices, self.status
        figures = "  ".join(f"{name} {value:.4g}" for name, value in telling(self.figures).items())
        images = f"{status.images_seen:,} of {status.images:,}"
        names = choices.get("model", "?"), choices.get("dataset", "?")
        return (self.run, status.state, *names, images, local_time(status.updated), figures or "-")


def describe_runs(sort: str = "time", outputs: Path | None = None) -> str:
    """The table, or a sentence where there is no run. Raises UserError for an order that no run knows."""
    outputs = outputs or outputs_root()
    lines = [
        Line(os.path.relpath(run.folder, outputs), read_status(run), last_figures(run)) for run in all_runs(outputs)
    ]
    if not lines:
        return f"no runs in {outputs} yet; train one with:  ganctl train model=dcgan dataset=digits"
    return columns([COLUMNS, *(line.cells for line in ordered(lines, sort))])


def ordered(lines: list[Line], sort: str) -> list[Line]:
    """Sorted by a column or a figure (runs without it last); `-` before it turns the order round."""
    name, backwards = sort.removeprefix("-"), sort.startswith("-")
    if name == "time":  # the newest first, as they came
        return lines[::-1] if backwards else lines
    if name == "images":
        return sorted(lines, key=lambda line: line.status.images_seen, reverse=backwards)
    if name in COLUMNS[:4]:
        return sorted(lines, key=lambda line: line.cells[COLUMNS.index(name)], reverse=backwards)
    known = {figure for line in lines for figure in line.figures}
    if name not in known:
        there = [*COLUMNS[:6], *sorted(known)]
        raise UserError(f"sort={sort}: no run has that{hint(name, there)}; there are: {', '.join(there)}")
    having = [line for line in lines if name in line.figures]
    without = [line for line in lines if name not in line.figures]
    return [*sorted(having, key=lambda line: line.figures[name], reverse=backwards), *without]


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
