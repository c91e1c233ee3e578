"""From words in a table to labels: which columns are attributes, and what each line says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.errors import UserError

TRUTH = {"1": 1.0, "true": 1.0, "yes": 1.0, "0": 0.0, "-1": 0.0, "false": 0.0, "no": 0.0}
PLAIN = ({"0", "1"}, {"-1", "1"}, {"true", "false"}, {"yes", "no"})  # what stands together in a column of attributes
MOST = 20  # different words of a column

Line = Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """What one column of a table means."""

    name: str
    words: tuple[str, ...] = ()  # each an attribute; none: the column is one attribute, on or off

    def values(self, cell: str, table: str) -> list[float]:
        """A cell as 0 and 1. Raises UserError for a word that the column does not have."""
        if not self.words and cell.lower() in TRUTH:
            return [TRUTH[cell.lower()]]
        if cell in self.words:
            return [float(cell == word) for word in self.words]
        known = ", ".join(self.words) or "0 and 1"
        raise UserError(f"dataset.table: {cell!r} in column {self.name!r} of {table!r}; it knows {known}; correct it")


@dataclass(frozen=True)
class Labelling:
    """What all columns mean together."""

    columns: tuple[Column, ...]

    @property
    def several(self) -> bool:
        """Whether a picture can have several attributes; else it has exactly one class."""
        return len(self.columns) > 1 or not self.columns[0].words

    @property
    def names(self) -> tuple[str, ...]:
        """Of the attributes or classes; a word that stands in two columns is told with its column."""
        words = [word for column in self.columns for word in column.words or (column.name,)]
        return tuple(
            word if words.count(word) == 1 else f"{column.name}:{word}"
            for column in self.columns
            for word in column.words or (column.name,)
        )

    @property
    def groups(self) -> tuple[int, ...]:
        """How many attributes each column gives."""
        return tuple(len(column.words) or 1 for column in self.columns)

    def labels(self, lines: Sequence[Line], table: str) -> Tensor:
        """[N, K] float of 0 and 1 where `several`, else classes [N] int64."""
        rows = [[value for each in self.columns for value in each.values(line[each.name], table)] for line in lines]
        labels = torch.tensor(rows)
        return labels if self.several else labels.argmax(1)


def labelling(lines: Sequence[Line], columns: Sequence[str], table: str) -> Labelling:
    """What these columns mean, by what stands in them. Raises UserError."""
    if not columns:
        raise UserError(f"dataset.table: {table!r} has no column beside that of the files; add one an attribute")
    return Labelling(tuple(column_of(name, [line[name] for line in lines], table) for name in columns))


def column_of(name: str, cells: Sequence[str], table: str) -> Column:
    """One column by its cells. Raises UserError."""
    words = sorted(set(cells))
    if any({word.lower() for word in words} <= allowed for allowed in PLAIN):
        return Column(name)
    where = f"dataset.table: column {name!r} of {table!r}"
    if "" in words:
        raise UserError(f"{where} is empty in {cells.count(''):,} lines; fill them, or name others in dataset.columns")
    if numbers := [word for word in words if is_number(word)]:
        odd = next((word for word in words if word not in ("0", "1", "-1")), " and ".join(numbers))
        raise UserError(f"{where} holds {odd!r}; must be 0 and 1, -1 and 1, or words; correct it")
    if len(words) > MOST:
        raise UserError(
            f"dataset.columns: column {name!r} of {table!r} has {len(words)} different words, and at most {MOST} make "
            "attributes; name the columns to use, e.g. dataset.columns=[color,shape]"
        )
    return Column(name, tuple(words))


def is_number(word: str) -> bool:
    """Whether a cell holds a number rather than a word."""
    try:
        float(word)
    except ValueError:
        return False
    return True
