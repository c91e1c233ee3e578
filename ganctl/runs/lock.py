"""Locks between processes: a file says who holds it, and the kernel frees it when that process dies."""

import fcntl
import json
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from errno import ENOLCK, ENOSYS, EOPNOTSUPP
from pathlib import Path

TRIES, PAUSE = 10, 0.03  # a look at a lock (`holder`) takes it for a moment; that must not refuse its owner
WITHOUT_LOCKS = (ENOLCK, ENOSYS, EOPNOTSUPP)

held: set[int] = set()  # descriptors of this process


def let_go_in_child() -> None:
    """A forked worker shares its parent's locks and would keep them after the parent was killed."""
    for descriptor in held:
        os.close(descriptor)  # the parent's own descriptor holds on
    held.clear()


os.register_at_fork(after_in_child=let_go_in_child)


class Held(Exception):
    """Somebody else has the lock; the text says who."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock file `path` for the length of the block. Raises Held, and OSError if it cannot be opened.

    The file stays: were it removed, two processes could each lock their own.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    held.add(descriptor)
    try:
        take(descriptor, path)
        with suppress(OSError):  # a full disk; the lock holds without these words
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, introduction().encode(), 0)
        yield
    finally:
        if descriptor in held:  # not so in a forked child that unwinds
            held.discard(descriptor)
            os.close(descriptor)


def take(descriptor: int, path: Path) -> None:
    """Lock an open file. Raises Held."""
    for attempt in range(TRIES):
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == TRIES - 1:
                raise Held(words(path)) from None
            time.sleep(PAUSE)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            warnings.warn(f"{path}: this filesystem has no locks; start no second process here", stacklevel=4)
            return None
    return None


def holder(path: Path) -> str | None:
    """Who holds the lock, in words, or None. Needs no right to write."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return words(path)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def last_holder(path: Path) -> int | None:
    """The process that took the lock last, whether or not it lives; None where nobody has."""
    try:
        return int(json.loads(path.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def introduction() -> str:
    """What the holder writes about itself."""
    started = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": os.uname().nodename, "started": started})


def words(path: Path) -> str:
    """`process 4711 on host atlas since 2026-11-22 17:00:00+01:00`."""
    try:
        who = json.loads(path.read_text())
        return f"process {who['pid']} on host {who['host']} since {who['started']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
