"""The page: everything in one HTML file that opens from disk, without a network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import ganctl
from ganctl.metrics.coverage import is_covered
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.keys import NEAR_ONE
from ganctl.reports import pictures
from ganctl.reports.groups import Group
from ganctl.reports.plots import COLOURS, Curve, Plot, svg
from ganctl.reports.record import Record
from ganctl.reports.scoring import Column, columns, remarks
from ganctl.reports.table import Table, memory_words, number, spread_words, table_of

MOST_STRIPS = 8  # groups whose pictures are shown
MOST_CLASSES = 30  # with a bar of their own
CURVES = ("fd", "kl", "high_quality", "covered", "precision", "recall", "psnr", "lpips", "diversity")
MOST_CURVES = 6
LOSSES = ("adversarial", "wins", "gradient")  # ends of the names whose curves are shown first


def page(groups: Sequence[Group], title: str, ckpt: str = "last", notes: Sequence[str] = ()) -> str:
    """HTML of one run or several. notes: sentences above those about these runs."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    loader = PackageLoader("ganctl.reports", "templates")
    environment = Environment(
        loader=loader, undefined=StrictUndefined, autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html").render(content(groups, title, ckpt, notes))


def content(groups: Sequence[Group], title: str, ckpt: str, notes: Sequence[str]) -> dict[str, Any]:
    """All that the template shows."""
    table = table_of(groups)
    ordered = [line.group for line in table.lines]
    records = [record for group in ordered for record in group.records]
    colour = {group.title: place for place, group in enumerate(ordered)}
    shown = [typical(group, table.first) for group in ordered[:MOST_STRIPS]]
    return {
        "title": title,
        "made": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        "version": ganctl.__version__,
        "single": records[0] if len(records) == 1 else None,
        "data": records[0].data,
        "records": records,
        "table": table,
        "colour": {title: place % COLOURS for title, place in colour.items()},
        "group_of": {record.name: group.title for group in ordered for record in group.records},
        "headline": headline(table),
        "remarks": [*notes, *remarks(records, table.columns)],
        "score_curves": [drawing(plot) for plot in score_plots(ordered)],
        "loss_curves": [drawing(plot) for plot in loss_plots(ordered)],
        "samples": [(group.title, pictures.drawn(each, ckpt)) for group, each in zip(ordered, shown, strict=False)],
        "films": [(group.title, pictures.film(each)) for group, each in zip(ordered, shown, strict=False)],
        "histograms": [
            (group.title, bars) for group, each in zip(ordered, shown, strict=False) if (bars := bars_of(each))
        ],
        "nearest": pictures.nearest(shown[0]) if len(records) == 1 else None,
        "conditions": [f"{column.name}: {column.terms[1].summary()}" for column in table.columns],
        "unshown": max(0, len(ordered) - MOST_STRIPS),
        "near_one": NEAR_ONE,
        "number": number,
        "spread_words": spread_words,
        "memory_words": memory_words,
        "settings": settings_of(records[0]) if len(records) == 1 else [],
    }


def drawing(plot: Plot) -> dict[str, str]:
    """A plot as the template takes it."""
    return {"title": plot.title, "svg": svg(plot)}


def typical(group: Group, column: Column | None) -> Record:
    """The run in the middle of its group, by the first score; else the first one."""
    scored = [record for record in group.records if column and record.name in column.scores]
    if column is None or not scored:
        return group.records[0]
    ordered = sorted(scored, key=lambda record: column.scores[record.name].value)
    return ordered[(len(ordered) - 1) // 2]


def headline(table: Table) -> str:
    """The result in a sentence; empty where nothing was ranked."""
    column = table.first
    if column is None or (best := table.best(column)) is None:
        return ""
    line = next(line for line in table.lines if line.title == best)
    better = "lower" if column.lower_is_better else "higher"
    values = spread_words(column.key, line.scores[column.key])
    return f"{best} reaches the best {column.name}: {values}; {better} is better."


def score_plots(groups: Sequence[Group]) -> Iterator[Plot]:
    """The scores that were taken while training, under one set of conditions each."""
    records = [record for group in groups for record in group.records]
    found = {column.key: column for column in columns(records, while_training)}
    for key in [key for key in CURVES if key in found][:MOST_CURVES]:
        column = found[key]
        curves = [
            Curve(place, *series)
            for place, group in enumerate(groups)
            for record in group.records
            if (series := score_series(record, column))[0]
        ]
        yield Plot(column.name, curves, column.floor)


def while_training(evaluation: Evaluation) -> bool:
    """Whether training itself took it."""
    return evaluation.origin == "training"


def score_series(record: Record, column: Column) -> tuple[list[float], list[float]]:
    """Images seen and values, under the column's conditions."""
    pairs = [
        (float(each.images_seen), score.value)
        for each in filter(while_training, record.evaluations)
        if (score := each.score(column.key)) and score.terms == column.terms
    ]
    return [seen for seen, _ in pairs], [value for _, value in pairs]


def loss_plots(groups: Sequence[Group]) -> Iterator[Plot]:
    """Losses, win rate and gradients, the telling ones first."""
    names = dict.fromkeys(name for group in groups for record in group.records for name in record.curves)
    for name in sorted(names, key=importance)[:MOST_CURVES]:
        curves = [
            Curve(place, *record.curves[name])
            for place, group in enumerate(groups)
            for record in group.records
            if name in record.curves
        ]
        yield Plot(name.replace("/", ": "), curves)


def importance(name: str) -> int:
    """Place of a curve among the losses."""
    return next((place for place, end in enumerate(LOSSES) if name.endswith(end)), len(LOSSES))


@dataclass(frozen=True)
class Bar:
    """One class: its share of the samples and of the data, in percent, and whether it is missing."""

    name: str
    share: float
    expected: float
    height: float  # 0 to 100, of the highest bar
    missing: bool


def bars_of(record: Record) -> list[Bar]:
    """The class histogram of the last evaluation that has one."""
    found = next((each for each in reversed(record.evaluations) if each.histogram), None)
    if found is None or len(found.histogram) > MOST_CLASSES:
        return []
    top = max(found.histogram.values()) or 1.0
    expected: Mapping[str, float] = found.expected
    return [
        Bar(name, 100 * share, 100 * expected[name], 100 * share / top, not is_covered(share, expected[name]))
        for name, share in found.histogram.items()
    ]


def settings_of(record: Record) -> list[tuple[str, str]]:
    """What a reader wants to know of a run's settings: the options, and what was typed."""
    own = [(name, str(value)) for name, value in record.choices.items()]
    own += [(name, str(record.config.get(name))) for name in ("images", "batch_size", "seed", "precision")]
    known = {name for name, _ in own}
    words = (str(word).partition("=")[::2] for word in record.config.get("overrides") or ())
    return [*own, *((key, value) for key, value in words if key not in known)]
