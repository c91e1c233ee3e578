"""From what a user calls `dataset.root` to the place with the pictures."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganctl.data.archive import ZipSource
from ganctl.data.sources import Source
from ganctl.data.tree import FolderSource
from ganctl.errors import UserError


def source_at(root: str) -> Source:
    """A folder, a zip, or a folder inside a zip (`cars.zip/train`). Raises UserError.

    A relative path that is not found here is looked for in GANCTL_DATA.
    """
    if not root:
        raise UserError("dataset.root: no folder was named; write dataset.root=PATH")
    for place in places(root):
        if os.path.isdir(place):
            return FolderSource(place)
        if zipped := next((part for part in (place, *place.parents) if is_zip(part)), None):
            return ZipSource(zipped, "/".join(place.relative_to(zipped).parts))
        if os.path.isfile(place):
            raise UserError(f"dataset.root: {str(place)!r} is a file; must be a folder or a zip of pictures")
    raise UserError(f"dataset.root: no such folder {root!r}; put pictures there or set dataset.root=PATH")


def is_zip(path: Path) -> bool:
    """By its name; whether it is whole shows when it is opened."""
    return path.suffix.lower() == ".zip" and os.path.isfile(path)


def places(root: str) -> list[Path]:
    """Where a root may lie: here or, if relative, in GANCTL_DATA."""
    here, elsewhere = Path(os.path.expanduser(root)), os.environ.get("GANCTL_DATA")
    return [here, Path(os.path.expanduser(elsewhere)) / here] if elsewhere else [here]


@contextmanager
def instead_of_root(key: str) -> Iterator[None]:
    """Inside, mistakes about `dataset.root` are about another key."""
    try:
        yield
    except UserError as error:
        raise UserError(*(mistake.replace("dataset.root", key) for mistake in error.mistakes)) from None


@contextmanager
def of_a_run(dataset: Mapping[str, Any]) -> Iterator[None]:
    """Inside, mistakes are about the data that a run was trained on, which cannot be another. dataset: its settings."""
    try:
        yield
    except UserError as error:
        raise UserError(*(kept(mistake, dataset) for mistake in error.mistakes)) from None


def kept(mistake: str, dataset: Mapping[str, Any]) -> str:
    """The mistake, with what to do where a run's data was moved, or is looked for from another folder."""
    root = dataset.get("root")
    if not root or not mistake.startswith("dataset.root: no such folder"):
        return mistake
    found, _, _ = mistake.partition(";")
    relative = "" if os.path.isabs(os.path.expanduser(root)) else ", or set GANCTL_DATA to the folder that holds it"
    return f"{found}, on which the run was trained; put it back there, or a link to it{relative}"
