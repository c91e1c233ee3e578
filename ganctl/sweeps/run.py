"""One run of a sweep or a search: given a GPU and a folder, played in a process of its own, and told of."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganctl.errors import INTERRUPTED, NOT_FINITE, OK, TERMINATED, GanctlError
from ganctl.metrics.keys import DOCTOR
from ganctl.runs import store
from ganctl.runs.figures import last_figures
from ganctl.runs.store import Run
from ganctl.sweeps import gpulock
from ganctl.sweeps.plan import Plan
from ganctl.sweeps.process import POLL_SECONDS, play_apart
from ganctl.sweeps.table import EARLY, FINISHED, INTERRUPTED_RUN, NOT_STARTED, Row, add_row, minutes, shown

LONGEST_NAME = 120  # letters of a run folder's name: filesystems end at 255 bytes
STATUS = {OK: FINISHED, NOT_FINITE: "not finite", INTERRUPTED: INTERRUPTED_RUN, TERMINATED: INTERRUPTED_RUN}
Settings = dict[str, Any]


class Abandoned(GanctlError):
    """The sweep was stopped before this run had begun."""


@dataclass(frozen=True)
class Gpu:
    """What a run's process gets of its GPU."""

    environment: Mapping[str, str]
    locks: Sequence[int] = ()  # open files


def reported(plan: Plan, row: Row, play: Callable[[], Row]) -> Row:
    """Play, with a line at the beginning and at the end, and a row in the table."""
    place = f"[{row.number}/{plan.count or '?'}] {row.overrides}"
    print(f"{place}: begins", flush=True)
    row = play()
    add_row(plan.place, row)
    print(f"{place}: {row.status}, {row.images_seen:,} images in {minutes(row.seconds)}", flush=True)
    return row


def outcome(plan: Plan, row: Row, settings: Callable[[], Settings], play: Callable[[Settings, Gpu], Row]) -> Row:
    """Play a run to its end, whatever that is: the row says what became of it, and no error leaves here."""
    try:
        wanted = settings()
        with own_gpu(wanted["device"], plan) as gpu:
            return play(wanted, gpu)
    except Abandoned:
        return replace(row, status=NOT_STARTED)
    except GanctlError as error:
        return replace(row, status="failed", reason="; ".join(str(error).splitlines()))
    except Exception as error:  # the other runs go on
        return replace(row, status="failed", reason=f"{type(error).__name__}: {error}")


def watched(settings: Settings) -> Settings:
    """A run's settings in a sweep: the doctor ends it when it stays sick, unless the user said what early_stop is."""
    said = any(word.lstrip("+~").partition("=")[0] == "early_stop" for word in settings["overrides"])
    if said or settings["early_stop"] or not settings["doctor_every"]:
        return settings
    return {**settings, "early_stop": DOCTOR}


@contextmanager
def own_gpu(device: Any, plan: Plan) -> Iterator[Gpu]:
    """A GPU that no other run of this machine's sweeps uses; nothing on a CPU, or where a scheduler gives GPUs out."""

    def waiting() -> None:
        if plan.signals():
            raise Abandoned

    waiting()
    gpus = plan.gpus
    if not gpus or "SLURM_JOB_ID" in os.environ or device in ("cpu", "mps"):
        yield Gpu({})
    elif isinstance(device, list):
        with gpulock.claim([gpus[number] for number in device], everyone=True, waiting=waiting) as claim:
            yield Gpu({}, claim.files)
    else:
        with gpulock.claim(gpus, waiting=waiting) as claim:
            yield Gpu({"CUDA_VISIBLE_DEVICES": claim.gpus[0]}, claim.files)


def name_of(plan: Plan, row: Row) -> str:
    """What the run's folder is called: its number and what makes it what it is."""
    return f"{row.number:0{len(str(plan.count))}d}-{row.overrides}".replace("/", "_")[:LONGEST_NAME].strip(" .")


def made(folder: Path, settings: Settings) -> Run:
    """The run's folder: as it was left if it was begun before, else a new one."""
    place = shown(folder)
    if not (run := Run(place)).exists():
        shutil.rmtree(place, ignore_errors=True)  # half made, by a sweep that was killed
        return store.create(place.parent, place.name, dict(settings), settings["choices"], settings["images"])
    store.write_config(run, dict(settings))  # checked just now: what lies in a folder is not
    return run


def played(row: Row, run: Run, gpu: Gpu, alone: bool, signals: Callable[[], Sequence[int]]) -> Row:
    """Play, or play on, and read what the run left in its folder."""
    began = time.monotonic()
    wait_for_predecessor(run, signals)
    code, told = OK, ""
    if store.read_status(run).state != FINISHED:  # else a sweep was killed before it could say so
        code, told = play_apart(run.folder, signals, gpu.environment, gpu.locks, quiet=not alone)
    status = STATUS.get(code, f"killed by signal {-code}" if code < 0 else "failed")
    if status == FINISHED and (verdict := stopped_by_doctor(run)):
        status, told = EARLY, f"stopped early: the doctor says {verdict}"
    return replace(
        row,
        status=status,
        images_seen=store.read_status(run).images_seen,
        seconds=round(time.monotonic() - began, 1),
        folder=str(run.folder),
        reason=told if status != FINISHED else stopped_by_score(run),
        losses=last_figures(run),
    )


def wait_for_predecessor(run: Run, signals: Callable[[], Sequence[int]]) -> None:
    """After a sweep was killed, its runs need a moment to notice and to save."""
    while run.holder() is not None and not signals():
        time.sleep(POLL_SECONDS)


def stopped_by_doctor(run: Run) -> str:
    """The verdict for which a run was ended before its length was reached, or nothing."""
    return str(store.read_result(run).get("verdict")) if ended_by(run) == DOCTOR else ""


def stopped_by_score(run: Run) -> str:
    """In words, that a run's score had long been worse than its best when it was ended, or nothing."""
    best = store.read_result(run).get("best")
    if not best or ended_by(run) in (None, DOCTOR):
        return ""
    what = f"{best['name']} {best['value']:.4g} after {best['images_seen']:,} images"
    return f"stopped early, as it had become worse than at its best ({what}: best.ckpt)"


def ended_by(run: Run) -> str | None:
    """What ended a finished run before its length was reached: `early_stop`, or None where it was not ended so."""
    settings, result = store.read_config(run), store.read_result(run)
    short = result.get("images_seen", 0) < settings["images"]
    return settings["early_stop"] if short and settings.get("minutes") is None else None
