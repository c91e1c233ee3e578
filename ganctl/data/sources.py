"""Where picture files lie: what a folder and a zip have in common."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ganctl.data.pictures import MAX_BYTES, SUFFIXES, accepted
from ganctl.errors import UserError

MAGIC = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")  # how pictures begin, for files without a suffix
MAGIC_BYTES = 8
TEXTS = frozenset((".csv", ".tsv", ".txt"))
SYSTEM_FOLDERS = frozenset(("__MACOSX", "lost+found", "@eaDir", "$RECYCLE.BIN", "System Volume Information"))
TOO_LARGE = f"larger than {MAX_BYTES // 2**20} MiB"


@dataclass(frozen=True)
class Listing:
    """What was found; names are relative, with `/`, sorted."""

    names: tuple[str, ...]  # of all pictures
    refused: Mapping[str, str]  # those of them that must not be opened, and why
    others: Mapping[str, int]  # suffix -> how many files are no pictures
    texts: tuple[str, ...] = ()  # those of them that may be read as text: TEXTS

    def part(self, names: Iterable[str]) -> "Listing":
        """Of some of the pictures alone, in this order."""
        chosen = tuple(names)
        return Listing(chosen, {name: self.refused[name] for name in chosen if name in self.refused}, {})


class Source(ABC):
    """A place with picture files, listed without opening a picture, read in place."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def listing(self) -> Listing:
        """All pictures; hidden and system files left out. Raises UserError where the place cannot be listed."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A picture's bytes; may be called by several threads. Raises Unreadable."""

    @abstractmethod
    def digests(self, names: Sequence[str]) -> list[str]:
        """For each name a text that is another when the content is."""


class Sorter:
    """Collects a listing, file by file."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.refused: dict[str, str] = {}
        self.others: Counter[str] = Counter()
        self.texts: set[str] = set()

    def add(self, name: str, obstacle: str | None, beginning: Callable[[], bytes]) -> None:
        """`obstacle`: why the file must not be opened; `beginning`: its first bytes, asked for only when needed."""
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in SUFFIXES or (not suffix and not obstacle and beginning().startswith(MAGIC)):
            self.names.add(name)
            if obstacle:
                self.refused[name] = obstacle
        else:
            self.others[suffix or "without suffix"] += 1
            if suffix in TEXTS and not obstacle:
                self.texts.add(name)

    def listing(self) -> Listing:
        return Listing(tuple(sorted(self.names)), self.refused, self.others, tuple(sorted(self.texts)))


def hidden(name: str) -> bool:
    """Whether any part of the path is a hidden or system file."""
    parts = name.split("/")
    return any(part in SYSTEM_FOLDERS or (part.startswith(".") and part.strip(".")) for part in parts)


def unlistable(path: Path, error: OSError) -> UserError:
    """The mistake behind a place that cannot be listed."""
    reason = (error.strerror or type(error).__name__).lower()
    return UserError(f"dataset.root: cannot read {str(path)!r} ({reason}); set dataset.root to a folder that can be")


def nothing_in(source: Source, listing: Listing) -> UserError:
    """The mistake behind a place without pictures."""
    held = ", ".join(f"{count:,} {suffix}" for suffix, count in Counter(listing.others).most_common(5))
    found = f"it holds {held}" if held else "it is empty"
    return UserError(
        f"dataset.root: no pictures in {str(source.path)!r}, {found}; "
        f"put pictures there ({accepted()}) or set dataset.root=PATH"
    )
