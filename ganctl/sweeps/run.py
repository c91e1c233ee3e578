"""One run of a sweep or a search: given a GPU and a folder, played in a process of its own, and told of."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ganctl.config.schema import quantity
from ganctl.errors import INTERRUPTED, NOT_FINITE, OK, TERMINATED, GanctlError
from ganctl.runs import store
from ganctl.runs.figures import last_figures
from ganctl.runs.store import Run
from ganctl.sweeps import gpulock
from ganctl.sweeps.plan import Plan
from ganctl.sweeps.process import play_apart
from ganctl.sweeps.table import FINISHED, INTERRUPTED_RUN, NOT_STARTED, Row, add_row, minutes, shown

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


def made(plan: Plan, row: Row, settings: Settings) -> Run:
    """The run's folder, named by its number and what makes it what it is."""
    name = f"{row.number:0{len(str(plan.count))}d}-{row.overrides}".replace("/", "_")[:LONGEST_NAME].strip(" .")
    return store.create(
        shown(plan.place), name, dict(settings), settings["choices"], images=quantity(settings["images"])
    )


def played(row: Row, run: Run, gpu: Gpu, alone: bool, signals: Callable[[], Sequence[int]]) -> Row:
    """Play, and read what the run left in its folder."""
    began = time.monotonic()
    code, told = play_apart(run.folder, signals, gpu.environment, gpu.locks, quiet=not alone)
    return replace(
        row,
        status=STATUS.get(code, f"killed by signal {-code}" if code < 0 else "failed"),
        images_seen=store.read_status(run).images_seen,
        seconds=round(time.monotonic() - began, 1),
        folder=str(run.folder),
        reason="" if code == OK else told,
        losses=last_figures(run),
    )
