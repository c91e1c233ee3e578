"""Runs that differ in nothing but their seed belong together; runs on different data do not compare."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ganctl.errors import UserError
from ganctl.metrics.panels import name_of
from ganctl.reports.record import Record

# settings that say where and how a run is watched, not what it learns
BESIDE = {"seed", "name", "resume", "dry_run", "device", "overrides", "keep", "plugins", "description", "choices"}
BESIDE |= {"sample_every", "checkpoint_every", "evaluate_every", "compile", "trainer"}
BESIDE |= {"doctor_every", "early_stop"}
UNTOLD = {"name", "seed", "device", "images", "minutes", "evaluate_every", "dataset"}  # keys that no title needs


@dataclass(frozen=True)
class Group:
    """One recipe, with one run for each seed."""

    title: str
    records: Sequence[Record]

    @property
    def seeds(self) -> list[int]:
        return [record.seed for record in self.records]


@dataclass(frozen=True)
class Spread:
    """The median over seeds, and how far they lie apart."""

    median: float
    least: float
    most: float
    count: int
    missing: int = 0  # runs of which it is not known

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Spread | None":
        """Of what is known; None where nothing is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(median(known), min(known), max(known), len(known), len(values) - len(known))


def demand_same_data(records: Sequence[Record]) -> None:
    """Raise UserError where two runs were not trained on the same pictures."""
    first = records[0]
    for other in records[1:]:
        if data_of(first.config) != data_of(other.config):
            raise UserError(
                f"{first.name} was trained on {told(first)}, and {other.name} on {told(other)}; "
                "scores on different data say nothing of each other: compare runs on the same data"
            )


def data_of(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of a run's settings what must be equal: the option, the folder's name, and what the data is."""
    facts, split = config["description"], config["dataset"].get("split")
    return (name_of(config), split, facts.get("classes"), facts.get("count"), facts.get("names"), selected(config))


def selected(config: Mapping[str, Any]) -> str:
    """Which classes were kept, or left out, as it is typed; nothing where all were taken."""
    node = config["dataset"]
    chosen = {key: node.get(key) for key in ("only", "without")}
    return ", ".join(f"{key} {' and '.join(map(str, classes))}" for key, classes in chosen.items() if classes)


def told(record: Record) -> str:
    """The data in words."""
    split = record.config["dataset"].get("split")
    count = f"{record.config['description'].get('count', 0):,} pictures"
    return f"{record.data} ({', '.join(str(part) for part in (split, count, selected(record.config)) if part)})"


def grouped(records: Sequence[Record]) -> list[Group]:
    """Groups in the order of their first runs, seeds in order, each with a title of its own."""
    sets: dict[str, list[Record]] = {}
    for record in records:
        sets.setdefault(signature(record), []).append(record)
    titles = titles_of([runs[0] for runs in sets.values()])
    pairs = zip(titles, sets.values(), strict=True)
    return [Group(title, sorted(runs, key=lambda record: record.seed)) for title, runs in pairs]


def signature(record: Record) -> str:
    """Equal where only the seed differs."""
    kept = {name: value for name, value in record.config.items() if name not in BESIDE}
    return json.dumps([kept, record.config.get("trainer", {}).get("clip"), dict(record.choices)], sort_keys=True)


def titles_of(records: Sequence[Record]) -> list[str]:
    """The model, and where that is not enough, what was typed differently, and at last the run's name."""
    models = [record.model for record in records]
    typed = [settings_typed(record) for record in records]
    keys = dict.fromkeys(key for each in typed for key in each)
    swept = [key for key in keys if len({each.get(key) for each in typed}) > 1 and key != "model"]
    titles = []
    for model, each in zip(models, typed, strict=True):
        words = [f"{key.rpartition('.')[2]}={each[key]}" for key in swept if key in each]
        titles.append(model if models.count(model) == 1 else " ".join([model, *words]))
    both = zip(titles, records, strict=True)
    return [title if titles.count(title) == 1 else f"{title} {record.name}" for title, record in both]


def settings_typed(record: Record) -> Mapping[str, str]:
    """Key -> value of what stood on the command line."""
    pairs = (str(word).lstrip("+").partition("=")[::2] for word in record.config.get("overrides") or ())
    return {key: value for key, value in pairs if key not in UNTOLD}
