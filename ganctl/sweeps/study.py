"""Optuna's side of a search: one study in a journal file, which every process of the search opens."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from ganctl.errors import UserError

if TYPE_CHECKING:
    from optuna import Study, Trial

FILE, NAME = "search.journal", "search"
FOLDER = "folder"  # a trial's attribute: where its run lies
WARM = 5  # trials that are played to their end before any is compared with the others


def lock_of(folder: Path) -> FileLock:
    """Lets one process at a time write to the journal. Optuna's own locks outlive a process that was killed."""
    return FileLock(folder / f"{FILE}.lock")


def demand_optuna() -> None:
    """Raise UserError where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise UserError(
            'search: needs Optuna, which is not installed; install it with: pip install "optuna>=5,<6"'
        ) from None


def study_of(folder: Path, lower_is_better: bool, seed: int) -> "Study":
    """The study in a search's folder, made where there is none.

    seed: of the sampler; a different one for each trial, so that processes that ask at once get different values.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parts that Optuna calls experimental
        lock: Any = lock_of(folder)  # has what Optuna asks of a lock
        storage = JournalStorage(JournalFileBackend(str(folder / FILE), lock))
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=WARM, constant_liar=True)
    return optuna.create_study(
        storage=storage,
        study_name=NAME,
        sampler=sampler,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=WARM, n_warmup_steps=2),
        direction="minimize" if lower_is_better else "maximize",
        load_if_exists=True,
    )


def mend(folder: Path) -> None:
    """Drop the line that a killed process left half written in the journal; Optuna could not read on behind it."""
    with lock_of(folder), (folder / FILE).open("ab+") as file:
        file.seek(0)
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def unfinished(study: "Study") -> list[int]:
    """Numbers of the trials that were begun and have no end."""
    return [each.number for each in trials(study, "RUNNING")]


def trials(study: "Study", state: str | None = None) -> Sequence[Any]:
    """All trials, or those in one state."""
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=None if state is None else (TrialState[state],))


def ended(study: "Study") -> int:
    """How many trials need not be played again."""
    return sum(each.state.is_finished() for each in trials(study))


def continued(study: "Study", number: int) -> "Trial | None":
    """The trial of that number, to be played on; None where it has come to its end meanwhile."""
    from optuna import Trial

    found = next(each for each in trials(study) if each.number == number)
    return None if found.state.is_finished() else Trial(study, found._trial_id)


def tell(study: "Study", trial: "Trial", value: float | None, pruned: bool = False) -> None:
    """How a trial ended: with a value, stopped early, or failed."""
    from optuna.trial import TrialState

    end: dict[str, Any] = {"values": value}
    if pruned:
        end = {"state": TrialState.PRUNED}
    elif value is None or value != value:
        end = {"state": TrialState.FAIL}
    study.tell(trial, **end, skip_if_finished=True)
