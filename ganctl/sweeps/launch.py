"""A sweep: Hydra counts and launches the runs; each has its own folder and process, and none stops another."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Any, TypeVar

import hydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ganctl.config import confdir, conftree
from ganctl.config.composition import VERSION_BASE, combinations, composition_error, hydra_session, register
from ganctl.config.overrides import parsed
from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.config.settings import settle
from ganctl.errors import FAILED, INTERRUPTED, OK, TERMINATED, UserError
from ganctl.nearest import hint
from ganctl.runs import store
from ganctl.sweeps import gpulock
from ganctl.sweeps.checking import demand_data, each_checked
from ganctl.sweeps.job import RUN, play_one
from ganctl.sweeps.plan import PLAN, Plan, swept_keys, title
from ganctl.sweeps.run import watched
from ganctl.sweeps.table import EARLY, FINISHED, Row, has_ended, print_table, rows_of, shown, write_table

QUIET = (
    "hydra.output_subdir=null",
    "hydra.sweep.subdir=.",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
)
STORED = ("hydra/launcher=", "hydra.launcher.", "hydra/sweeper=", "hydra.sweeper.")
SILENT = {"version", "root", "disable_existing_loggers"}  # all that the option `none` of a logging has
A = TypeVar("A")
T = TypeVar("T")
EXIT_CODES = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: TERMINATED}


@dataclass(frozen=True)
class Done:
    """How a sweep ended. code: 0 only if all of its runs finished."""

    code: int
    folder: Path | None = None  # None: nothing was to be played
    stopped: bool = False  # by a signal


def sweep(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> Done:
    """Play every run of `key=a,b ...`, with a table at the end.

    Raises UserError naming the mistakes of all runs before any begins; where a sweeper chooses the values as it goes
    (hydra/sweeper=...), a run with a mistake is reported as failed.
    """
    own, hydras = split(overrides)
    name, own = taken("name", own)
    dry_run, own = taken("dry_run", own)
    counted = not any(word.lstrip("+").startswith("hydra/sweeper=") for word in hydras)
    jobs = combinations(own) if counted else []
    swept = swept_keys(jobs) if len(jobs) > 1 else []
    titles = [title(job, swept) for job in jobs]
    mistakes = [*mistakes_of_name(name), *mistakes_of_hydra(hydras, config_dirs)]
    only_checked = says_yes("dry_run", dry_run, mistakes)
    named = zip(titles, jobs, strict=True)
    settings = each_checked(lambda job: watched(prepare(compose(job, config_dirs))), named, mistakes)
    if mistakes:
        raise UserError(*mistakes)
    demand_data(dict(zip(titles, settings, strict=True)))
    if only_checked:
        print("\n".join([f"{len(jobs)} runs, all checked:", *(f"  {each}" for each in titles)]))
        return Done(OK)
    folder = sweep_folder(name)
    folders = [str(each) for each in confdir.user_dirs(config_dirs)]
    plan = Plan(str(folder), titles, swept, folders, settings, gpus_here(), hydras=hydras)
    print(f"a sweep of {len(jobs) or 'several'} runs in {shown(folder)}", flush=True)
    if jobs:
        return play(plan, range(1, len(jobs) + 1))
    with plan.in_charge():
        stopped = launch(plan, [*hydras, *(forced(word, config_dirs) for word in own)])
    return Done(conclude(plan, stopped), shown(folder), bool(stopped))


def go_on(plan: Plan, changes: Sequence[str]) -> Done:
    """Play what an interrupted sweep has not played to its end. Of its settings only the launcher's may change."""
    own, hydras = split(changes)
    plugins = [word for word in own if word.startswith("plugins=")]
    kept = [word for word in own if word not in plugins]
    mistakes = [f"{word}: a sweep keeps its settings; only hydra's launcher may change" for word in kept]
    plan = taken_over(plan, hydras)
    mistakes += mistakes_of_hydra(plan.hydras, plan.config_dirs)
    named = zip(plan.titles, plan.settings, strict=True)
    plan = replace(plan, settings=each_checked(lambda saved: recheck(saved, plugins), named, mistakes))
    if not plan.titles:
        mistakes.append(f"resume: the sweeper of {shown(plan.place)} chose its values as it went; begin a new sweep")
    if mistakes:
        raise UserError(*mistakes)
    done = {row.number for row in rows_of(plan.place) if has_ended(row)}
    left = [number for number in range(1, plan.count + 1) if number not in done]
    print(f"a sweep of {plan.count} runs, {len(left)} to go, in {shown(plan.place)}", flush=True)
    return play(plan, left)


def taken_over(plan: Plan, hydras: Sequence[str]) -> Plan:
    """A plan in the hands of this process, with the launcher's settings if any are given.

    Raises UserError for stored words that a file may not bring: Hydra makes objects of whatever class it is told.
    """
    strange = [word for word in plan.hydras if not word.startswith(STORED) or "_target_" in word]
    if strange and not hydras:
        raise UserError(*(f"{word}: stands in {plan.place / PLAN}; name it on the command line" for word in strange))
    here, mine = socket.gethostname(), os.getpid()
    return replace(plan, host=here, pid=mine, gpus=gpus_here(), hydras=list(hydras) or plan.hydras)


def play(plan: Plan, numbers: Sequence[int]) -> Done:
    """Play the runs of these numbers, then show all."""
    with plan.in_charge():
        stopped = launch(plan, [*plan.hydras, f"++{RUN}={','.join(map(str, numbers))}"]) if numbers else OK
    return Done(conclude(plan, stopped), shown(plan.place), bool(stopped))


