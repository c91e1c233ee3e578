"""Pictures with captions: a folder or zip with a table or text files, and synthetic ones for smoke tests."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor

from ganctl.data.album import album
from ganctl.data.batch import Captioned
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width, picture_shape
from ganctl.data.folder import OnError, check_on_error, judge
from ganctl.data.pictures import Crop, Frame
from ganctl.data.roots import source_at
from ganctl.data.sources import Listing, Source, nothing_in
from ganctl.data.spreadsheet import AUTO, check_encoding
from ganctl.data.wording import Columns, Wording, combinations, wording
from ganctl.errors import UserError
from ganctl.text import as_bytes, as_texts
from ganctl.transfer import handed

LONGEST = 4096  # bytes of a caption
logger = logging.getLogger(__name__)


class CaptionTable(Table):
    """Pictures with one caption or more each, of which a batch takes one at random."""

    def __init__(
        self, pictures: TensorTable, captions: Tensor, counts: Tensor, held_out: "CaptionTable | None" = None
    ) -> None:
        """captions: uint8 [M, L], those of the first picture first; counts: [N] how many each picture has."""
        if len(counts) != len(pictures) or int(counts.sum()) != len(captions) or int(counts.min()) < 1:
            raise ValueError("counts: must say of each picture how many of the captions are its own, 1 or more")
        self.pictures, self.captions, self.rest = pictures, captions, held_out
        self.counts, self.starts = counts, counts.cumsum(0) - counts

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Captioned:
        """image [B, C, H, W] in [-1, 1], caption [B, L] int64, label [B] where there are attributes."""
        counts = self.counts[indices]
        chosen = (torch.rand(len(indices), generator=generator) * counts).long().clamp(max=counts - 1)
        caption = self.captions[self.starts[indices] + chosen].long()
        pictures = self.pictures.batch(indices, generator)
        return Captioned(pictures.image, pictures.label, caption=handed(caption, pictures.image.device))

    def first_captions(self, indices: Tensor) -> list[str]:
        """The first caption of each of these pictures."""
        return as_texts(self.captions[self.starts[indices]])

    def held_out(self) -> "CaptionTable | None":
        return self.rest


class Captions(Dataset):
    """Pictures and the words of a table (CSV, TSV) or of .txt files beside them; folders `test` are never trained on.

    root, size, crop, channels, background, flip: as in `dataset=folder`; to mirror makes "left" wrong.
    table: name of the tables; auto: every CSV or TSV file, one a folder; without any, .txt files beside the pictures.
    file, caption: columns of the picture's path and of what is said of it; several rows of a picture are several
    captions.
    attributes: columns of what the captions say (shape, color); together they are the label, for measuring only.
    encoding: of the text; auto: UTF-8, or UTF-16 with its mark.
    longest: bytes of a caption; longer ones are cut.
    on_error: what to do about pictures and captions that cannot be used: stop with an error, or skip them.
    """

    batches = Captioned

    def __init__(
        self,
        root: str,
        size: int | Sequence[int] = 64,
        crop: Crop = "center",
        channels: int = 3,
        background: str = "white",
        table: str = AUTO,
        file: str = "file",
        caption: str = "caption",
        attributes: Sequence[str] = (),
        encoding: str = AUTO,
        longest: int = 256,
        flip: bool = False,
        on_error: OnError = "error",
    ) -> None:
        self.frame = Frame(height_width(size), crop, channels, background)
        check_on_error(on_error)
        check_encoding(encoding)
        if not 1 <= longest <= LONGEST:
            raise ValueError(f"longest: {longest}; must be 1 to {LONGEST} bytes")
        self.columns = Columns(table, file, caption, tuple(attributes), encoding)
        self.root, self.longest, self.flip, self.on_error = root, longest, flip, on_error

    def describe(self) -> Description:
        names = tuple(map(" ".join, self.classes))
        return Description(self.frame.shape, len(names), len(self.training), names)

    def open(self, device: torch.device) -> Table:
        others = self.wording.pictures(test=True)
        held_out = self.part(others, device, flip=False) if others else None
        return self.part(self.training, device, self.flip, held_out)

    def aspects(self) -> Mapping[str, tuple[int, ...]]:
        columns = zip(*self.classes, strict=True)
        return {name: numbered(values) for name, values in zip(self.columns.attributes, columns, strict=True)}

    @property
    def classes(self) -> list[tuple[str, ...]]:
        """What the labels stand for: combinations of values of the attributes; empty without attributes."""
        return combinations(self.wording.values)

    @cached_property
    def source(self) -> Source:
        return source_at(self.root)

    @cached_property
    def listing(self) -> Listing:
        """Of a place with at least one picture; its tables are no strangers there."""
        listing = self.source.listing()
        if not listing.names:
            raise nothing_in(self.source, listing)
        return listing

    @cached_property
    def wording(self) -> Wording:
        """What is said of each picture. Raises UserError for faults, unless they are to be skipped."""
        found = wording(self.source, self.listing, self.columns)
        if fault := found.complaint():
            if self.on_error == "error":
                raise UserError(
                    f"dataset.root: in {str(self.source.path)!r} there are {fault}; "
                    "correct them or set dataset.on_error=skip"
                )
            logger.warning("%s: skipped: %s", self.source.path, fault)
        return found

    @cached_property
    def training(self) -> tuple[str, ...]:
        names = self.wording.pictures(test=False)
        if not names:
            raise UserError(
                f"dataset.root: all pictures in {str(self.source.path)!r} lie in folders called test or the like, "
                "which are never trained on; put the others beside them"
            )
        return names

    def part(
        self, names: Sequence[str], device: torch.device, flip: bool, held_out: CaptionTable | None = None
    ) -> CaptionTable:
        """The table of some of the pictures."""
        listing = self.listing.part(names)
        pictures = album(self.source, listing, self.frame)
        judge(self.source, listing, pictures, self.on_error)
        said = [self.wording.captions[name] for name in pictures.names]
        captions = as_bytes([caption for each in said for caption in each], self.longest)
        used = max(1, int((captions != 0).any(0).sum()))
        counts = torch.tensor([len(each) for each in said])
        rows = TensorTable(pictures.images, self.labels(pictures.names), device, flip)
        return CaptionTable(rows, captions[:, :used].to(torch.uint8), counts, held_out)

    def labels(self, names: Sequence[str]) -> Tensor | None:
        """[N] numbers of the combinations of attributes, where there are any."""
        if not self.columns.attributes:
            return None
        known = {values: number for number, values in enumerate(self.classes)}
        return torch.tensor([known[self.wording.values[name]] for name in names])


def numbered(values: Sequence[str]) -> tuple[int, ...]:
    """Each value's number among all different ones, sorted."""
    known = sorted(set(values))
    return tuple(map(known.index, values))


COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1)}
PLACES = ("left", "right")


class RandomCaptions(Dataset):
    """Noise with one half in a colour, and captions that say which: "the left half is red"; for smoke tests."""

    batches = Captioned

    def __init__(self, shape: Sequence[int] = (3, 32, 32), count: int = 1024, flip: bool = False) -> None:
        self.shape = picture_shape("shape", shape)
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        self.count, self.flip = count, flip

    def describe(self) -> Description:
        names = tuple(f"{place} {colour}" for place in PLACES for colour in COLOURS)
        return Description(self.shape, len(names), self.count, names)

    def aspects(self) -> Mapping[str, tuple[int, ...]]:
        colours = tuple(range(len(COLOURS)))
        return {"place": (0,) * len(COLOURS) + (1,) * len(COLOURS), "colour": colours * len(PLACES)}

    def open(self, device: torch.device) -> Table:
        labels = torch.arange(self.count) % (len(PLACES) * len(COLOURS))
        captions = as_bytes([f"the {place} half is {colour}" for place in PLACES for colour in COLOURS])
        pictures = TensorTable(self.images(labels), labels, device, self.flip)
        return CaptionTable(pictures, captions[labels].to(torch.uint8), torch.ones(self.count, dtype=torch.int64))

    def images(self, labels: Tensor) -> Tensor:
        """uint8 [N, C, H, W]; of other than three channels each says one of the three."""
        channels, _, width = self.shape
        chance = torch.Generator().manual_seed(0)
        images = torch.randint(64, (self.count, *self.shape), dtype=torch.uint8, generator=chance)
        colours = torch.tensor(list(COLOURS.values()), dtype=torch.uint8)[:, torch.arange(channels) % 3] * 191
        tints = colours[labels % len(COLOURS)][:, :, None, None]
        left = (labels < len(COLOURS))[:, None, None, None]
        within = torch.arange(width) < (width + 1) // 2
        return images + tints * torch.where(left, within, ~within)
