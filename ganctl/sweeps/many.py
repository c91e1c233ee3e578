"""Many runs from one command: a sweep plays every combination, a search chooses as it goes; both can go on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ganctl.errors import UserError
from ganctl.sweeps import launch, search
from ganctl.sweeps.launch import Done
from ganctl.sweeps.plan import PLAN, Plan


def play_many(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> Done:
    """Sweep, or search where `search=` is among the words. Raises UserError naming every mistake."""
    own, hydras = launch.split(overrides)
    if any(word.startswith(("search=", "trials=")) for word in own):
        return search.search(own, hydras, config_dirs)
    return launch.sweep(overrides, config_dirs)


def go_on(folder: Path, changes: Sequence[str]) -> Done:
    """Continue a sweep or a search in its folder: what was interrupted, then what is missing. Raises UserError."""
    try:
        plan = replace(Plan.load(folder), folder=str(folder))
        if len(plan.titles) != len(plan.settings):
            raise ValueError(f"{len(plan.titles)} runs and {len(plan.settings)} settings")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"resume: {folder / PLAN} cannot be read ({error}); begin a new sweep") from None
    return search.go_on(plan, changes) if plan.search else launch.go_on(plan, changes)
