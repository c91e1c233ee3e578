"""Decoded data on disk: made once, complete or absent, read through memory maps."""

import errno
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from math import prod
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from ganctl.errors import GanctlError, UserError

FORMAT = 1  # raise it when the same source would be decoded into other bytes
ABOUT = "about.json"
logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """GANCTL_CACHE, else ganctl in XDG_CACHE_HOME or ~/.cache. It may be deleted whenever no training runs."""
    if named := os.environ.get("GANCTL_CACHE"):
        return Path(os.path.expanduser(named))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ganctl"


def key_of(*parts: object) -> str:
    """One name for everything that decides what is cached; parts are told apart by their repr."""
    return blake2b(repr((FORMAT, *parts)).encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()


class Entry:
    """A finished folder of the cache: raw arrays beside a JSON file that describes them and says the rest."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ValueError where the folder is missing or damaged."""
        self.folder = folder
        self.about: Mapping[str, Any] = json.loads((folder / ABOUT).read_text())
        for name, (kind, shape) in self.about["arrays"].items():
            if (folder / name).stat().st_size != prod(shape) * getattr(torch, kind).itemsize:
                raise ValueError(f"{folder / name} is incomplete")

    def tensor(self, name: str) -> Tensor:
        """The array, memory-mapped: pages are read when touched, and changes stay private to this process."""
        kind, shape = self.about["arrays"][name]
        mapped = torch.from_file(str(self.folder / name), size=prod(shape), dtype=getattr(torch, kind))
        return mapped.view(shape)


class Draft:
    """An entry in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays: dict[str, tuple[str, list[int]]] = {}

    def save(self, name: str, tensor: Tensor) -> None:
        """Store a tensor under `name`."""
        (self.folder / name).write_bytes(tensor.contiguous().numpy().tobytes())
        self.declare(name, tensor.dtype, list(tensor.shape))

    def declare(self, name: str, dtype: torch.dtype, shape: list[int]) -> None:
        """Say what the bytes are that were written to the file `name` in this folder."""
        self.arrays[name] = (str(dtype).removeprefix("torch."), shape)

    def finish(self, rest: Mapping[str, Any], target: Path) -> None:
        """Make this folder the entry, in one step."""
        (self.folder / ABOUT).write_text(json.dumps({"arrays": self.arrays, **rest}))
        for file in self.folder.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        self.folder.chmod(0o755)  # mkdtemp made it private
        try:
            os.rename(self.folder, target)
        except OSError:
            if not finished(target):  # else another process was faster, where locks do not work
                raise


def entry(kind: str, key: str, build: Callable[[Draft], Mapping[str, Any]]) -> Entry:
    """The entry called `key`; where it is missing or damaged, `build` fills a draft first and returns what else to say.

    Of several processes one builds while the others wait. Killed at any moment, nothing half-made is found later.
    """
    shelf = cache_folder() / kind
    if made := finished(shelf / key):
        return made
    with explained(shelf), locked(shelf, key):
        if made := finished(shelf / key):  # by another process, while this one waited
            return made
        remove(shelf, key)
        draft = Draft(Path(tempfile.mkdtemp(prefix=f".{key}.", dir=shelf)))
        try:
            draft.finish(build(draft), shelf / key)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)
        return Entry(shelf / key)


def finished(folder: Path) -> Entry | None:
    """The entry in `folder`, if it is there and whole."""
    try:
        return Entry(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # whatever a damaged JSON file leads to
        return None


def remove(shelf: Path, key: str) -> None:
    """Take away a damaged entry and what a killed process left of it; the lock is held."""
    for folder in (shelf / key, *shelf.glob(f".{key}.*")):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(shelf: Path, key: str) -> Iterator[None]:
    """One process at a time; tells the user when it has to wait."""
    lock = FileLock(shelf / f"{key}.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        logger.info("another process is preparing the same data; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def explained(shelf: Path) -> Iterator[None]:
    """A cache that cannot be written is the user's to move; a full disk ends the command."""
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GanctlError(f"{shelf}: the disk is full; free some space or set GANCTL_CACHE=FOLDER") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            raise UserError(f"{shelf}: cannot be written; set GANCTL_CACHE to a folder that can") from error
        raise
