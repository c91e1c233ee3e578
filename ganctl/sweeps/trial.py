"""One trial of a search: Optuna says what to try, a run plays it, Optuna is told how it went."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganctl.config.preparation import compose, prepare
from ganctl.sweeps.plan import Plan, title
from ganctl.sweeps.referee import Referee
from ganctl.sweeps.run import Gpu, made, name_of, outcome, played, reported
from ganctl.sweeps.study import FOLDER, continued, study_of, tell
from ganctl.sweeps.table import EARLY, FINISHED, INTERRUPTED_RUN, NOT_STARTED, Row

if TYPE_CHECKING:
    from optuna import Trial

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
    if trial is None:
        return None
    asked = [each.suggested(trial) for each in search.space]  # of a trial that was begun, what it was given then
    row = Row(trial.number + 1, title(asked, plan.swept))
    row = reported(plan, row, lambda: trial_outcome(plan, row, trial, asked, alone))
    value = row.losses.get(search.score)
    if row.status not in (INTERRUPTED_RUN, NOT_STARTED):
        tell(study, trial, value if row.status == FINISHED else None, pruned=row.status == EARLY and value is not None)
    return value if row.status == FINISHED else None


def trial_outcome(plan: Plan, row: Row, trial: "Trial", asked: Sequence[str], alone: bool) -> Row:
    """Play the run of a trial, new or where it stopped; it may be ended early."""
    search = plan.search
    assert search is not None

    def settings() -> dict[str, Any]:
        return prepare(compose([*search.fixed, *asked], plan.config_dirs))

    def play(wanted: dict[str, Any], gpu: Gpu) -> Row:
        if FOLDER not in trial.user_attrs:  # written down first: the folder must be found again after a kill
            trial.set_user_attr(FOLDER, str((plan.place / name_of(plan, row)).absolute()))
        run = made(plan.place / Path(trial.user_attrs[FOLDER]).name, wanted)
        referee = Referee(trial, run.folder, search.score, wanted["evaluate_every"], plan.signals)
        ended = played(row, run, gpu, alone, referee.signals)
        return replace(ended, status=EARLY, reason=referee.reason) if referee.reason and not plan.signals() else ended

    return outcome(plan, row, settings, play)
