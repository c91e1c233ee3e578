"""Which line of a table belongs to which picture of a folder."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from ganctl.data.sources import Listing, Source
from ganctl.data.spreadsheet import Spreadsheet, spreadsheet
from ganctl.errors import UserError

NAMED = 3  # files that a message names
logger = logging.getLogger(__name__)

Lines = Mapping[str, Mapping[str, str]]


def read_table(source: Source, listing: Listing, table: str, encoding: str) -> Spreadsheet:
    """The table `table` in the source, or anywhere on the disk. Raises UserError."""
    if table in listing.texts:
        return spreadsheet(source.read(table), table, encoding)
    if Path(table).is_absolute() and Path(table).is_file():
        return spreadsheet(Path(table).read_bytes(), table, encoding)
    found = ", ".join(listing.texts[:NAMED]) or "no CSV"
    deeper = [PurePosixPath(name).parent for name in listing.texts if PurePosixPath(name).name == table]
    deeper.sort(key=lambda folder: "train" not in folder.parts)
    remedy = f"dataset.root={source.path / deeper[0]}" if deeper else "dataset.table=FILE"
    raise UserError(f"dataset.table: no file {table!r} in {str(source.path)!r}, which holds {found}; set {remedy}")


def lines_of(source: Source, listing: Listing, sheet: Spreadsheet, column: str, *, skip: bool) -> Lines:
    """Picture -> its line, in the order of the listing. Raises UserError; with `skip` what lacks its other is left out.

    A file is named by its path below the root, or by its bare name where only one picture has it.
    """
    known = by_name(listing.names)
    files = [row[column] for row in sheet.rows]
    lines = {known[file]: row for file, row in zip(files, sheet.rows, strict=True) if file in known}
    twice = [file for file, times in Counter(known.get(file, file) for file in files).items() if times > 1]
    if twice:
        raise UserError(f"dataset.table: {some(twice)} stand twice in {sheet.name!r}; leave one line each")
    absent = [file for file in files if file not in known]
    bare = [name for name in listing.names if name not in lines]
    place = str(source.path)
    if absent:
        tell(f"{len(absent):,} of {len(files):,} files in {sheet.name!r} are not in {place!r}: {some(absent)}", skip)
    if bare:
        tell(f"{len(bare):,} of {len(listing.names):,} pictures in {place!r} have no line: {some(bare)}", skip)
    if not lines:
        raise UserError(
            f"dataset.table: {sheet.name!r} names no picture in {place!r}; set dataset.table or dataset.file"
        )
    return {name: lines[name] for name in listing.names if name in lines}


def by_name(names: Iterable[str]) -> dict[str, str]:
    """Path or, where only one has it, bare name -> path."""
    paths = list(names)
    bare = Counter(PurePosixPath(path).name for path in paths)
    return {name: path for path in paths if bare[name := PurePosixPath(path).name] == 1} | {
        path: path for path in paths
    }


def tell(found: str, skip: bool) -> None:
    """Raises UserError, or says that it is skipped."""
    if not skip:
        raise UserError(f"dataset.table: {found}; make them agree, or set dataset.on_error=skip")
    logger.warning("%s; skipped", found)


def some(names: list[str]) -> str:
    """The first few."""
    shown = ", ".join(map(repr, names[:NAMED]))
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED:,} more"
