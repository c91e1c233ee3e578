"""One run on several devices: a process for each, all by the same config; they share gradients, not noise.

The first process (rank 0) owns the run's folder; the others train beside it and write only `rankN.log`.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ganctl.devices import Placement
from ganctl.errors import GanctlError, NotFinite, Stopped, UserError
from ganctl.runs.atomic import write_text
from ganctl.runs.status import read_json, stored_status
from ganctl.runs.store import Run, read_result, update_status

STARTED_BY = "TORCHELASTIC_RUN_ID"  # in the environment of every process that torch.distributed.run starts
OF_ANOTHER = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", STARTED_BY)
POLL_SECONDS = 0.2
ORDER, OUTCOME = ".order.json", ".outcome.json"
ENDS = {"UserError": UserError, "NotFinite": NotFinite, "GanctlError": GanctlError}


def started() -> bool:
    """Whether this is one of a run's several processes; what data has to say was told by the one that started them."""
    return STARTED_BY in os.environ


def rank() -> int:
    """Which of the run's processes this is; 0 where there is but one."""
    return int(os.environ.get("RANK", 0)) if started() else 0


def size(settings: Mapping[str, Any], placement: Placement) -> int:
    """How many processes the run takes."""
    return len(placement.devices) if placement.accelerator == "cuda" else int(settings["trainer"].get("processes", 1))


def to_be_started(settings: Mapping[str, Any], placement: Placement) -> bool:
    """Whether the run takes several processes, and this is none of them."""
    return not started() and size(settings, placement) > 1


def play_together(run: Run, settings: Mapping[str, Any], processes: int, resuming: bool) -> dict[str, Any]:
    """Play the run by so many processes; its result, or the error that ended it, as one process alone would."""
    write_text(run.folder / ORDER, json.dumps({"settings": settings, "resume": resuming}))
    outcome = run.folder / OUTCOME
    outcome.unlink(missing_ok=True)
    update_status(run, state="running")
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER}
    errors = run.folder / "stderr.txt"
    with errors.open("w") as told:
        child = subprocess.Popen(
            command(run, processes), env=environment, stdin=subprocess.PIPE, stderr=told, start_new_session=True
        )
        with signals_handed_to(run) as deliver:
            while child.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(POLL_SECONDS)
                deliver()
    found = read_json(outcome)
    for file in (run.folder / ORDER, outcome, *([errors] if found else [])):
        file.unlink(missing_ok=True)
    return conclude(run, found, errors)


def command(run: Run, processes: int) -> list[str]:
    """PyTorch's own launcher, which ends all processes when one fails."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*launcher, "-m", "ganctl.worker", str(run.folder), "--together", "--leashed"]


@contextmanager
def signals_handed_to(run: Run) -> Iterator[Callable[[], None]]:
    """Inside, Ctrl-C and SIGTERM go to the first process, with which the others agree to stop.

    Yields what hands on those that came before there was a first process; to be called now and then.
    """
    waiting: list[int] = []

    def deliver() -> None:
        pid = stored_status(run).pid if waiting else 0
        while waiting and pid and pid != os.getpid():
            with suppress(ProcessLookupError, IndexError):  # another signal's handler may be quicker
                os.kill(pid, waiting.pop(0))

    def hand_on(number: int, frame: object) -> None:
        waiting.append(number)
        deliver()

    try:
        before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread, to which signals do not come
        before = {}
    try:
        yield deliver
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def conclude(run: Run, found: Mapping[str, Any], errors: Path) -> dict[str, Any]:
    """What the first process left behind: a result, or how it ended."""
    if found.get("end") == "finished":
        return read_result(run)
    if found.get("end") == "Stopped":
        raise Stopped(found["words"][0], found["exit_code"])
    if found.get("end") in ENDS:
        raise ENDS[found["end"]](*found["words"])
    update_status(run, state="failed")
    first = next(iter(errors.read_text(errors="replace").splitlines()), "it said nothing")
    raise GanctlError(f"{run.folder}: one of the run's processes ended unexpectedly ({first}); see {errors}")


def play_share(run: Run, play: Callable[[dict[str, Any], bool], object]) -> None:
    """In one of the processes: play by settings, resuming or not; leave word of the end for `play_together`."""
    order = read_json(run.folder / ORDER)
    try:
        play(order["settings"], order["resume"])
        tell(run, "finished")
    except GanctlError as error:
        words = error.mistakes if isinstance(error, UserError) else [str(error)]
        tell(run, type(error).__name__, words, error.exit_code)
        if not shared(error):
            raise  # the other processes would wait; the launcher ends them


def shared(error: GanctlError) -> bool:
    """Whether the run's other processes end by the same: they agree on a signal, and hear what the first meets."""
    return isinstance(error, Stopped) or (rank() > 0 and not isinstance(error, UserError))


def tell(run: Run, end: str, words: Any = (), exit_code: int = 0) -> None:
    """Only the first process has the word."""
    if rank() == 0:
        write_text(run.folder / OUTCOME, json.dumps({"end": end, "words": list(words), "exit_code": exit_code}))
