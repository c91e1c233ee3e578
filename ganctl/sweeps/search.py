"""A search: Optuna chooses the values, trial by trial, to make one score good; it can be interrupted and goes on."""

from collections.abc import Sequence
from dataclasses import replace
from shlex import quote

from ganctl.config import confdir
from ganctl.config.preparation import compose, prepare
from ganctl.errors import FAILED, OK, UserError
from ganctl.metrics.keys import LOWER_IS_BETTER, NAMES
from ganctl.nearest import hint, told
from ganctl.quantities import quantity
from ganctl.sweeps.checking import demand_data, each_checked
from ganctl.sweeps.job import TRIAL
from ganctl.sweeps.launch import (
    Done,
    gpus_here,
    launch,
    mistakes_of_hydra,
    mistakes_of_name,
    says_yes,
    split,
    sweep_folder,
    taken,
    taken_over,
)
from ganctl.sweeps.plan import Plan, Search
from ganctl.sweeps.space import Dimension, space_of
from ganctl.sweeps.study import demand_optuna, ended, mend, study_of, unfinished
from ganctl.sweeps.table import FINISHED, Row, print_table, rows_of, shown, write_table
from ganctl.sweeps.trial import NEW

TRIALS = 20
EVALUATIONS = 4  # of each trial, unless evaluate_every= says otherwise


def search(own: Sequence[str], hydras: Sequence[str], config_dirs: Sequence[str]) -> Done:
    """Begin a search. Raises UserError naming every mistake before anything is played."""
    words = list(own)
    name, words = taken("name", words)
    dry_run, words = taken("dry_run", words)
    score, words = taken("search", words)
    trials, words = taken("trials", words)
    mistakes = mistakes_of_score(score)
    only_checked = says_yes("dry_run", dry_run, mistakes)
    count = number_of(trials, mistakes)
    space, fixed = space_of(words, mistakes)
    if not space and not mistakes:
        mistakes.append(
            "search: nothing to choose; give a key several values, such as "
            "'model.optimizers.generator.lr=interval(1e-5,1e-3)' or loss=hinge,r1"
        )
    mistakes += mistakes_of_name(name)
    known = score if score in NAMES else None
    fixed += evaluations(fixed, known)
    mistakes += mistakes_of_hydra(hydras, config_dirs)
    corners = {" ".join(job): [*fixed, *job] for job in corners_of(space)}
    settings = each_checked(lambda job: prepare(compose(job, config_dirs), known), corners.items(), mistakes)
    if mistakes:
        raise UserError(*dict.fromkeys(mistakes))
    demand_optuna()
    wanted = Search(str(score), score in LOWER_IS_BETTER, count, space, fixed)
    demand_data(dict(zip(corners, settings, strict=True)), wanted.score)
    if only_checked:
        print("\n".join([f"a search for the best {NAMES[wanted.score]} in {count} trials:", *map(described, space)]))
        return Done(OK)
    folder = sweep_folder(name)
    keys = [each.key for each in space]
    dirs = [str(each) for each in confdir.user_dirs(config_dirs)]
    return play(Plan(str(folder), [], keys, dirs, gpus=gpus_here(), search=wanted, hydras=list(hydras)))


def go_on(plan: Plan, changes: Sequence[str]) -> Done:
    """Continue a search. `trials=` and Hydra's launcher may change; raises UserError for the rest."""
    demand_optuna()
    search = plan.search
    assert search is not None
    own, hydras = split(changes)
    trials, own = taken("trials", own)
    plugins = [word for word in own if word.startswith("plugins=")]
    own = [word for word in own if word not in plugins]
    mistakes = [f"{word}: a search keeps its settings; only trials= and hydra's launcher may change" for word in own]
    count = search.trials if trials is None else number_of(trials, mistakes)
    plan = taken_over(plan, hydras)
    fixed = trusted(search, plugins, mistakes)
    mistakes += mistakes_of_hydra(plan.hydras, plan.config_dirs)
    if mistakes:
        raise UserError(*mistakes)
    return play(replace(plan, search=replace(search, trials=count, fixed=fixed)))


def trusted(search: Search, plugins: Sequence[str], mistakes: list[str]) -> list[str]:
    """The stored overrides; modules to be imported must be named again, for a folder is trusted with nothing."""
    names = [word.partition("=")[0].lstrip("+~") for word in search.fixed]
    stored = [word for word, name in zip(search.fixed, names, strict=True) if name == "plugins"]
    if (stored and not plugins) or any(each.key.lstrip("+~") == "plugins" for each in search.space):
        given = stored[0] if stored else "plugins among its choices"
        mistakes.append(f"plugins: the search was begun with {given}; give plugins= again if you trust it")
    kept = [word for word in search.fixed if word not in stored]
    return [*kept, *plugins]


