"""One lock file a GPU: runs of a sweep each hold one of their own, and the kernel frees it when they die."""

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Claim:
    """GPUs held, by the names that CUDA_VISIBLE_DEVICES knows, and the open lock files (a child may inherit them)."""

    gpus: tuple[str, ...]
    files: tuple[int, ...]


def visible(count: int) -> list[str]:
    """Names of the GPUs this process may use: from CUDA_VISIBLE_DEVICES, else 0 to `count` - 1."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = given.split(",") if given is not None else map(str, range(count))
    return [name.strip() for name in names][:count]


def lock_folder() -> Path:
    """Where this machine's locks of this user lie: never on a shared disk."""
    return Path(tempfile.gettempdir()) / f"ganctl-gpus-{os.getuid()}"


@contextmanager
def claim(
    gpus: Sequence[str],
    *,
    everyone: bool = False,
    folder: Path | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[Claim]:
    """Hold one free GPU of `gpus` (or all of them), waiting until there is one.

    `waiting` is called at every vain attempt and may raise to give up. Several GPUs are taken in a fixed order, so
    that two claims cannot block each other for ever.
    """
    folder = folder or lock_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as held:
        taken: dict[str, int] = {}
        for group in [[gpu] for gpu in sorted(gpus)] if everyone else [list(gpus)]:
            gpu, file = take(group, folder, waiting)
            taken[gpu] = held.enter_context(file).fileno()
        yield Claim(tuple(taken), tuple(taken.values()))


def take(gpus: Sequence[str], folder: Path, waiting: Callable[[], None] | None = None) -> tuple[str, IO[bytes]]:
    """The first of `gpus` that nobody holds, and its locked file."""
    while True:
        for gpu in gpus:
            file = (folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.lock").open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return gpu, file
            except BlockingIOError:
                file.close()
        if waiting is not None:
            waiting()
        time.sleep(POLL_SECONDS)
