"""`ganctl list`: what there is to choose from, and the runs made so far."""

from dataclasses import dataclass
from pathlib import Path

from ganctl.commands.arguments import option, parse
from ganctl.config import confdir, conftree
from ganctl.errors import UserError
from ganctl.nearest import hint

PLURALS = {"loss": "losses"}


@dataclass
class Arguments:
    """One line for each model, dataset, loss, augmentation or run; without a word, all but the runs."""

    what: str | None = option(None, "models, datasets, losses, augments or runs", positional=True)
    sort: str = option(
        "time", "of the runs: a column, a score such as fd (the best first) or a loss; -fd turns it round"
    )
    config_dir: str | None = option(None, "a folder of your own YAML, beside GANCTL_CONF")


def run(argv: list[str]) -> int:
    """Print the lists; returns the exit code."""
    arguments = parse(Arguments, argv, "list")
    if arguments.what in ("runs", "run"):
        from ganctl.commands.runtable import describe_runs

        print(describe_runs(arguments.sort))
        return 0
    if arguments.sort != Arguments.sort:
        raise UserError(f"sort: {arguments.sort} was given, and only runs are sorted: ganctl list runs sort=...")
    places = confdir.places([arguments.config_dir] if arguments.config_dir else [])
    print("\n\n".join(describe(group, places) for group in wanted(arguments.what, conftree.groups(places))))
    return 0


def plural(group: str) -> str:
    """`loss` -> `losses`."""
    return PLURALS.get(group, f"{group}s")


def wanted(what: str | None, groups: list[str]) -> list[str]:
    """The groups that a word asks for: all, or the one it names in either number."""
    if what is None:
        return groups
    names = {plural(group): group for group in groups} | {group: group for group in groups}
    if what not in names:
        there = [*(plural(group) for group in groups), "runs"]
        raise UserError(f"{what}: nothing to list under that name{hint(what, there)}; there are: {', '.join(there)}")
    return [names[what]]


def describe(group: str, places: list[Path]) -> str:
    """A group's options, one a line, with their captions."""
    options = conftree.options(group, places)
    width = max(map(len, options), default=0) + 2
    lines = [f"  {name:<{width}}{conftree.caption(file)}".rstrip() for name, file in options.items()]
    return "\n".join([f"{plural(group)}  ({group}=...)", *lines])
