"""A zip of pictures, read in place: nothing is ever unpacked on disk."""

import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from threading import Lock
from zipfile import ZipFile, ZipInfo

from ganctl.data.digests import digests
from ganctl.data.pictures import MAX_BYTES, Unreadable
from ganctl.data.sources import MAGIC_BYTES, TOO_LARGE, Listing, Sorter, Source, hidden, unlistable
from ganctl.errors import UserError

MAX_MEMBERS = 5_000_000
MAX_RATIO = 200  # of unpacked to packed size; asked only of members larger than this:
SUSPECT_BYTES = 2**24
SHOWN = 5  # folders of a zip that a sentence lists


class ZipSource(Source):
    """A zip, or the folder `inside` one. Damaged and dangerous members are refused one by one."""

    def __init__(self, file: Path, inside: str = "") -> None:
        super().__init__(file / inside)
        self.file, self.inside, self.lock = file, f"{inside}/" if inside else "", Lock()
        try:
            self.archive = ZipFile(file)
        except OSError as error:
            raise unlistable(file, error) from None
        except Exception:  # a damaged zip raises almost anything
            raise UserError(f"dataset.root: {str(file)!r} is not a whole zip; copy or download it again") from None
        if self.inside and not any(name.startswith(self.inside) for name in self.archive.namelist()):
            raise UserError(f"dataset.root: no folder {inside!r} in {str(file)!r}; {self.folders()}")

    def folders(self) -> str:
        """What may stand behind the zip's name, in words."""
        parents = (PurePosixPath(name).parent.as_posix() for name in self.archive.namelist() if not hidden(name))
        found = sorted({parent for parent in parents if parent != "."})
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return f"it has {', '.join(map(repr, found[:SHOWN]))}{more}" if found else "it has no folders"

    def listing(self) -> Listing:
        members = self.archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise UserError(f"dataset.root: {str(self.file)!r} holds {len(members):,} files; at most {MAX_MEMBERS:,}")
        times = Counter(member.filename for member in members)
        sorter = Sorter()
        for member in members:
            name = member.filename.removeprefix(self.inside)
            if member.filename.startswith(self.inside) and not member.is_dir() and not hidden(name.replace("\\", "/")):
                doubted = doubt(member, times[member.filename])
                sorter.add(name, doubted, lambda name=name: self.beginning(name))  # type: ignore[misc]
        return sorter.listing()

    def read(self, name: str) -> bytes:
        try:
            with self.lock:  # ZipFile counts its readers without one
                return self.archive.read(self.inside + name)
        except Exception as error:  # of many kinds, by the method the member was packed with
            raise Unreadable(f"damaged in the zip ({str(error)[:80] or type(error).__name__})") from None

    def beginning(self, name: str) -> bytes:
        """The first bytes of a member, or none where it cannot be read."""
        try:
            return self.read(name)[:MAGIC_BYTES]
        except Unreadable:
            return b""

    def digests(self, names: Sequence[str]) -> list[str]:
        (whole,) = digests([self.file])
        members = (self.archive.getinfo(self.inside + name) for name in names)
        return [f"{whole}:{member.CRC}:{member.file_size}" for member in members]


def doubt(member: ZipInfo, times: int) -> str | None:
    """Why a member, `times` in the zip, must not be read."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        return "its path leads out of the zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if member.flag_bits & 1:
        return "encrypted"
    if times > 1:
        return f"{times} files have this name"
    if member.file_size > SUSPECT_BYTES and member.file_size > MAX_RATIO * member.compress_size:
        return f"unpacks to more than {MAX_RATIO} times its size"
    return TOO_LARGE if member.file_size > MAX_BYTES else None
