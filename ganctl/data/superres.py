"""Super-resolution: pairs of a crop and what bicubic shrinking leaves of it, made from any pictures."""

import logging
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from ganctl.data.album import MixedAlbum, mixed_album
from ganctl.data.batch import Pairs
from ganctl.data.crops import Crops, Size, Wholes
from ganctl.data.dataset import Dataset, Description, Table, height_width
from ganctl.data.folder import OnError, check_on_error, judge, listed
from ganctl.data.pictures import Frame
from ganctl.data.roots import instead_of_root, source_at
from ganctl.data.sources import Listing, Source
from ganctl.errors import UserError, noted, together

FACTORS = (2, 3, 4, 8)
MIDDLE = 0.5  # of its share of the listing lies each picture that is held out
logger = logging.getLogger(__name__)


class Superres(Dataset):
    """Pictures of mixed sizes, kept whole in the cache; every batch cuts crops at random places.

    root: a folder, a zip, or a folder inside a zip; relative paths are also looked for in GANCTL_DATA.
    factor: how much larger the target is than the source.
    crop: the target's size, one number of pixels or [height, width], a multiple of the factor.
    channels, background: as of `Folder`. flip: see `Crops`.
    test: a folder with pictures for previews and scores; None: `held_out` of the pictures in root are kept for that.
    on_error: what to do about pictures that cannot be read or are smaller than the crop: stop, or skip them.
    """

    batches = Pairs

    def __init__(
        self,
        root: str,
        factor: int = 4,
        crop: int | Sequence[int] = 96,
        channels: int = 3,
        background: str = "white",
        flip: bool = True,
        test: str | None = None,
        held_out: float = 0.05,
        on_error: OnError = "error",
    ) -> None:
        self.crop = checked_crop(crop, factor)
        Frame(self.crop, channels=channels, background=background)  # raises for what no picture can become
        if not 0 <= held_out < 1:
            raise ValueError(f"held_out: {held_out}; must be 0 or more and less than 1")
        check_on_error(on_error)
        self.root, self.factor, self.channels, self.background = root, factor, channels, background
        self.flip, self.test, self.share, self.on_error = flip, test, held_out, on_error

    def describe(self) -> Description:
        with together() as mistakes:
            with noted(mistakes):
                count = len(self.listing.names)
            if self.test is not None:
                with noted(mistakes), instead_of_root("dataset.test"):
                    listed(source_at(self.test))
        kept = count - len(chosen(count, self.share)) if self.test is None else count
        height, width = self.crop
        small = (self.channels, height // self.factor, width // self.factor)
        return Description((self.channels, height, width), 0, kept, source=small)

    def open(self, device: torch.device) -> Table:
        pictures = self.pictures(self.source, self.listing, "root")
        if self.test is None:
            aside = chosen(len(pictures), self.share)
            tested = [picture for number, picture in enumerate(pictures) if number in aside]
            pictures = [picture for number, picture in enumerate(pictures) if number not in aside]
        else:
            with instead_of_root("dataset.test"):
                source = source_at(self.test)
                tested = self.pictures(source, listed(source), "test")
        rest = Crops(tested, self.crop, self.factor, device, middle=True) if tested else None
        return Crops(pictures, self.crop, self.factor, device, flip=self.flip, rest=rest)

    @cached_property
    def source(self) -> Source:
        return source_at(self.root)

    @cached_property
    def listing(self) -> Listing:
        return listed(self.source)

    def pictures(self, source: Source, listing: Listing, key: str) -> list[Tensor]:
        """uint8 [H, W, C] of each that can be used, memory-mapped. Raises UserError in words."""
        album = mixed_album(source, listing, self.channels, self.background)
        judge(source, listing, album, self.on_error)
        sizes = [(height, width) for height, width in album.sizes.tolist()]
        views = Wholes(album.pixels, sizes, self.channels).views()
        fitting = [view for view in views if view.shape[0] >= self.crop[0] and view.shape[1] >= self.crop[1]]
        if len(fitting) < len(views):
            self.judge_small(album, source, key, none_left=not fitting)
        return fitting

    def judge_small(self, album: MixedAlbum, source: Source, key: str, none_left: bool) -> None:
        """What becomes of pictures smaller than the crop. Raises UserError unless they are to be skipped."""
        height, width = self.crop
        sizes = album.sizes
        small = (sizes[:, 0] < height) | (sizes[:, 1] < width)
        least = int(sizes.amin(1).argmin())
        shape, name = "x".join(map(str, sizes[least].tolist()[::-1])), album.names[least]
        found = (
            f"{int(small.sum()):,} of {len(sizes):,} pictures in {str(source.path)!r} are smaller than the crop of "
            f"{width}x{height} pixels, such as {name!r} ({shape})"
        )
        if self.on_error == "error" or none_left:
            side = int(sizes.min()) // self.factor * self.factor
            cure = f"set dataset.crop={side}" if side else "take larger pictures"
            skip = "" if none_left else ", or dataset.on_error=skip to leave them out"
            raise UserError(f"dataset.{key}: {found}; {cure}{skip}")
        logger.warning("%s, and are left out", found)


class RandomSuperres(Dataset):
    """Noise in pictures a little larger than their crops, the same each time: for smoke tests.

    shape: of the target. Sides that are no multiple of the factor are refused.
    """

    batches = Pairs

    def __init__(self, shape: Sequence[int] = (3, 32, 32), factor: int = 4, count: int = 64, flip: bool = True) -> None:
        if len(shape) != 3 or not 1 <= shape[0] <= 4:
            raise ValueError(f"shape: {list(shape)}; must be [channels, height, width], channels 1 to 4")
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        self.channels, self.crop = shape[0], checked_crop(shape[1:], factor)
        self.factor, self.count, self.flip = factor, count, flip

    def describe(self) -> Description:
        height, width = self.crop
        small = (self.channels, height // self.factor, width // self.factor)
        return Description((self.channels, height, width), 0, self.count, source=small)

    def open(self, device: torch.device) -> Table:
        chance = torch.Generator().manual_seed(0)
        rest = Crops(self.pictures(4, chance), self.crop, self.factor, device, middle=True)
        pictures = self.pictures(self.count, chance)
        return Crops(pictures, self.crop, self.factor, device, flip=self.flip, rest=rest)

    def pictures(self, count: int, chance: torch.Generator) -> list[Tensor]:
        """Each a few pixels larger than the crop, by another number."""
        height, width = self.crop
        shapes = [(height + number % 5, width + number % 3, self.channels) for number in range(count)]
        return [torch.randint(256, shape, dtype=torch.uint8, generator=chance) for shape in shapes]


def checked_crop(crop: int | Sequence[int], factor: int) -> Size:
    """(height, width) of a crop that can be shrunk by the factor. Raises ValueError in words."""
    if factor not in FACTORS:
        raise ValueError(f"factor: {factor}; must be {', '.join(map(str, FACTORS[:-1]))} or {FACTORS[-1]}")
    try:
        height, width = height_width(crop)
    except ValueError as error:
        raise ValueError(str(error).replace("size", "crop", 1)) from None
    if height % factor or width % factor:
        nearest = [max(factor, round(side / factor) * factor) for side in (height, width)]
        raise ValueError(
            f"crop: {width}x{height} pixels cannot be shrunk by factor {factor} to whole ones; "
            f"both sides must be multiples of it, such as {nearest[1]}x{nearest[0]}"
        )
    return height, width


def chosen(count: int, share: float) -> frozenset[int]:
    """Which of `count` pictures are held out: spread evenly, at least one for any share, never all."""
    number = min(max(round(count * share), 1), count - 1) if share else 0
    return frozenset(int((each + MIDDLE) * count / number) for each in range(number))
