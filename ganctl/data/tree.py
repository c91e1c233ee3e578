"""A folder of pictures and all folders within it."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ganctl.data.digests import digests
from ganctl.data.pictures import MAX_BYTES, Unreadable
from ganctl.data.sources import MAGIC_BYTES, TOO_LARGE, Listing, Sorter, Source, hidden, unlistable


class FolderSource(Source):
    """Links are followed, but not in circles; pipes and devices are never opened."""

    def listing(self) -> Listing:
        sorter = Sorter()
        for name, path in walk(self.path, "", ()):
            sorter.add(name, obstacle(path), lambda path=path: beginning(path))  # type: ignore[misc]
        return sorter.listing()

    def read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise Unreadable((error.strerror or type(error).__name__).lower()) from None

    def digests(self, names: Sequence[str]) -> list[str]:
        return digests([self.path / name for name in names])


def walk(folder: Path, prefix: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[str, Path]]:
    """(relative name, path) of every file that is not hidden; a folder that lies within itself is not entered."""
    try:
        status = folder.stat()
        files = list(os.scandir(folder))
    except OSError as error:
        raise unlistable(folder, error) from None
    itself = (status.st_dev, status.st_ino)
    if itself in above:
        return
    for file in files:
        if hidden(file.name):
            continue
        if is_folder(file):
            yield from walk(Path(file.path), f"{prefix}{file.name}/", (*above, itself))
        else:
            yield prefix + file.name, Path(file.path)


def is_folder(file: os.DirEntry[str]) -> bool:
    """Also through a link; a link that leads to itself is none."""
    try:
        return file.is_dir()
    except OSError:
        return False


def obstacle(path: Path) -> str | None:
    """Why a file must not be opened: a pipe, say, would keep the reader waiting for ever."""
    try:
        status = path.stat()
    except OSError:
        return "a broken link"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    return TOO_LARGE if status.st_size > MAX_BYTES else None


def beginning(path: Path) -> bytes:
    """The first bytes, or none where the file cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MAGIC_BYTES)
    except OSError:
        return b""
