"""One run of a sweep, as a launcher of Hydra's calls it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ganctl.config.preparation import compose, prepare
from ganctl.errors import TERMINATED
from ganctl.runs.figures import TELLING
from ganctl.sweeps.plan import Plan, title
from ganctl.sweeps.process import ignore_ctrl_c
from ganctl.sweeps.run import Abandoned, Gpu, Settings, made, outcome, played, reported
from ganctl.sweeps.table import Row, add_row

__all__ = ["TRIAL", "Abandoned", "play_one"]
TRIAL = "trial"  # the key by which a search tells its jobs which trial to play


def play_one(_: Any) -> float | None:
    """Hydra's task. The tree it brings is not used: ganctl composes and checks the overrides itself.

    Returns the score (a search's own, else the first of `TELLING`), for sweepers that learn from it; None without.
    """
    job = HydraConfig.get()
    plan = Plan.load(Path(job.sweep.dir))
    overrides = [word.removeprefix("++") for word in job.overrides.task]
    alone = job.runtime.choices["hydra/launcher"] == "basic"
    ignore_ctrl_c()
    if plan.search is not None:
        from ganctl.sweeps.trial import play_trial

        which = next(word.partition("=")[2] for word in overrides if word.startswith(f"{TRIAL}="))
        score = play_trial(plan, which, alone)
    else:
        score = play_counted(plan, int(job.job.num) + 1, overrides, alone)
    if not plan.is_alive():  # the sweep was killed; a worker of joblib's would wait for ever
        os._exit(TERMINATED)
    return score


def play_counted(plan: Plan, number: int, overrides: Sequence[str], alone: bool) -> float | None:
    """A run whose overrides Hydra counted, or its sweeper made up; its first score."""
    row = Row(number, title(overrides, plan.swept))
    if plan.signals():
        add_row(plan.place, row)
        return None

    def play(settings: Settings, gpu: Gpu) -> Row:
        return played(row, made(plan, row, settings), gpu, alone, plan.signals)

    row = reported(plan, row, lambda: outcome(plan, row, lambda: settings_of(plan, row, overrides), play))
    return next((row.losses[key] for key in TELLING if key in row.losses), None)


def settings_of(plan: Plan, row: Row, overrides: Sequence[str]) -> Settings:
    """What was checked before the sweep began; where a sweeper made up the overrides, they are checked now."""
    if plan.titles[row.number - 1 : row.number] == [row.overrides]:
        return plan.settings[row.number - 1]
    return prepare(compose(overrides, plan.config_dirs))
