"""Which words belong to which picture: read from tables, or from text files beside the pictures."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import basename, dirname, join, normpath, splitext

from ganctl.data.pictures import Unreadable
from ganctl.data.sources import Listing, Source
from ganctl.data.splits import is_test
from ganctl.data.spreadsheet import AUTO, Spreadsheet, decoded, spreadsheet
from ganctl.errors import UserError
from ganctl.text import tidied

NAMED = 3  # examples that a message gives


@dataclass(frozen=True)
class Columns:
    """Where a table says what."""

    table: str = AUTO  # name of the tables; auto: every CSV or TSV file, one a folder
    file: str = "file"  # the picture, as seen from the table's folder or from the root
    caption: str = "caption"
    attributes: Sequence[str] = ()  # what the caption says, as values
    encoding: str = AUTO


@dataclass
class Wording:
    """What is said of each picture, and what is wrong with that."""

    captions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # picture -> one or more
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)  # picture -> one value an attribute
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # kind of fault -> where

    def pictures(self, test: bool) -> tuple[str, ...]:
        """Those with captions (and attributes), of training or of the test part, sorted."""
        return tuple(name for name in sorted(self.captions) if is_test(name) == test)

    def complaint(self) -> str:
        """All faults in one sentence; empty where there are none."""
        return "; ".join(f"{len(where):,} {kind}, such as {some(where)}" for kind, where in self.faults.items())


def some(names: Sequence[str]) -> str:
    """The first few by name."""
    return ", ".join(map(repr, names[:NAMED]))


def wording(source: Source, listing: Listing, columns: Columns) -> Wording:
    """Everything that is said of the pictures of a place. Raises UserError where there is nothing to read."""
    found = Wording()
    names = tables(source, listing, columns.table)
    if names:
        for name in names:
            sheet = spreadsheet(text_of(source, name), name, columns.encoding)
            take_table(sheet, frozenset(listing.names), columns, found)
    else:
        take_notes(source, listing, columns, found)
    silent = [name for name in listing.names if name not in found.captions]
    if silent:
        found.faults["pictures without a caption"] = silent
    if not found.captions:
        what = found.complaint()
        raise UserError(f"dataset.root: not one captioned picture in {str(source.path)!r}: {what}; correct them")
    return found


def text_of(source: Source, name: str) -> bytes:
    """The bytes of a text file. Raises UserError."""
    try:
        return source.read(name)
    except Unreadable as error:
        raise UserError(f"dataset.root: {name!r} in {str(source.path)!r} cannot be read ({error})") from None


def tables(source: Source, listing: Listing, wanted: str) -> list[str]:
    """The tables to read, at most one a folder; none: captions stand in text files. Raises UserError."""
    found = [name for name in listing.texts if splitext(name)[1].lower() in (".csv", ".tsv")]
    if wanted != AUTO:
        chosen = [name for name in found if name == wanted or name.endswith(f"/{wanted}")]
        if not chosen:
            there = ", ".join(sorted({basename(name) for name in found})) or "no CSV or TSV file"
            raise UserError(f"dataset.table: no {wanted!r} in {str(source.path)!r}; there is {there}; name one of them")
        return chosen
    folders = [dirname(name) for name in found]
    double = [name for name in found if folders.count(dirname(name)) > 1]
    if double:
        raise UserError(f"dataset.table: several tables in one folder: {some(double)}; name one, table=NAME.csv")
    if not found and not any(splitext(name)[1].lower() == ".txt" for name in listing.texts):
        raise UserError(
            f"dataset.root: no captions in {str(source.path)!r}; put a table there (CSV with the columns file and "
            "caption), or a .txt file beside each picture"
        )
    return found


def take_table(sheet: Spreadsheet, pictures: frozenset[str], columns: Columns, found: Wording) -> None:
    """Add what a table says; rows that cannot be used become faults."""
    sheet.demand(columns.file, "dataset.file")
    sheet.demand(columns.caption, "dataset.caption")
    for attribute in columns.attributes:
        sheet.demand(attribute, "dataset.attributes")
    for row in sheet.rows:
        picture = place(row[columns.file], sheet.name, pictures)
        caption = tidied(row[columns.caption])
        values = tuple(row[attribute] for attribute in columns.attributes)
        if picture is None:
            found.faults["rows that name a picture that is not there"].append(row[columns.file])
        elif not caption:
            found.faults["empty captions"].append(picture)
        elif not all(values):
            found.faults["rows without a value of attributes"].append(picture)
        else:
            found.captions[picture].append(caption)
            found.values.setdefault(picture, values)


def place(file: str, table: str, pictures: frozenset[str]) -> str | None:
    """The picture that a row names, as seen from the table's folder or from the root."""
    written = file.replace("\\", "/")
    seen = (normpath(join(dirname(table), written)), normpath(written))
    return next((name for name in seen if name in pictures), None)


def take_notes(source: Source, listing: Listing, columns: Columns, found: Wording) -> None:
    """Add the lines of `a.txt` as captions of `a.png`."""
    if columns.attributes:
        raise UserError("dataset.attributes: text files have no columns; leave it out, or write a table")
    notes = {splitext(name)[0]: name for name in listing.texts}
    for picture in listing.names:
        if note := notes.get(splitext(picture)[0]):
            lines = list(captions_in(decoded(text_of(source, note), note, columns.encoding)))
            if lines:
                found.captions[picture] += lines
            else:
                found.faults["empty captions"].append(note)


def captions_in(text: str) -> Iterator[str]:
    """The lines that are not empty."""
    return filter(None, map(tidied, text.splitlines()))


def combinations(values: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every combination of attributes that occurs, sorted: (circle, black), (circle, blue), ..."""
    return sorted({each for each in values.values() if each})
