"""What a file contains, as a short digest that is remembered while the file has not been touched."""

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b, file_digest
from pathlib import Path

from ganctl.data.cache import cache_folder, key_of
from ganctl.data.progress import cores, shown

SETTLED_NS = 2_000_000_000  # clocks of file systems are coarse: a change within this time may leave no trace
UNREADABLE = "unreadable"

Stamp = tuple[int, int, int, int]  # size, mtime_ns, ctime_ns, inode
Memory = dict[str, list[int | str]]  # path -> stamp and digest


def digests(paths: Sequence[Path]) -> list[str]:
    """Content digest of each file, or UNREADABLE.

    A file is read again unless its size, times and inode are those it was last read with. The time of change
    (ctime) cannot be set by a user, so a file replaced by one of the same size and date is noticed.
    """
    paths = [path.absolute() for path in paths]
    if not paths:
        return []
    place = cache_folder() / "digests" / f"{key_of(os.path.commonpath(paths))}.json"
    memory = recall(place)
    with ThreadPoolExecutor(cores()) as pool:
        found = list(shown("reading", pool.map(lambda path: digest(path, memory), paths), len(paths)))
    fresh: Memory = {str(path): [*stamp, value] for path, (stamp, value) in zip(paths, found, strict=True) if stamp}
    if fresh != memory:
        remember(place, fresh)
    return [value for _, value in found]


def digest(path: Path, memory: Memory) -> tuple[Stamp | None, str]:
    """(stamp, digest); the stamp is None where it proves nothing, as for a file that changed a moment ago."""
    try:
        before = stamp_of(path)
        *known, value = memory.get(str(path), ("",))
        if tuple(known) == before:
            return before, str(value)
        now = time.time_ns()
        with path.open("rb") as file:
            value = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
        settled = max(before[1], before[2]) < now - SETTLED_NS and stamp_of(path) == before
    except OSError:
        return None, UNREADABLE
    return before if settled else None, value


def stamp_of(path: Path) -> Stamp:
    """What changes when a file does."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def recall(place: Path) -> Memory:
    """What was remembered; nothing, if that is missing or damaged."""
    try:
        memory = json.loads(place.read_text())
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def remember(place: Path, memory: Memory) -> None:
    """Keep for next time, in one step; a cache that cannot be written only costs time."""
    draft = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(memory))
        os.replace(draft, place)
    except OSError:
        draft.unlink(missing_ok=True)
