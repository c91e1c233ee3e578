"""Files written whole or not at all: a part file in the same folder, forced to the disk, then renamed."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ganctl.errors import GanctlError

LEFTOVER = re.compile(r"\..+\.(part|old)-\d+")


@contextmanager
def whole_file(path: Path, previous: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well; else `path` stays as it was.

    With `previous`, the file replaced is kept under that name. Killed at any instant (or out of power), `path` or
    `previous` is whole; with hard links `path` is, even when `previous` was spoilt before. Raises OSError.
    """
    # The part lies beside its target: from another filesystem a rename would be a copy, which a kill cuts in two.
    part = path.with_name(f".{path.name}.part-{os.getpid()}")
    old = path.with_name(f".{path.name}.old-{os.getpid()}")
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            replace_keeping(part, path, previous, old)
        else:
            os.replace(part, path)
        sync_folder(path.parent)
    finally:
        for leftover in (part, old):
            with suppress(OSError):
                leftover.unlink()


def replace_keeping(part: Path, path: Path, previous: Path, old: Path) -> None:
    """Move `part` to `path` and what was there to `previous`; `old` is a name for the meantime."""
    old.unlink(missing_ok=True)
    try:
        os.link(path, old)
    except OSError:  # a filesystem without hard links: for an instant there is only `previous`
        os.replace(path, previous)
        os.replace(part, path)
        return
    # `previous` gives way only when the new file has its name: should `path` be damaged, `previous` is all there is.
    os.replace(part, path)
    os.replace(old, previous)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what killed writers left in a folder, which nobody else may be writing to; returns what was removed."""
    found = [path for path in folder.iterdir() if LEFTOVER.fullmatch(path.name)] if folder.is_dir() else []
    for path in found:
        path.unlink(missing_ok=True)
    return found


def write_text(path: Path, text: str) -> None:
    """Replace a small text file. Raises GanctlError in words when the disk refuses."""
    data = text.encode()
    try:
        with whole_file(path) as file:
            file.write(data)
    except OSError as error:
        raise not_written(path, len(data), error) from error


def not_written(path: Path, num_bytes: int, error: BaseException) -> GanctlError:
    """The words for a disk that is full or refuses."""
    reason = str(error)
    cause: BaseException | None = error
    while cause is not None:  # torch's writer hides the OSError behind a RuntimeError of its own
        if isinstance(cause, OSError):
            reason = cause.strerror or str(cause)
        cause = cause.__context__
    with suppress(OSError):
        reason += f"; {shutil.disk_usage(path.parent).free:,} bytes are free there"
    return GanctlError(
        f"{path}: could not write {num_bytes:,} bytes: {reason}; what lay there before is intact; "
        "make room or make the folder writable, then continue the run with resume="
    )
