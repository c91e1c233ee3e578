"""One run of a sweep, as a launcher of Hydra's calls it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ganctl.config.preparation import compose, prepare
from ganctl.errors import TERMINATED
from ganctl.runs.figures import TELLING
from ganctl.sweeps.plan import Plan, title
from ganctl.sweeps.process import ignore_ctrl_c
from ganctl.sweeps.run import Gpu, Settings, made, name_of, outcome, played, reported, watched
from ganctl.sweeps.table import Row, add_row

TRIAL = "trial"  # the key by which a search tells its jobs which trial to play
RUN = "run"  # and a sweep which run, by its number


def play_one(_: Any) -> float | None:
    """Hydra's task. The tree it brings is not used: ganctl composes and checks the overrides itself.

    Returns the score (a search's own, else the first of `TELLING`), for sweepers that learn from it; None without.
    """
    job = HydraConfig.get()
    plan = Plan.load(Path(job.sweep.dir))
    overrides = [word.removeprefix("++") for word in job.overrides.task]
    launcher = job.runtime.choices["hydra/launcher"]
    if launcher == "joblib" and plan.pid not in (os.getpid(), os.getppid()):  # of a sweep that was killed
        os._exit(TERMINATED)
    alone = launcher == "basic"
    ignore_ctrl_c()
    which = dict(word.partition("=")[::2] for word in overrides)
    if plan.search is not None:
        from ganctl.sweeps.trial import play_trial

        score = play_trial(plan, which[TRIAL], alone)
    elif plan.titles:
        number = int(which[RUN])
        score = play_counted(plan, Row(number, plan.titles[number - 1]), lambda: plan.settings[number - 1], alone)
    else:
        row = Row(int(job.job.num) + 1, title(overrides, plan.swept))
        score = play_counted(plan, row, lambda: watched(prepare(compose(overrides, plan.config_dirs))), alone)
    if not plan.is_alive():  # the sweep was killed; a worker of joblib's would wait for ever
        os._exit(TERMINATED)
    return score


def play_counted(plan: Plan, row: Row, settings: Callable[[], Settings], alone: bool) -> float | None:
    """A run that was checked before the sweep began, or that Hydra's sweeper made up just now; its first score."""
    if plan.signals():
        add_row(plan.place, row)
        return None

    def play(wanted: Settings, gpu: Gpu) -> Row:
        return played(row, made(plan.place / name_of(plan, row), wanted), gpu, alone, plan.signals)

    row = reported(plan, row, lambda: outcome(plan, row, settings, play))
    return next((row.losses[key] for key in TELLING if key in row.losses), None)
