"""Runs under outputs/: made once, found again by name, by path or as the newest. Imports nothing heavy."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from ganctl.errors import GanctlError, UserError
from ganctl.nearest import hint
from ganctl.runs.folder import (
    Run,
    available,
    held,
    numbered,
    numbered_path,
    previous_of,
    prune,
    read_config,
    write_config,
)
from ganctl.runs.status import (
    Status,
    now,
    read_result,
    read_status,
    stored_status,
    update_status,
    write_result,
    write_status,
)

__all__ = [
    "NEWEST",
    "Run",
    "Status",
    "all_runs",
    "available",
    "begun",
    "checkpoint_path",
    "create",
    "demand_checkpoint",
    "find",
    "find_checkpoint",
    "find_to_resume",
    "held",
    "mistakes_of_name",
    "numbered",
    "numbered_path",
    "outputs_root",
    "previous_of",
    "prune",
    "read_config",
    "read_result",
    "read_status",
    "update_status",
    "write_config",
    "write_result",
    "write_status",
]

NEWEST = "newest"
PLAIN = re.compile(r"(?![ .~-])[^/\0]{1,200}(?<![ .])")  # name of a folder
OTHERS = (".png", ".gif", ".html", ".csv", ".json", ".jsonl", ".yaml", ".txt")  # than checkpoints, in a run's folder
INSIDE = ("checkpoints", "samples", "drawn", "evaluation")  # folders of a run
NAMED = 3  # runs that a message names
DEEP = 2  # folders between outputs/ and a run at most: a group's, a sweep's


def outputs_root() -> Path:
    """Where runs lie: GANCTL_OUTPUTS, else outputs/ in the current folder."""
    return Path(os.path.expanduser(os.environ.get("GANCTL_OUTPUTS") or "outputs"))


def create(
    outputs: Path, name: str | None, config: dict[str, Any], choices: Mapping[str, str] | None = None, images: int = 0
) -> Run:
    """A new run folder with its configuration and status; without a name, one made of the choices and the time.

    `choices` are the options taken (model, dataset), for the name and for lists. Never returns a folder that was
    there before, however many processes ask at once. Raises UserError when the name is taken or the place cannot be
    written to; then nothing is left.
    """
    run = Run(new_folder(outputs, name) if name is not None else new_titled_folder(outputs, choices or {}))
    try:
        for folder in (run.checkpoints, run.samples):
            folder.mkdir()
        started = now()
        write_status(run, Status("running", 0, images, 0.0, os.getpid(), started, started, dict(choices or {})))
        write_config(run, config)  # last: with it the folder counts as a run
    except (OSError, GanctlError) as error:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise not_writable(outputs, error.__cause__ or error) from error
    except BaseException:
        shutil.rmtree(run.folder, ignore_errors=True)
        raise
    return run


@contextmanager
def begun(
    outputs: Path, name: str | None, config: dict[str, Any], choices: Mapping[str, str] | None = None, images: int = 0
) -> Iterator[Run]:
    """Inside, a new run as `create` makes it; gone again where a mistake or Ctrl-C ends it before it saw an image."""
    run = create(outputs, name, config, choices, images)
    try:
        yield run
    except (UserError, KeyboardInterrupt):
        if stored_status(run).images_seen == 0 and not any(run.checkpoints.glob("*")) and run.holder() is None:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def new_folder(outputs: Path, name: str) -> Path:
    """Make the folder that the user named. Raises UserError."""
    if mistakes := mistakes_of_name(outputs, name):
        raise UserError(*mistakes)
    folder = outputs / name
    if not made(outputs, folder):  # by another process, a moment ago
        raise UserError(taken(folder, name))
    return folder


def mistakes_of_name(outputs: Path, name: str) -> list[str]:
    """Why no run or sweep can have that name, as far as a look shows it."""
    *group, last = name.split("/")
    plain = all(PLAIN.fullmatch(part) and part.isprintable() for part in (*group, last))
    if name == NEWEST or len(group) > 1 or not plain:
        return [f"name: {name!r}; use a plain folder name, such as first-try, or group/first-try"]
    for place in map(outputs.joinpath, group):
        if kind := other_than_group(place):
            return [f"name: {name!r}; {place} is {kind}; choose another group, or leave it out"]
    return [taken(outputs / name, name)] if os.path.lexists(outputs / name) else []


def other_than_group(place: Path) -> str | None:
    """What lies in the place of a group of runs, if it is none."""
    if Run(place).exists():
        return "a run"
    return "a file" if os.path.lexists(place) and not place.is_dir() else None


def taken(folder: Path, name: str) -> str:
    """The words for a name that another run or sweep has."""
    barren = Run(folder).exists() and not available(Run(folder))
    cure = "choose another name" if barren else f"choose another name, or continue it with resume={name}"
    return f"name: {folder} exists already; {cure}"


def new_titled_folder(outputs: Path, choices: Mapping[str, str]) -> Path:
    """Make a folder called model-dataset-time, with -2, -3 ... where others had the same idea."""
    known = [
        re.sub(r"[^\w.]+", "-", choices[group]).strip("-.")[:60] for group in ("model", "dataset") if group in choices
    ]
    title = "-".join([*known, datetime.now().strftime("%Y%m%d-%H%M%S")])
    names = (title if number == 1 else f"{title}-{number}" for number in count(1))
    return next(outputs / name for name in names if made(outputs, outputs / name))


def made(outputs: Path, folder: Path) -> bool:
    """Make a folder; False if it was there. mkdir either makes it or fails: no two processes get the same."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
    except OSError as error:
        if isinstance(error, FileExistsError) and folder.parent.is_dir():
            return False
        raise not_writable(outputs, error) from error
    return True


