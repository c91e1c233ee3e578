"""From what a user calls `dataset.root` to the place with the pictures."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganctl.data.archive import ZipSource
from ganctl.data.sources import Source
from ganctl.data.tree import FolderSource
from ganctl.errors import UserError


def source_at(root: str) -> Source:
    """A folder, a zip, or a folder inside a zip (`cars.zip/train`). Raises UserError.

    A relative path that is not found here is looked for in GANCTL_DATA.
    """
    for place in places(root):
        if place.is_dir():
            return FolderSource(place)
        if zipped := next((part for part in (place, *place.parents) if is_zip(part)), None):
            return ZipSource(zipped, "/".join(place.relative_to(zipped).parts))
        if place.is_file():
            raise UserError(f"dataset.root: {str(place)!r} is a file; must be a folder or a zip of pictures")
    raise UserError(f"dataset.root: no such folder {root!r}; put pictures there or set dataset.root=PATH")


def is_zip(path: Path) -> bool:
    """By its name; whether it is whole shows when it is opened."""
    return path.suffix.lower() == ".zip" and path.is_file()


def places(root: str) -> list[Path]:
    """Where a root may lie: here or, if relative, in GANCTL_DATA."""
    here, elsewhere = Path(root).expanduser(), os.environ.get("GANCTL_DATA")
    return [here, Path(elsewhere).expanduser() / here] if elsewhere else [here]


@contextmanager
def instead_of_root(key: str) -> Iterator[None]:
    """Inside, mistakes about `dataset.root` are about another key."""
    try:
        yield
    except UserError as error:
        raise UserError(*(mistake.replace("dataset.root", key) for mistake in error.mistakes)) from None
