"""One trial of a search: Optuna says what to try, a run plays it, Optuna is told how it went."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganctl.config.preparation import compose, prepare
from ganctl.config.schema import quantity
from ganctl.runs import store
from ganctl.sweeps.plan import Plan, Search, title
from ganctl.sweeps.referee import Referee
from ganctl.sweeps.run import Gpu, made, outcome, played, reported
from ganctl.sweeps.study import FOLDER, continued, study_of, tell
from ganctl.sweeps.table import FINISHED, INTERRUPTED_RUN, Row

if TYPE_CHECKING:
    from optuna import Trial

EARLY = "stopped early"
NEW = "new"


def play_trial(plan: Plan, which: str, alone: bool) -> float | None:
    """Play a trial to its end (`which`: its number if it was begun before, else `new...`); returns its score."""
    search = plan.search
    assert search is not None
    begun = not which.startswith(NEW)
    study = study_of(plan.place, search.lower_is_better, seed=int(which.removeprefix(NEW)) + 1)
    if plan.signals():
        return None
    trial = continued(study, int(which)) if begun else study.ask()
    asked = words_of(trial, search) if begun else [each.suggested(trial) for each in search.space]
    row = Row(trial.number + 1, title(asked, plan.swept))
    row = reported(plan, row, lambda: trial_outcome(plan, row, trial, asked, alone))
    value = row.losses.get(search.score)
    if row.status != INTERRUPTED_RUN:
        tell(study, trial, value if row.status == FINISHED else None, pruned=row.status == EARLY and value is not None)
    return value if row.status == FINISHED else None


def words_of(trial: "Trial", search: Search) -> list[str]:
    """The overrides that a trial was begun with."""
    taken = trial.params
    return [f"{each.key}={taken[each.key]}" if each.choices else each.written(taken[each.key]) for each in search.space]


def trial_outcome(plan: Plan, row: Row, trial: "Trial", asked: Sequence[str], alone: bool) -> Row:
    """Play the run of a trial, new or where it stopped; it may be ended early."""
    search = plan.search
    assert search is not None

    def settings() -> dict[str, Any]:
        return prepare(compose([*search.fixed, *asked], plan.config_dirs))

    def play(wanted: dict[str, Any], gpu: Gpu) -> Row:
        if FOLDER in trial.user_attrs:
            run = store.Run(Path(trial.user_attrs[FOLDER]))
        else:
            run = made(plan, row, wanted)
            trial.set_user_attr(FOLDER, str(run.folder.absolute()))
        every = quantity(wanted["evaluate_every"])
        referee = Referee(trial, run.folder, search.score, every, plan.signals)
        ended = played(row, run, gpu, alone, referee.signals)
        return replace(ended, status=EARLY, reason=referee.reason) if referee.reason and not plan.signals() else ended

    return outcome(plan, row, settings, play)
