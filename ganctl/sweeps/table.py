"""The runs of a sweep as a table: in sweep.csv as they end, and on the terminal when all have."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ganctl.runs.atomic import write_text
from ganctl.runs.figures import telling

JOURNAL, TABLE = ".rows.jsonl", "sweep.csv"
FINISHED, NOT_STARTED, INTERRUPTED_RUN = "finished", "not started", "interrupted"
EARLY = "stopped early"  # by the doctor or, in a search, behind the others


@dataclass(frozen=True)
class Row:
    """How one run of a sweep ended."""

    number: int  # from 1
    overrides: str
    status: str = NOT_STARTED
    images_seen: int = 0
    seconds: float = 0.0
    folder: str = ""
    reason: str = ""  # why it did not finish
    losses: dict[str, float] = field(default_factory=dict)  # the last ones


def add_row(folder: Path, row: Row) -> None:
    """Note a run's end and renew the table; several processes may do so at once."""
    with (folder / JOURNAL).open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(asdict(row))}\n")  # a new line first: a killed process may have left half of one
    write_table(folder, rows_of(folder))


def rows_of(folder: Path) -> list[Row]:
    """The runs that have ended, by number; of one that was played on, its last end."""
    journal = folder / JOURNAL
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    rows = {row.number: row for row in map(read_row, lines) if row is not None}
    return [rows[number] for number in sorted(rows)]


def read_row(line: str) -> Row | None:
    """A row from the journal; None for a line that is empty, or was cut off by a kill."""
    try:
        return Row(**json.loads(line))
    except (ValueError, TypeError):
        return None


def has_ended(row: Row) -> bool:
    """Whether a run is not to be played on when its sweep goes on."""
    return row.status not in (NOT_STARTED, INTERRUPTED_RUN)


def write_table(folder: Path, rows: Sequence[Row]) -> None:
    """Write sweep.csv; each loss has a column of its own, empty for the runs that do not know it."""
    lines = [{**asdict(row), **row.losses} for row in rows]
    columns = [name for name in dict.fromkeys(name for line in lines for name in line) if name != "losses"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    write_text(folder / TABLE, text.getvalue())


def print_table(folder: Path, rows: Sequence[Row], first: str = "") -> None:
    """The table on the terminal, and under it why runs did not finish. first: the figure that matters most."""
    from rich.console import Console
    from rich.table import Table

    place = shown(folder)
    table = Table(title=str(place), title_justify="left")
    for name in ("run", "overrides", "status", "images", "time", "last figures"):
        table.add_column(name, justify="right" if name in ("run", "images", "time") else "left", overflow="fold")
    for row in rows:
        losses = "\n".join(f"{name} {value:.3g}" for name, value in telling(row.losses, first).items())
        table.add_row(str(row.number), row.overrides, row.status, f"{row.images_seen:,}", minutes(row.seconds), losses)
    Console(highlight=False, markup=False, emoji=False).print(table)  # [a] in a setting is no markup
    for row in rows:
        if row.reason:
            print(f"run {row.number} ({row.overrides}): {row.reason}")
    print(f"  table  {place}/{TABLE}")


def shown(folder: Path) -> Path:
    """The folder as a person here would type it: relative where it lies below."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def minutes(seconds: float) -> str:
    """Seconds as 2:03."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
