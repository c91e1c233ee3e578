"""All runs checked before any begins: what they share is opened once, and what several make is told once."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ganctl.errors import UserError

Item = TypeVar("Item")
Found = TypeVar("Found")


def each_checked(check: Callable[[Item], Found], items: Iterable[tuple[str, Item]], mistakes: list[str]) -> list[Found]:
    """What `check` finds of each item, in order; a mistake that not all have says which one, by its name, has it."""
    passed, found, count = list[Found](), dict[str, list[str]](), 0
    for name, item in items:
        count += 1
        try:
            passed.append(check(item))
        except UserError as error:
            for mistake in error.mistakes:
                found.setdefault(mistake, []).append(name)
    mistakes += [each if len(where) == count else f"{each} (in {where[0]})" for each, where in found.items()]
    return passed


def demand_data(runs: Mapping[str, Mapping[str, Any]], search: str | None = None) -> None:
    """Raise UserError where runs, by their names, could not begin with their data, or it does not give their score.

    search: a score that all must give. Looked at on the CPU: GPUs are left to the processes of the runs.
    """
    from ganctl.devices import place
    from ganctl.logs import aloud
    from ganctl.training.plan import begin

    def check(run: Mapping[str, Any]) -> None:
        place(run["device"])
        begin({**run, "device": "cpu"}, search)

    asked = ("dataset", "batch_size", "device", "early_stop")
    distinct = {repr([run[key] for key in asked]): (name, run) for name, run in runs.items()}
    mistakes: list[str] = []
    with aloud():
        each_checked(check, distinct.values(), mistakes)
    if mistakes:
        raise UserError(*mistakes)
