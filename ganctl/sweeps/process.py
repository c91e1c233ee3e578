"""A run in a process of its own: its memory and its crashes are its own, and it dies with whoever started it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

POLL_SECONDS = 0.2


def play_apart(
    folder: Path,
    signals: Callable[[], Sequence[int]],
    environment: Mapping[str, str],
    inherited: Sequence[int] = (),
    quiet: bool = False,
) -> tuple[int, str]:
    """Play the run in `folder` by `ganctl.worker`; its exit code, and the last line it said on stderr.

    signals: what has been sent to the whole sweep so far; handed on to the child, which lives in a session of its own
    so that a terminal's Ctrl-C does not reach it twice. inherited: open files (locks) that it keeps.
    """
    errors = folder / "stderr.txt"
    with errors.open("w+", encoding="utf-8", errors="replace") as told:
        child = subprocess.Popen(
            worker_command(folder),
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,  # the leash: it closes when this process dies, however it dies
            stdout=subprocess.DEVNULL if quiet else None,
            stderr=told,
            pass_fds=tuple(inherited),
            start_new_session=True,
        )
        watch(child, signals)
        told.seek(0)
        lines = [line for line in told.read().splitlines() if line.strip()]
    if not lines:
        errors.unlink()
    return child.returncode, lines[-1].removeprefix("ganctl train: ") if lines else ""


def worker_command(folder: Path) -> list[str]:
    """How the run's process is started."""
    return [sys.executable, "-m", "ganctl.worker", str(folder), "--leashed"]


def watch(child: "subprocess.Popen[bytes]", signals: Callable[[], Sequence[int]]) -> None:
    """Wait for the child's end and hand signals on."""
    sent = 0
    while child.poll() is None:
        time.sleep(POLL_SECONDS)
        for number in signals()[sent:]:
            child.send_signal(number)
            sent += 1
    if child.stdin is not None:
        child.stdin.close()


def ignore_ctrl_c() -> None:
    """In a launcher's worker, Ctrl-C does nothing: the sweep hears it and tells the runs. Other handlers stay."""
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, ignore)


def ignore(number: int, frame: object) -> None:
    """A handler that does nothing; unlike SIG_IGN it is not inherited by the runs."""


def stop_with_parent() -> None:
    """In the run's process: end as by SIGTERM (finish the round, save) when the leash, standard input, closes."""

    def wait_for_the_end() -> None:
        with suppress(OSError):
            while os.read(0, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_the_end, daemon=True, name="leash").start()
