"""The published files of a dataset: found, downloaded, or their place told in one sentence."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ganctl.data.cache import cache_folder
from ganctl.errors import UserError

PATIENCE_SECONDS = 20  # for a server that does not answer


@dataclass(frozen=True)
class Download:
    """Where a published file can be had, and how to tell that it is whole."""

    urls: tuple[str, ...]
    md5: str


@dataclass(frozen=True)
class Originals:
    """The files of a dataset below its root."""

    title: str
    packed: tuple[str, ...]  # as published
    unpacked: tuple[str, ...]  # what lies in them

    def find(self, root: str | None) -> tuple[Path, tuple[str, ...]] | None:
        """(root, files) of the first root that has them all, packed or unpacked."""
        for place in [*roots(root), downloads()]:
            for files in (self.packed, self.unpacked):
                if all((place / file).is_file() for file in files):
                    return place, files
        return None

    def fetch(self, root: str | None, downloads: Mapping[str, Download]) -> tuple[Path, tuple[str, ...]]:
        """Download what is missing, with a progress bar. Raises UserError where that cannot be done."""
        place = writable(roots(root)[0])
        for file in self.packed:
            with self.had(root):
                fetch(place / file, downloads[file])
        return place, self.packed

    def demand_servers(self, root: str | None, downloads: Mapping[str, Download]) -> None:
        """Raise UserError, as `fetch` would, where no server has what is missing; nothing is loaded."""
        place = writable(roots(root)[0])
        missing = [file for file in self.packed if not (place / file).is_file()]
        with self.had(root):
            for file in missing[:1]:  # the others lie beside it
                from_any(downloads[file], ask)

    @contextmanager
    def had(self, root: str | None) -> Iterator[None]:
        """Inside, what a server refuses becomes the sentence that says what to put where."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # URLError is an OSError
            raise self.absent(roots(root)[0], error) from None

    def absent(self, place: Path, error: Exception) -> UserError:
        """What to put where."""
        folders = sorted({str((place / file).parent) for file in self.packed})
        names = ", ".join(Path(file).name for file in self.packed)
        return UserError(
            f"dataset.root: {self.title} is not in {str(place)!r} and cannot be downloaded "
            f"({getattr(error, 'reason', error)}); put {names} into {' and '.join(folders)}, "
            "or set dataset.root or GANCTL_DATA to the folder that has them so"
        )


def roots(root: str | None) -> list[Path]:
    """Where files are looked for: in `root` alone if given, else in GANCTL_DATA, ./data and ../shared/data."""
    if root is not None:
        return [Path(os.path.expanduser(root))]
    named = os.environ.get("GANCTL_DATA")
    return [Path(os.path.expanduser(place)) for place in (named, "data", "../shared/data") if place]


def downloads() -> Path:
    """Where files go when their root cannot be written."""
    return cache_folder() / "downloads"


def writable(place: Path) -> Path:
    """The place itself or, where nothing can be written there, the cache."""
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    return place if os.access(existing, os.W_OK) else downloads()


def fetch(file: Path, download: Download) -> None:
    """Load one file from the first server that gives it. Raises OSError or RuntimeError."""
    from torchvision.datasets.utils import download_url

    missing = [folder for folder in file.parents if not folder.exists()]
    try:
        from_any(download, lambda url: download_url(url, str(file.parent), file.name, download.md5))
    except (OSError, RuntimeError):
        for folder in missing:  # that torchvision made; one with a file in it stays
            with suppress(OSError):
                folder.rmdir()
        raise


def ask(url: str) -> None:
    """Open the address and read nothing. Raises OSError."""
    from urllib.request import Request, urlopen

    with urlopen(Request(url, headers={"User-Agent": "ganctl"})):
        pass


def from_any(download: Download, take: Callable[[str], None]) -> None:
    """`take` an address, the next one where it fails by OSError or RuntimeError; raises the last of them."""
    last: Exception = RuntimeError("no server is known")
    for url in download.urls:
        try:
            with patience():
                return take(url)
        except (OSError, RuntimeError) as error:
            last = error
    raise last


@contextmanager
def patience() -> Iterator[None]:
    """Give up on silent servers; torchvision itself would wait for minutes."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def unpack(place: Path, files: tuple[str, ...], downloads: Mapping[str, Download], into: Path) -> None:
    """Unpack published files below `into`, each where it lies below `place`. Raises UserError for a damaged one."""
    from torchvision.datasets.utils import check_integrity, extract_archive

    for file in files:
        if not check_integrity(place / file, downloads[file].md5):
            raise UserError(
                f"dataset.root: {str(place / file)!r} is damaged (its md5 is not {downloads[file].md5}); "
                "delete it and run again, or put a whole copy there"
            )
        folder = (into / file).parent
        folder.mkdir(parents=True, exist_ok=True)
        extract_archive(str(place / file), str(folder))
