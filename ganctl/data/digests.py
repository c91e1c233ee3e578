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

Stamp = list[int]  # size, mtime_ns, ctime_ns, inode
Memory = dict[str, list[int | str]]  # path -> stamp and digest


def digests(paths: Sequence[Path]) -> list[str]:
    """Content digest of each file, or UNREADABLE.

    A file is read again unless its size, times and inode are those it was last read with. The time of change
    (ctime) cannot be set by a user, so a file replaced by one of the same size and date is noticed.
    """
    names = [os.path.abspath(path) for path in paths]
    if not names:
        return []
    place = cache_folder() / "digests" / f"{key_of(os.path.commonpath(names))}.json"
    memory = recall(place)
    known = {name: memory[name] for name in names if name in memory and memory[name][:-1] == stamp_of(name)}
    others = [name for name in names if name not in known]
    with ThreadPoolExecutor(cores()) as pool:
        read = dict(zip(others, shown("reading", pool.map(digest, others), len(others)), strict=True))
    fresh = known | {name: [*stamp, value] for name, (stamp, value) in read.items() if stamp}
    if fresh != memory:
        remember(place, fresh)
    return [str(known[name][-1]) if name in known else read[name][1] for name in names]


def digest(name: str) -> tuple[Stamp, str]:
    """(stamp, digest); the stamp is empty where it proves nothing, as for a file that changed a moment ago."""
    try:
        now, before = time.time_ns(), stamp_of(name)
        with open(name, "rb") as file:
            value = file_digest(file, lambda: blake2b(digest_size=16)).hexdigest()
    except OSError:
        return [], UNREADABLE
    settled = bool(before) and max(before[1:3]) < now - SETTLED_NS and stamp_of(name) == before
    return before if settled else [], value


def stamp_of(name: str) -> Stamp:
    """What changes when a file does; empty where there is none."""
    try:
        status = os.stat(name)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def recall(place: Path) -> Memory:
    """What was remembered; nothing, if that is missing or damaged."""
    try:
        memory = json.loads(place.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(memory, dict):
        return {}
    return {name: known for name, known in memory.items() if isinstance(known, list) and len(known) == 5}


def remember(place: Path, memory: Memory) -> None:
    """Keep for next time, in one step; a cache that cannot be written only costs time."""
    draft = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(memory))
        os.replace(draft, place)
    except OSError:
        draft.unlink(missing_ok=True)
