"""Scores of several runs in one column: only those that were taken under the same conditions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from ganctl.metrics.contract import Contract, Score, ranked
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.keys import NAMES, NEAR_ONE
from ganctl.reports.groups import Group
from ganctl.reports.record import Record
from ganctl.runs.store import held

Terms = tuple[str, Contract]  # a score's name and its conditions
Chosen = Callable[[Evaluation], bool]


@dataclass(frozen=True)
class Column:
    """One score of the runs that took it under `terms`."""

    key: str
    terms: Terms
    scores: Mapping[str, Score]  # run name -> its last one

    @property
    def name(self) -> str:
        return self.terms[0]

    @property
    def floor(self) -> float | None:
        """What real pictures reach."""
        return next(iter(self.scores.values())).floor

    @property
    def lower_is_better(self) -> bool:
        return next(iter(self.scores.values())).lower_is_better

    def of_each(self, group: Group) -> list[float | None]:
        """The value of each of a group's runs; None where it is not known."""
        return [self.scores[name].value if (name := record.name) in self.scores else None for record in group.records]

    def of(self, group: Group) -> list[float]:
        """The values that are known."""
        return [value for value in self.of_each(group) if value is not None]

    def ranking(self, groups: Sequence[Group]) -> list[str]:
        """Titles of the groups by their medians, the best first; empty for scores that have no better."""
        if self.key in NEAR_ONE:
            return []
        any_score = next(iter(self.scores.values()))
        medians = {group.title: replace(any_score, value=median(self.of(group))) for group in groups if self.of(group)}
        return ranked(medians)


def columns(records: Sequence[Record], chosen: Chosen = lambda _: True) -> list[Column]:
    """A column a key; of several conditions, those that most runs share, and of these the ones with most samples."""
    return [column for key in NAMES if (column := column_of(key, records, chosen))]


def column_of(key: str, records: Sequence[Record], chosen: Chosen) -> Column | None:
    """The column of one key, or None where no run knows it."""
    taken = {record.name: last_by_terms(record, key, chosen) for record in records}
    there = dict.fromkeys(terms for found in taken.values() for terms in found)
    if not there:
        return None
    best = max(there, key=lambda terms: (sum(terms in found for found in taken.values()), terms[1].count))
    return Column(key, best, {name: found[best] for name, found in taken.items() if best in found})


def last_by_terms(record: Record, key: str, chosen: Chosen) -> dict[Terms, Score]:
    """Conditions -> the last score taken under them."""
    found = {}
    for evaluation in filter(chosen, record.evaluations):
        if score := evaluation.score(key):
            found[score.terms] = score
    return found


def without_checkpoint(record: Record) -> str:
    """The sentence for a run that only left what training itself wrote."""
    return f"{record.name} has no checkpoint, so it can be neither sampled nor scored; {first_one(record)}"


def first_one(record: Record) -> str:
    """What to do about a run without any checkpoint."""
    return "wait for its first one" if record.status.state == "running" else "train it again to have one"


def left_out(records: Sequence[Record], ckpt: str | None) -> dict[str, str]:
    """Name -> why a run cannot be compared: it lacks the checkpoint `ckpt`; where none is asked for, everything."""
    found: dict[str, str] = {}
    for record in records:
        there = ", ".join(record.checkpoints)
        if ckpt is not None and held(record.run, ckpt) is None:
            cure = f"there are {there}: choose by ckpt=" if there else first_one(record)
            found[record.name] = f"{record.name} is left out: it has no checkpoint {ckpt}; {cure}"
        elif not (there or record.evaluations or record.has_pictures):
            what = "no checkpoint, no scores and no pictures"
            found[record.name] = f"{record.name} is left out: it has {what}; {first_one(record)}"
    return found


def moments(records: Sequence[Record], column: Column) -> list[str]:
    """The sentence for scores that are not of the runs' ends and not of the same length of training, or nothing."""
    taken = [(record, moment(record, column)) for record in records if record.name in column.scores]
    if len({seen for _, seen in taken}) < 2 or all(seen == record.images_seen for record, seen in taken):
        return []
    each = ", ".join(f"{record.name} after {seen:,} images" for record, seen in taken)
    return [f"{column.name} is of different moments: {each}"]


def moment(record: Record, column: Column) -> int:
    """Images that the run had seen when the column's score was taken."""
    return next(each.images_seen for each in reversed(record.evaluations) if holds(each, column))


def holds(evaluation: Evaluation, column: Column) -> bool:
    """Whether the evaluation took the column's score under the column's conditions."""
    score = evaluation.score(column.key)
    return score is not None and score.terms == column.terms


def remarks(records: Sequence[Record], shown: Sequence[Column]) -> list[str]:
    """Who stands in no column, and why."""
    found: list[str] = []
    for record in records:
        if not record.checkpoints:
            found.append(without_checkpoint(record))
        elif not record.evaluations:
            found.append(f"{record.name} has no scores; take them with: ganctl evaluate run={record.run.folder}")
        for column in shown:
            if record.name in column.scores:
                continue
            others = last_by_terms(record, column.key, lambda _: True)
            if others:
                name, contract = next(reversed(others))
                what = [f"{name} against {column.name}"] if name != column.name else []
                what += contract.differences(column.terms[1])
                found.append(
                    f"{record.name}: its {name} was taken under other conditions ({'; '.join(what)}), so it is not "
                    "ranked with the others; evaluate all runs the same way with ganctl evaluate"
                )
                break
    found += moments(records, shown[0]) if shown else []
    seen = [record.images_seen for record in records]
    if min(seen) < max(seen):
        found.append(f"the runs saw different numbers of images: {min(seen):,} to {max(seen):,}")
    return found
