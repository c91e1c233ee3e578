"""Tables in text files (CSV, TSV): from bytes of any usual encoding to rows by column name."""

import codecs
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

from ganctl.errors import UserError

MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
DELIMITERS = ",;\t|"
AUTO = "auto"


@dataclass(frozen=True)
class Spreadsheet:
    """A table's name, columns and rows; cells are stripped, missing ones empty."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def demand(self, column: str, setting: str) -> None:
        """Raises UserError where the column that `setting` names is not there."""
        if column not in self.columns:
            known = ", ".join(self.columns)
            raise UserError(f"{setting}: no column {column!r} in {self.name!r}; it has {known}; name one of them")


def check_encoding(encoding: str) -> None:
    """Raises ValueError for an encoding that nobody knows."""
    try:
        known = encoding == AUTO or codecs.lookup(encoding)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        raise ValueError(f"encoding: {encoding!r}; must be auto (UTF-8, or UTF-16 with its mark), latin-1, cp1252, ...")


def decoded(data: bytes, name: str, encoding: str = AUTO) -> str:
    """The text of a file. Raises UserError where its bytes are of another encoding."""
    marked = next((known for mark, known in MARKS if data.startswith(mark)), "utf-8")
    chosen = marked if encoding == AUTO else encoding
    try:
        text = data.decode(chosen)
        wrong = text.find("\0")  # as in UTF-16 read as UTF-8
    except UnicodeError as error:
        text, wrong = "", getattr(error, "start", 0)
    if wrong >= 0:
        raise UserError(
            f"dataset.encoding: {name!r} is not {chosen.upper()} (line {data[:wrong].count(10) + 1}); "
            "save it as UTF-8, or name its encoding, e.g. dataset.encoding=latin-1"
        )
    return text


def spreadsheet(data: bytes, name: str, encoding: str = AUTO) -> Spreadsheet:
    """A table whose first line names the columns, parted by commas, semicolons, tabs or bars. Raises UserError."""
    lines = decoded(data, name, encoding)
    first = next((line for line in lines.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    try:
        cells = [
            row for row in csv.reader(StringIO(lines, newline=""), delimiter=delimiter) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise UserError(f"dataset.root: {name!r} is no table ({error}); save it as CSV") from None
    if not cells:
        raise UserError(f"dataset.root: {name!r} is empty; its first line must name the columns, e.g. file,caption")
    columns = tuple(cell.strip() for cell in cells[0])
    return Spreadsheet(name, columns, tuple(by_name(columns, row) for row in cells[1:]))


def by_name(columns: Sequence[str], row: Sequence[str]) -> Mapping[str, str]:
    """A row's cells by column; what a short row lacks is empty."""
    padded = [*map(str.strip, row), *[""] * len(columns)]
    return dict(zip(columns, padded, strict=False))
