"""Pictures with a table of attributes: one line a file, 0 and 1 or words in its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from ganctl.data.album import album
from ganctl.data.batch import Images, Tensors
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width
from ganctl.data.folder import OnError, check_on_error, judge, listed
from ganctl.data.labelling import Labelling, labelling
from ganctl.data.lines import lines_of, read_table
from ganctl.data.pictures import Crop, Frame
from ganctl.data.roots import source_at
from ganctl.data.sources import Listing, Source
from ganctl.data.spreadsheet import AUTO, Spreadsheet, check_encoding


class Attributes(Dataset):
    """Pictures labelled by a table (CSV, TSV) whose first line names the columns.

    root: a folder, a zip or a folder inside a zip that holds pictures and table; also looked for in GANCTL_DATA.
    table: the file; file: its column of file names, null: the first.
    columns: those to learn, null: all. A column of 0 and 1 (or -1 and 1) is one attribute; each word of a column of
    words is one. One column of words alone gives classes: a picture has exactly one of them.
    test: a root of the same form with pictures for previews and scores, or null.
    size, crop, channels, background: see `Frame`; flip: mirror left to right at random.
    on_error: pictures that cannot be read, pictures without a line, lines without a picture: stop, or skip them.
    """

    def __init__(
        self,
        root: str,
        table: str = "attributes.csv",
        file: str | None = None,
        columns: Sequence[str] | None = None,
        test: str | None = None,
        size: int | Sequence[int] = 64,
        crop: Crop = "center",
        channels: int = 3,
        background: str = "white",
        flip: bool = False,
        encoding: str = AUTO,
        on_error: OnError = "error",
    ) -> None:
        self.frame = Frame(height_width(size), crop, channels, background)
        if columns is not None and (not columns or len(set(columns)) < len(columns)):
            raise ValueError(f"columns: {list(columns)}; must be one or more different ones, or null for all")
        check_encoding(encoding)
        check_on_error(on_error)
        self.root, self.test, self.table, self.file = root, test, table, file
        self.columns, self.flip, self.encoding, self.on_error = columns, flip, encoding, on_error

    def describe(self) -> Description:
        meaning, shape = self.labelling, self.frame.shape
        known = Description(shape, len(meaning.names), len(self.lines), meaning.names)
        return replace(known, attributes=True, groups=meaning.groups) if meaning.several else known

    def open(self, device: torch.device) -> Table:
        held_out = None if self.test is None else self.held_out(self.test, device)
        return self.table_of(self.source, self.listing, self.lines, device, self.flip, held_out)

    def held_out(self, root: str, device: torch.device) -> Table:
        """The test pictures, in the words of the training pictures."""
        source = source_at(root)
        listing = listed(source)
        sheet = read_table(source, listing, self.table, self.encoding)
        return self.table_of(source, listing, self.matched(source, listing, sheet), device, flip=False)

    def table_of(
        self,
        source: Source,
        listing: Listing,
        lines: Mapping[str, Mapping[str, str]],
        device: torch.device,
        flip: bool,
        held_out: Table | None = None,
    ) -> Table:
        """Pictures and labels of one place."""
        chosen = listing.part(lines)
        pictures = album(source, chosen, self.frame)
        judge(source, chosen, pictures, self.on_error)
        labels = self.labelling.labels([lines[name] for name in pictures.names], self.table)
        return LabelledTable(pictures.images, labels, device, flip, held_out)

    @cached_property
    def source(self) -> Source:
        return source_at(self.root)

    @cached_property
    def listing(self) -> Listing:
        return listed(self.source)

    @cached_property
    def sheet(self) -> Spreadsheet:
        sheet = read_table(self.source, self.listing, self.table, self.encoding)
        for column in (*(self.columns or ()), *([self.file] if self.file else [])):
            sheet.demand(column, "dataset.file" if column == self.file else "dataset.columns")
        return sheet

    @cached_property
    def lines(self) -> Mapping[str, Mapping[str, str]]:
        """Picture -> its line, sorted by name."""
        return self.matched(self.source, self.listing, self.sheet)

    def matched(self, source: Source, listing: Listing, sheet: Spreadsheet) -> Mapping[str, Mapping[str, str]]:
        return lines_of(source, listing, sheet, self.file or sheet.columns[0], skip=self.on_error == "skip")

    @cached_property
    def labelling(self) -> Labelling:
        file = self.file or self.sheet.columns[0]
        columns = self.columns or [column for column in self.sheet.columns if column != file]
        return labelling(list(self.lines.values()), columns, self.table)

    def blank(self, count: int) -> Tensors:
        classes = len(self.labelling.names)
        label = torch.zeros(count, classes) if self.labelling.several else torch.zeros(count, dtype=torch.int64)
        return Images(torch.zeros(count, *self.frame.shape), label)


class LabelledTable(TensorTable):
    """Labelled pictures, and others held out."""

    def __init__(
        self, images: Tensor, labels: Tensor, device: torch.device, flip: bool, held_out: Table | None
    ) -> None:
        super().__init__(images, labels, device, flip)
        self.aside = held_out

    def held_out(self) -> Table | None:
        return self.aside