def split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The run's own overrides, and those of Hydra's sweeper and launcher."""
    hydras = [word for word in overrides if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    return [word for word in overrides if word not in hydras], hydras


def taken(key: str, overrides: Sequence[str]) -> tuple[str | None, list[str]]:
    """The value of a key that is the sweep's and not its runs', and the other overrides."""
    values = [word.partition("=")[2] for word in overrides if word.startswith(f"{key}=")]
    if len(values) > 1 or any("," in value for value in values):
        raise UserError(f"{key}: belongs to the whole sweep; give one value")
    return (values[0] if values else None), [word for word in overrides if not word.startswith(f"{key}=")]


def says_yes(key: str, text: str | None, mistakes: list[str]) -> bool:
    """A switch of the command line, read as a single run reads it; off where it is not given."""
    override = None if text is None else parsed(f"{key}={text}", mistakes)
    return override is not None and bool(settle({key: override.value()}, mistakes)[key])


def gpus_here() -> list[str]:
    """The GPUs that this process may use."""
    import torch

    return gpulock.visible(torch.cuda.device_count()) if torch.cuda.is_available() else []


def mistakes_of_hydra(overrides: Sequence[str], config_dirs: Sequence[str]) -> list[str]:
    """What Hydra would refuse of the settings of its own; its words are longer and their advice is not ganctl's."""
    register(config_dirs)
    options = [word for word in overrides if "/" in word.partition("=")[0]]
    mistakes = []
    with hydra_session():
        for words in [options, *([*options, word] for word in overrides if word not in options)]:
            try:
                tree = hydra.compose("train", overrides=[*QUIET, *words], return_hydra_config=True)
                if found := brought_along(tree.hydra):
                    return [f"hydra.{found}: stands in a YAML file, and could run anything; take it out of there"]
            except MissingConfigException as error:
                given = str(error.missing_cfg_file).rpartition("/")
                there = [name for name in error.options or [] if not name.startswith("_")]
                near = hint(given[2], there) or f"; there are: {', '.join(there)}"
                return [f"{given[0]}={given[2]}: no such option{near}"]
            except (HydraException, OmegaConfBaseException):
                mistakes.append(f"{words[-1]}: Hydra knows no such setting, or no such value of it")
    return mistakes


def brought_along(tree: DictConfig) -> str | None:
    """Which of Hydra's settings, beyond what was typed, makes objects of classes that it names itself."""
    if tree.callbacks:
        return "callbacks"
    loggings = (name for name in ("job_logging", "hydra_logging") if set(tree[name]) - SILENT or tree[name].root)
    return next(loggings, None)


def mistakes_of_name(name: str | None) -> list[str]:
    """Why the sweep cannot be called so."""
    return store.mistakes_of_name(store.outputs_root(), name) if name else []


def sweep_folder(name: str | None) -> Path:
    """A new folder for the sweep: the name given, or one made of the time."""
    outputs = store.outputs_root().absolute()
    return store.new_folder(outputs, name) if name else store.new_titled_folder(outputs, {"model": "sweep"})


def forced(word: str, config_dirs: Sequence[str]) -> str:
    """An override as Hydra takes it without complaint: ganctl has judged it already, and knows keys that Hydra adds."""
    key = word.partition("=")[0].partition("@")[0]
    plain = key in conftree.groups(confdir.places(config_dirs)) or word.startswith(("+", "~"))
    return word if plain else f"++{word}"


def launch(plan: Plan, overrides: Sequence[str]) -> int:
    """Hand the sweep to Hydra; returns the exit code of a signal that stopped it, or OK."""
    register(plan.config_dirs)
    start = hydra.main(str(confdir.conf_dir()), "train", **VERSION_BASE)(play_one)
    folder = plan.folder.replace("\\", "\\\\").replace("'", "\\'")
    words = ["--multirun", f"hydra.sweep.dir='{folder}'", *QUIET, *overrides]
    with handed_on(plan), as_typed(words):
        try:
            start()
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(composition_error(error)) from error
        except BrokenExecutor:  # also where a launcher's workers die of Ctrl-C
            if not plan.signals():
                print("a process of the launcher was killed, and the launcher gave up", file=sys.stderr)
                return FAILED
        except Exception:
            if not plan.signals():
                raise
    return EXIT_CODES[signal.Signals(plan.signals()[0])] if plan.signals() else OK


@contextmanager
def as_typed(words: Sequence[str]) -> Iterator[None]:
    """Inside, Hydra finds these words on the command line, and lets errors through instead of exiting."""
    argv, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv, os.environ["HYDRA_FULL_ERROR"] = [argv[0], *words], "1"
    try:
        yield
    finally:
        sys.argv = argv
        if full is None:
            del os.environ["HYDRA_FULL_ERROR"]


@contextmanager
def handed_on(plan: Plan) -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM go to every run that is playing, each of which saves; no further one begins."""

    def ask(number: int, frame: FrameType | None) -> None:
        plan.hand_on(number)

    before: dict[int, Any] = {number: signal.signal(number, ask) for number in EXIT_CODES}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(plan: Plan, stopped: int) -> int:
    """The table, on the terminal and in its file; the exit code."""
    rows = {row.number: row for row in rows_of(plan.place)}
    for number, overrides in enumerate(plan.titles, start=1):
        rows.setdefault(number, Row(number, overrides))
    ordered = [rows[number] for number in sorted(rows)]
    write_table(plan.place, ordered)
    print_table(plan.place, ordered, str(plan.settings[0]["early_stop"]) if plan.settings else "")
    if stopped and plan.titles:
        print(f"  go on  ganctl train resume={quote(str(shown(plan.place)))}")
    return stopped or (OK if all(row.status in (FINISHED, EARLY) for row in ordered) else FAILED)
