"""One run of a sweep, as a launcher of Hydra's calls it: checked, given a GPU and a folder, played apart."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from ganctl import gpulock, runs
from ganctl.config import compose, prepare
from ganctl.errors import INTERRUPTED, NOT_FINITE, OK, TERMINATED, GanctlError
from ganctl.figures import last_figures
from ganctl.schema import quantity
from ganctl.sweeps.plan import Plan, title
from ganctl.sweeps.process import ignore_ctrl_c, play_apart
from ganctl.sweeps.table import FINISHED, NOT_STARTED, Row, add_row, minutes, shown

LONGEST_NAME = 120  # letters of a run folder's name: filesystems end at 255 bytes
STATUS = {OK: FINISHED, NOT_FINITE: "not finite", INTERRUPTED: "interrupted", TERMINATED: "interrupted"}


class Abandoned(GanctlError):
    """The sweep was stopped before this run had begun."""


def play_one(_: Any) -> None:
    """Hydra's task. The tree it brings is not used: ganctl composes and checks the overrides itself."""
    job = HydraConfig.get()
    plan = Plan.load(Path(job.sweep.dir))
    overrides = [word.removeprefix("++") for word in job.overrides.task]
    row = Row(int(job.job.num) + 1, title(overrides, plan.swept))
    alone = job.runtime.choices["hydra/launcher"] == "basic"
    ignore_ctrl_c()
    if plan.signals():
        add_row(plan.place, row)
    else:
        place = f"[{row.number}/{len(plan.titles) or '?'}] {row.overrides}"
        print(f"{place}: begins", flush=True)
        row = outcome(plan, row, overrides, alone)
        add_row(plan.place, row)
        print(f"{place}: {row.status}, {row.images_seen:,} images in {minutes(row.seconds)}", flush=True)
    if not plan.is_alive():  # the sweep was killed; a worker of joblib's would wait for ever
        os._exit(TERMINATED)


def outcome(plan: Plan, row: Row, overrides: Sequence[str], alone: bool) -> Row:
    """Play a run to its end, whatever that is: the row says what became of it, and no error leaves here."""
    try:
        settings = settings_of(plan, row, overrides)
        with own_gpu(settings["device"], plan) as gpu:
            return played(plan, row, settings, gpu, alone)
    except Abandoned:
        return replace(row, status=NOT_STARTED)
    except GanctlError as error:
        return replace(row, status="failed", reason="; ".join(str(error).splitlines()))
    except Exception as error:  # the other runs go on
        return replace(row, status="failed", reason=f"{type(error).__name__}: {error}")


def settings_of(plan: Plan, row: Row, overrides: Sequence[str]) -> dict[str, Any]:
    """What was checked before the sweep began; where a sweeper made up the overrides, they are checked now."""
    if plan.titles[row.number - 1 : row.number] == [row.overrides]:
        return plan.settings[row.number - 1]
    return prepare(compose(overrides, plan.config_dirs))


@dataclass(frozen=True)
class Gpu:
    """What a run's process gets of its GPU."""

    environment: Mapping[str, str]
    locks: Sequence[int] = ()  # open files


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


def played(plan: Plan, row: Row, settings: Mapping[str, Any], gpu: Gpu, alone: bool) -> Row:
    """Make the folder, play, and read what the run left there."""
    name = f"{row.number:0{len(str(len(plan.titles)))}d}-{row.overrides}".replace("/", "_")[:LONGEST_NAME].strip(" .")
    images = quantity(settings["images"])
    run = runs.create(shown(plan.place), name, dict(settings), settings["choices"], images)
    began = time.monotonic()
    code, told = play_apart(run.folder, plan.signals, gpu.environment, gpu.locks, quiet=not alone)
    return replace(
        row,
        status=STATUS.get(code, f"killed by signal {-code}" if code < 0 else "failed"),
        images_seen=runs.read_status(run).images_seen,
        seconds=round(time.monotonic() - began, 1),
        folder=str(run.folder),
        reason="" if code == OK else told,
        losses=last_figures(run),
    )