def mistakes_of_score(score: str | None) -> list[str]:
    """What is wrong with the score's name."""
    if score is None:
        return ["trials: belongs to a search; say for which score, such as search=fd"]
    if score not in NAMES:
        near = hint(score, NAMES) or told([key for key in NAMES if score.lower().startswith(key)][:1])
        return [f"search: no score {score!r}{near}; there are {', '.join(NAMES)}"]
    return []


def number_of(trials: str | None, mistakes: list[str]) -> int:
    """How many trials."""
    try:
        count = TRIALS if trials is None else quantity(trials)
    except ValueError:
        count = 0
    if count < 1:
        mistakes.append(f"trials: {trials}; must be a whole number, 1 or more")
    return count


def evaluations(fixed: Sequence[str], score: str | None) -> list[str]:
    """When the trials are scored, and that their best checkpoint is the best by this score."""
    given = dict(word.lstrip("+").partition("=")[::2] for word in fixed)
    added = [] if "early_stop" in given or score is None else [f"early_stop={score}"]
    if "evaluate_every" not in given:
        try:
            images = quantity(given.get("images", "300k"))
        except ValueError:  # told when the settings are checked
            images = EVALUATIONS
        added.append(f"evaluate_every={max(1, images // EVALUATIONS)}")
    return added


def corners_of(space: Sequence[Dimension]) -> list[list[str]]:
    """Overrides at the ends of each dimension, the others at their first value."""
    first = {each.key: each.corners()[0] for each in space}
    others = [[*(first | {each.key: word}).values()] for each in space for word in each.corners()[1:]]
    return [list(first.values()), *others]


def described(each: Dimension) -> str:
    """A dimension in words."""
    if each.choices:
        return f"  {each.key}: {', '.join(each.choices)}"
    kind = "whole numbers " if each.whole else ""
    return f"  {each.key}: {kind}{each.low:g} to {each.high:g}{', by the logarithm' if each.log else ''}"


def play(plan: Plan) -> Done:
    """Play what is left of a search, then say what was best."""
    with plan.in_charge():
        stopped = play_trials(plan)
    return Done(conclude(plan, stopped), shown(plan.place), bool(stopped))


def play_trials(plan: Plan) -> int:
    """Those that were begun first, then new ones; returns the exit code of a signal that stopped them, or OK."""
    search = plan.search
    assert search is not None
    mend(plan.place)
    study = study_of(plan.place, search.lower_is_better, seed=0)
    begun = unfinished(study)
    fresh = max(0, search.trials - ended(study) - len(begun))
    first = len(study.get_trials(deepcopy=False))
    which = [*map(str, begun), *(f"{NEW}{first + number}" for number in range(fresh))]
    print(f"a search for the best {NAMES[search.score]}, {len(which)} of {search.trials} trials to go, in", end=" ")
    print(f"{shown(plan.place)}", flush=True)
    return launch(plan, [*plan.hydras, f"++{TRIAL}={','.join(which)}"]) if which else OK


def conclude(plan: Plan, stopped: int) -> int:
    """The leaderboard, on the terminal and in the table; 0 if a trial came to its end."""
    search = plan.search
    assert search is not None
    rows = leaderboard(rows_of(plan.place), search)
    write_table(plan.place, rows)
    print_table(plan.place, rows, search.score)
    best = next((row for row in rows if ranks(row, search)), None)
    if best is not None:
        print(f"  best   run {best.number} ({best.overrides}): {NAMES[search.score]} {best.losses[search.score]:.4g}")
        print(f"         {best.folder}")
    if stopped:
        print(f"  go on  ganctl train resume={quote(str(shown(plan.place)))}")
    return stopped or (OK if best is not None else FAILED)


def leaderboard(rows: Sequence[Row], search: Search) -> list[Row]:
    """The best first; behind them those that did not come to their end."""
    having = [row for row in rows if ranks(row, search)]
    having.sort(key=lambda row: row.losses[search.score], reverse=not search.lower_is_better)
    return [*having, *(row for row in rows if not ranks(row, search))]


def ranks(row: Row, search: Search) -> bool:
    """Whether a run has its final score."""
    return row.status == FINISHED and search.score in row.losses
