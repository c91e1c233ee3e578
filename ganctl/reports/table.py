"""The comparison as a table: on the terminal and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from ganctl.doctor.rules import Verdict
from ganctl.reports.groups import Group, Spread
from ganctl.reports.record import Record
from ganctl.reports.scoring import Column, columns

LEVELS = ("red", "yellow", "green")  # the worst first
BEST = "*"
MARGIN = 3  # signs between two columns on the terminal
TOLD_WHOLE = ("covered", "modes", "images")


@dataclass(frozen=True)
class Line:
    """One group in the table."""

    group: Group
    scores: dict[str, Spread]  # by key
    images: Spread | None
    seconds: Spread | None
    speed: Spread | None  # images per second
    memory: Spread | None  # bytes
    parameters: int | None
    verdict: Verdict | None  # the worst of its runs

    @property
    def title(self) -> str:
        return self.group.title

    @property
    def figures(self) -> dict[str, Spread | None]:
        """What it took, by name."""
        minutes = self.seconds and Spread(
            self.seconds.median / 60,
            self.seconds.least / 60,
            self.seconds.most / 60,
            self.seconds.count,
            self.seconds.missing,
        )
        return {
            "images": self.images,
            "minutes": minutes,
            "images_per_second": self.speed,
            "peak_memory": self.memory,
        }


@dataclass(frozen=True)
class Table:
    """All groups, the best first by the first score that has a best."""

    lines: Sequence[Line]
    columns: Sequence[Column]

    @property
    def first(self) -> Column | None:
        """The score that orders the lines."""
        return next((column for column in self.columns if column.ranking([line.group for line in self.lines])), None)

    def best(self, column: Column) -> str | None:
        """Title of the group with the best median; None where there is one group, or two share the first place."""
        ranking = column.ranking([line.group for line in self.lines])
        medians = {line.title: line.scores[column.key].median for line in self.lines if column.key in line.scores}
        return ranking[0] if len(ranking) > 1 and medians[ranking[0]] != medians[ranking[1]] else None


def table_of(groups: Sequence[Group]) -> Table:
    """Every score and cost of every group."""
    shown = columns([record for group in groups for record in group.records])
    table = Table([line_of(group, shown) for group in groups], shown)
    if table.first is None:
        return table
    order = table.first.ranking(groups)
    place = {title: order.index(title) if title in order else len(order) for title in (each.title for each in groups)}
    return Table(sorted(table.lines, key=lambda line: place[line.title]), shown)


def line_of(group: Group, shown: Sequence[Column]) -> Line:
    """One group's line."""
    records = group.records
    scores = {column.key: spread for column in shown if (spread := Spread.of(column.of_each(group)))}
    return Line(
        group,
        scores,
        images=Spread.of([record.images_seen for record in records]),
        seconds=Spread.of([record.seconds for record in records]),
        speed=Spread.of([record.speed for record in records]),
        memory=Spread.of([record.memory for record in records]),
        parameters=sum(records[0].parameters.values()) or None,
        verdict=worst(records),
    )


def worst(records: Sequence[Record]) -> Verdict | None:
    """The gravest verdict of the runs; None where no doctor looked."""
    found = [record.verdict for record in records if record.verdict]
    order = {level: place for place, level in enumerate(LEVELS)}
    return min(found, key=lambda verdict: order.get(verdict.level, len(order)), default=None)


def number(key: str, value: float) -> str:
    """Three digits; counts and large values whole."""
    return f"{value:,.0f}" if key in TOLD_WHOLE or abs(value) >= 100 else f"{value:.3g}"


def spread_words(key: str, spread: Spread | None) -> str:
    """`31.2 (29.8 to 33; 2 of 3 runs)`, or one number where there is one."""
    if spread is None:
        return "-"
    alike = spread.count < 2 or spread.least == spread.most
    asides = [] if alike else [f"{number(key, spread.least)} to {number(key, spread.most)}"]
    asides += [f"{spread.count} of {spread.count + spread.missing} runs"] if spread.missing else []
    return number(key, spread.median) + (f" ({'; '.join(asides)})" if asides else "")


def size(count: float) -> str:
    """Bytes as people say them."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def memory_words(spread: Spread | None) -> str:
    """The highest of the group's peaks."""
    return "-" if spread is None else size(spread.most)


def rows(table: Table) -> list[tuple[str, list[str]]]:
    """Name -> cells, a cell a group, as the terminal shows them; the best of a row bears a star."""
    lines = table.lines
    found = [("seeds", [", ".join(map(str, line.group.seeds)) for line in lines])]
    for column in table.columns:
        best = table.best(column)
        cells = [
            spread_words(column.key, line.scores.get(column.key)) + (f" {BEST}" if line.title == best else "")
            for line in lines
        ]
        found.append((column.name, cells))
    for name in ("images", "minutes", "images_per_second"):
        found.append((name.replace("_per_", "/"), [spread_words(name, line.figures[name]) for line in lines]))
    found.append(("peak memory", [memory_words(line.memory) for line in lines]))
    found.append(("parameters", ["-" if line.parameters is None else f"{line.parameters:,}" for line in lines]))
    if any(line.verdict for line in lines):
        found.append(("doctor", [line.verdict.name if line.verdict else "-" for line in lines]))
    return found


def print_table(table: Table, title: str) -> None:
    """On the terminal: a row a figure, a column a group; median and range over seeds.

    Groups that do not fit beside each other stand in further tables below.
    """
    from rich.console import Console
    from rich.table import Table as RichTable

    console, names = Console(highlight=False, markup=False, emoji=False), [line.title for line in table.lines]
    found = rows(table)
    first = max(len(name) for name, _ in found)
    widths = [max(map(len, (name, *(cells[at] for _, cells in found)))) for at, name in enumerate(names)]
    for part in side_by_side(widths, console.width - first - MARGIN - 1):
        shown = RichTable(title=title, title_justify="left")
        shown.add_column("", no_wrap=True)
        for at in part:
            shown.add_column(names[at], overflow="fold")
        for name, cells in found:
            shown.add_row(name, *(cells[at] for at in part))
        console.print(shown)


def side_by_side(widths: Sequence[int], room: int) -> list[range]:
    """Columns of these widths in as few parts as fit into `room` each; at least one a part."""
    parts, start, used = [], 0, 0
    for at, width in enumerate(widths):
        if at > start and used + width + MARGIN > room:
            parts.append(range(start, at))
            start, used = at, 0
        used += width + MARGIN
    return [*parts, range(start, len(widths))]


def csv_text(table: Table) -> str:
    """A line a group; each score and cost with its median and range, empty where it is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [column.key for column in table.columns] + ["images", "minutes", "images_per_second", "peak_memory"]
    parts = [f"{name}_{part}" for name in names for part in ("median", "least", "most")]
    writer.writerow(["model", "seeds", *parts, "parameters", "verdict", "level", "runs"])
    for line in table.lines:
        spreads = {**line.scores, **line.figures}
        cells = [cell for name in names for cell in cells_of(spreads.get(name))]
        verdict = (line.verdict.name, line.verdict.level) if line.verdict else ("", "")
        runs = " ".join(str(record.run.folder) for record in line.group.records)
        seeds = " ".join(map(str, line.group.seeds))
        writer.writerow([line.title, seeds, *cells, line.parameters or "", *verdict, runs])
    return text.getvalue()


def cells_of(spread: Spread | None) -> list[str]:
    """Median, least and most, to six digits."""
    return ["", "", ""] if spread is None else [f"{each:.6g}" for each in (spread.median, spread.least, spread.most)]