def not_writable(outputs: Path, error: BaseException) -> UserError:
    """The words for a place where no run can be made."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        reason = "a file is in the way"
    return UserError(
        f"outputs: no run can be made in {outputs}: {reason}; set GANCTL_OUTPUTS to a folder you may write to"
    )


def all_runs(outputs: Path | None = None) -> list[Run]:
    """Every run under outputs/, also in sweeps and groups, the one last trained first."""
    found = [run for folder in folders(outputs or outputs_root()) for run in runs_at(folder, DEEP)]
    return sorted(found, key=lambda run: (stored_status(run).updated, run.name), reverse=True)


def runs_at(folder: Path, deep: int = 1) -> Iterator[Run]:
    """The folder as a run, else the runs in it, so many folders deep."""
    run = Run(folder)
    if run.exists():
        yield run
    elif deep:
        for each in folders(folder):
            yield from runs_at(each, deep - 1)


def folders(folder: Path) -> list[Path]:
    """Folders in a folder; none where it cannot be read."""
    with suppress(OSError), os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_dir()]
    return []


def find(selector: str | None, outputs: Path | None = None, needs_checkpoint: bool = True) -> Run:
    """The run that a user means: a run folder, a file in it, a name under outputs/; nothing or `newest` for the newest.

    `newest` passes over runs without a checkpoint if one is needed. Raises UserError with the nearest names.
    """
    outputs = outputs or outputs_root()
    if not selector or selector == NEWEST:
        return newest(outputs, needs_checkpoint)
    there = places(selector, outputs)
    for path in there:
        if run := run_around(path):
            return run
    if there:
        raise UserError(f"run: {there[0]} is not in a run folder (no config.yaml); {instead_of(there[0])}")
    names = [*(os.path.relpath(run.folder, outputs) for run in all_runs(outputs)), NEWEST]
    raise UserError(
        f"run: no run {selector!r}{hint(selector, names)}; give a run folder, a checkpoint file, a name under "
        f"{outputs}, or newest (see ganctl list runs)"
    )


def find_to_resume(selector: str, outputs: Path | None = None) -> Run:
    """As `find`, for a run that is to go on, which it does from its last checkpoint. Raises UserError for another."""
    run = find(selector, outputs)
    if selector.endswith(".ckpt") and Path(selector).name != "last.ckpt":
        raise UserError(
            f"resume: {selector} is not the run's last checkpoint, from which it goes on; write resume={run.folder}, "
            f"or begin another run with the weights of this one: init_from={selector}"
        )
    return run


def instead_of(folder: Path) -> str:
    """What to give in the place of a folder that is no run: those in it, if it is a sweep's or a group's."""
    inside = sorted(str(run.folder) for run in runs_at(folder))[:NAMED]
    return f"give one of those in it, such as {', '.join(inside)}" if inside else "give one that ganctl made"


def places(selector: str, outputs: Path) -> list[Path]:
    """Where a selector may point, of what exists."""
    written = Path(os.path.expanduser(selector))
    return [path for path in (written, outputs / selector) if os.path.exists(path)]


def run_around(path: Path) -> Run | None:
    """The run that a folder is, or that a file or subfolder belongs to."""
    folder = path if os.path.isdir(path) else path.parent
    inside = folder.name in INSIDE
    return next((run for run in map(Run, (folder, folder.parent) if inside else (folder,)) if run.exists()), None)


def newest(outputs: Path, needs_checkpoint: bool) -> Run:
    """The run last trained. Raises UserError."""
    runs = all_runs(outputs)
    found = next((run for run in runs if available(run) or not needs_checkpoint), None)
    if found is None:
        seen = f"{len(runs)} there have no checkpoint yet" if runs else "there is none"
        raise UserError(f"run: no run to take in {outputs} ({seen}); train one with ganctl train, or give its folder")
    return found


def find_checkpoint(selector: str | None, which: str | int = "last", outputs: Path | None = None) -> Path:
    """The checkpoint file that a user means: a file as it is (also outside any run), else `which` of a run.

    A run's picture, table or text stands for the run.
    """
    outputs = outputs or outputs_root()
    there = places(selector, outputs) if selector else []
    file = next((path for path in there if os.path.isfile(path)), None)
    if file and not (file.suffix in OTHERS and run_around(file)):
        if which != "last":
            raise UserError(f"ckpt: {which} was given beside a checkpoint file ({selector}); leave one of them out")
        return file
    return checkpoint_path(find(selector, outputs), which)


def checkpoint_path(run: Run, which: str | int = "last") -> Path:
    """The file of `last`, `best` or a number of images (300k is understood). Raises UserError naming what there is."""
    if path := held(run, which):
        return path
    demand_checkpoint(run)
    raise UserError(f"ckpt: {which} is not in {run.folder}; there are: {', '.join(available(run))}")


def demand_checkpoint(run: Run) -> None:
    """Raise UserError, with what to do, for a run that has none."""
    if available(run):
        return
    state = read_status(run).state
    if state == "running":
        raise UserError(f"run: {run.folder} has no checkpoint yet, and is still training; wait for its first one")
    cure = "start it again under another name"
    raise UserError(f"run: {run.folder} has no checkpoint, and its state is: {state}; {cure}")
