"""Where a domain's pictures lie: a named folder below a root, also where a zip wraps all of them in one more folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ganctl.data.archive import ZipSource
from ganctl.data.pictures import accepted
from ganctl.data.roots import source_at
from ganctl.data.sources import Listing, Source
from ganctl.errors import UserError

SHOWN = 8  # folders that a message names


@dataclass(frozen=True)
class Domain:
    """A place with at least one picture."""

    source: Source
    listing: Listing


def domain(root: str, name: str, key: str) -> Domain:
    """The folder `name` below `root`; `key` is the setting that names it. Raises UserError."""
    place = source_at(root)
    inside = within(place, name)
    if inside is None:
        found = ", ".join(folders_of(place)[:SHOWN]) or "no folders"
        raise UserError(
            f"dataset.{key}: no folder {name!r} in {str(place.path)!r}, which holds {found}; "
            f"set dataset.{key}=FOLDER, or dataset.root to the folder above it"
        )
    source = source_at(str(inside))
    listing = source.listing()
    if not listing.names:
        raise UserError(
            f"dataset.{key}: no pictures in {str(inside)!r}, and both domains need some; "
            f"put pictures there ({accepted()}) or set dataset.{key}=FOLDER"
        )
    return Domain(source, listing)


def within(place: Source, name: str) -> Path | None:
    """The path of the folder `name` in `place`, or in the only one of its folders that has it."""
    folders = [place.path, *(place.path / each for each in folders_of(place))]
    paths = dict.fromkeys(folder / name for folder in folders)  # all the same where the name is a full path
    having = [path for path in paths if is_folder(place, path)]
    return having[0] if having and (len(having) == 1 or having[0].parent == place.path) else None


def is_folder(place: Source, path: Path) -> bool:
    """Whether there is such a folder, on the disk or in the zip."""
    if not isinstance(place, ZipSource):
        return path.is_dir()
    if not path.is_relative_to(place.file):
        return path.is_dir()
    inside = path.relative_to(place.file).as_posix()
    return any(name.startswith(f"{inside}/") for name in place.archive.namelist())


def folders_of(place: Source) -> list[str]:
    """Names of the folders directly in a place."""
    if not isinstance(place, ZipSource):
        return sorted(each.name for each in place.path.iterdir() if each.is_dir() and not each.name.startswith("."))
    return sorted(outermost(place.archive.namelist(), place.inside))


def outermost(names: Iterable[str], inside: str) -> set[str]:
    """The first folder of each name below `inside`."""
    below = [name.removeprefix(inside) for name in names if name.startswith(inside)]
    return {name.partition("/")[0] for name in below if "/" in name}
