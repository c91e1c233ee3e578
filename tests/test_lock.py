"""The lock of a run: one trainer at a time, freed by the kernel when it dies."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat
from pathlib import Path

import pytest
from checkpoint_samples import forked, in_child, made_run

from ganctl.errors import UserError
from ganctl.runs import lock
from ganctl.runs.store import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return made_run(tmp_path / "run")


@contextmanager
def another_process_in(run: Run, first: Callable[[], None] = lambda: None) -> Iterator[int]:
    """A process that holds the run's lock until it is killed."""
    reader, writer = os.pipe()

    def train() -> None:
        with run.lock():
            first()
            os.write(writer, b"x")
            time.sleep(60)

    pid = forked(train)
    os.read(reader, 1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
        os.close(writer)


def test_a_second_process_is_refused_and_told_who_is_there(run: Run) -> None:
    with another_process_in(run) as pid:
        who = f"process {pid} on host {os.uname().nodename} since 20"
        words = f"^{run.folder}: in use by {who}.*; wait for it or choose another run$"
        with pytest.raises(UserError, match=words), run.lock():
            pytest.fail("two trainers in one run")
        assert (run.holder() or "").startswith(who)


def test_kill_9_frees_the_lock(run: Run) -> None:
    with another_process_in(run):
        pass
    assert run.holder() is None
    with run.lock():
        assert json.loads(run.lock_file.read_text())["pid"] == os.getpid()


def test_a_worker_that_outlives_its_killed_parent_does_not_keep_the_lock(run: Run, tmp_path: Path) -> None:
    def fork_worker() -> None:
        (tmp_path / "worker").write_text(str(forked(lambda: time.sleep(60))))

    with another_process_in(run, fork_worker):
        assert run.holder() is not None
    worker = int((tmp_path / "worker").read_text())
    os.kill(worker, 0)  # it lives
    with run.lock():
        pass
    os.kill(worker, signal.SIGKILL)


def test_a_started_program_does_not_keep_the_lock(run: Run) -> None:
    with run.lock():
        program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    with run.lock():
        pass
    program.kill()
    program.wait()


def test_a_forked_child_that_leaves_the_block_does_not_free_it(run: Run) -> None:
    with ExitStack() as block:
        block.enter_context(run.lock())
        assert in_child(block.close) == 0
        assert run.holder() is not None
    assert run.holder() is None


def test_the_lock_clears_away_what_a_killed_writer_left(run: Run) -> None:
    run.samples.mkdir()
    left = [
        run.folder / ".status.json.part-1",
        run.samples / ".000000.png.part-77",
        run.checkpoints / ".last.ckpt.old-5",
    ]
    kept = [run.folder / "part-1", run.checkpoints / "last.ckpt", run.folder / ".hidden", run.samples / ".x.part-y"]
    for path in (*left, *kept):
        path.touch()
    with run.lock():
        assert not any(path.exists() for path in left)
        assert all(path.exists() for path in kept)


def test_what_fails_inside_keeps_its_own_name_and_frees_the_lock(run: Run) -> None:
    with pytest.raises(OSError, match=r"from training"), run.lock():
        raise OSError("from training")
    assert run.holder() is None


def test_a_look_never_refuses_the_owner(run: Run) -> None:
    """While another process looks at the lock without pause, taking it always succeeds."""
    with run.lock():
        pass
    pid = forked(lambda: [run.holder() for _ in repeat(None)])
    for _ in range(300):
        with run.lock():
            pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_run_can_be_looked_at_but_not_locked(run: Run) -> None:
    with run.lock():
        pass

    def look_as_nobody() -> None:
        os.chdir(run.folder)
        os.setuid(65534)
        here = Run(Path())
        assert here.holder() is None
        with (
            pytest.raises(UserError, match=r"^.: not writable: Permission denied; copy the run elsewhere$"),
            here.lock(),
        ):
            pass

    assert in_child(look_as_nobody) == 0


def test_a_filesystem_without_locks_is_warned_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(lock.ENOSYS, "Function not implemented")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match=r"this filesystem has no locks; start no second process here"), run.lock():
        assert run.holder() is None


def test_a_run_that_vanished_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match=r"gone: not writable: No such file or directory"),
        Run(tmp_path / "gone").lock(),
    ):
        pass
