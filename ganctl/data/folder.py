"""A folder or zip of the user's own pictures."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal, TypeVar

import torch

from ganctl.data.album import Contents, NoneReadable, album, list_some
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width
from ganctl.data.pictures import Crop, Frame
from ganctl.data.roots import source_at
from ganctl.data.selection import Classes, Selection
from ganctl.data.sources import Listing, Source, nothing_in
from ganctl.data.splits import TESTS
from ganctl.errors import UserError

PARTS = TESTS | {"train", "training"}  # never names of classes
OnError = Literal["error", "skip"]
logger = logging.getLogger(__name__)
T = TypeVar("T")


class Folder(Dataset):
    """Pictures of mixed sizes, modes and formats, brought to one shape and cached at the first opening.

    root: a folder, a zip, or a folder inside a zip; relative paths are also looked for in GANCTL_DATA.
    size, crop, channels, background: see `Frame`.
    labels: auto (class subfolders, where all pictures lie in two or more of them), folders (the same, and an error
    where they do not) or none.
    flip: mirror left to right at random.
    on_error: what to do about pictures that cannot be read: stop with an error, or skip them.
    only, without: some of the classes, see `Selection`; the rest is not even read.
    """

    def __init__(
        self,
        root: str,
        size: int | Sequence[int] = 64,
        crop: Crop = "center",
        channels: int = 3,
        background: str = "white",
        labels: Literal["auto", "folders", "none"] = "auto",
        flip: bool = False,
        on_error: OnError = "error",
        only: Classes | None = None,
        without: Classes = (),
    ) -> None:
        self.selection = Selection(only, without)
        self.frame = Frame(height_width(size), crop, channels, background)
        if labels not in ("auto", "folders", "none"):
            raise ValueError(f"labels: {labels!r}; must be auto, folders or none")
        check_on_error(on_error)
        self.root, self.labels, self.flip, self.on_error = root, labels, flip, on_error

    def describe(self) -> Description:
        classes = self.classes
        names = tuple(sorted(set(classes))) if classes else ()
        return Description(self.frame.shape, len(names), len(self.listing.names), names)

    def open(self, device: torch.device) -> Table:
        pictures = album(self.source, self.listing, self.frame)
        judge(self.source, self.listing, pictures, self.on_error)
        if self.classes is None:
            return TensorTable(pictures.images, None, device, self.flip)
        numbers = {name: number for number, name in enumerate(sorted(set(self.classes)))}
        label_of = dict(zip(self.listing.names, self.classes, strict=True))
        labels = torch.tensor([numbers[label_of[name]] for name in pictures.names])
        return TensorTable(pictures.images, labels, device, self.flip)

    @cached_property
    def source(self) -> Source:
        return source_at(self.root)

    @cached_property
    def found(self) -> Listing:
        """Of all pictures there."""
        return listed(self.source)

    @cached_property
    def listing(self) -> Listing:
        """Of the pictures that stay."""
        if self.selection.is_all:
            return self.found
        if self.class_of is None:
            raise self.unclassed(self.selection.given, repr(list(self.selection.only or self.selection.without)))
        names = sorted(set(self.class_of.values()))
        kept = {names[number] for number in self.selection.kept(names)}
        return replace(self.found, names=tuple(name for name in self.found.names if self.class_of[name] in kept))

    @cached_property
    def class_of(self) -> dict[str, str] | None:
        """Name of each picture there -> its class; None where no subfolders tell classes apart."""
        classes = classes_of(self.found.names)
        return None if classes is None else dict(zip(self.found.names, classes, strict=True))

    @cached_property
    def classes(self) -> list[str] | None:
        """The class of each picture in the listing, or None."""
        if self.labels == "none":
            return None
        if self.class_of is None and self.labels == "folders":
            raise self.unclassed("dataset.labels", "'folders'")
        classes = [self.class_of[name] for name in self.listing.names] if self.class_of else []
        return classes if len(set(classes)) > 1 else None

    def unclassed(self, path: str, given: str) -> UserError:
        """The mistake behind a setting about classes where there are none."""
        instead = "set dataset.labels=none" if path == "dataset.labels" else f"leave {path} out"
        return UserError(
            f"{path}: {given}, and {str(self.source.path)!r} has no class subfolders that hold all "
            f"pictures; give each class one subfolder (two or more in all) or {instead}"
        )


def listed(source: Source) -> Listing:
    """Of a place with at least one picture; files that are none are told."""
    listing = source.listing()
    if not listing.names:
        raise nothing_in(source, listing)
    if listing.others:
        others = ", ".join(f"{count:,} {suffix}" for suffix, count in sorted(listing.others.items()))
        logger.info("%s: other files left aside: %s", source.path, others)
    return listing


def judge(source: Source, listing: Listing, pictures: Contents, on_error: OnError) -> None:
    """What becomes of pictures that could not be read. Raises UserError unless they are to be skipped."""
    if not pictures.unreadable:
        return
    total = len(listing.names)
    found = f"{len(pictures.unreadable):,} of {total:,} pictures in {str(source.path)!r} cannot be read"
    which = list_some(pictures.unreadable, pictures.complete_list)
    if on_error == "error":
        raise UserError(f"dataset.root: {found}: {which}; replace them or set dataset.on_error=skip")
    logger.warning("%s and are skipped: %s", found, which)


def set_aside(source: Source, count: int, on_error: OnError, make: Callable[[], T]) -> T | None:
    """What `make` reads of `count` pictures held out; nothing, with a notice, where all are bad and to be skipped."""
    try:
        return make()
    except NoneReadable as error:
        found = f"none of the {count:,} pictures held out of {str(source.path)!r} can be read"
        which = list_some(error.unreadable)
        if on_error == "error":
            raise UserError(f"dataset.root: {found}: {which}; replace them or set dataset.on_error=skip") from None
        logger.warning("%s, so that none is held out: %s", found, which)
        return None


def check_on_error(on_error: str) -> None:
    """Raises ValueError in words."""
    if on_error not in ("error", "skip"):
        raise ValueError(f"on_error: {on_error!r}; must be error or skip")


def classes_of(names: Sequence[str]) -> list[str] | None:
    """The class of each picture: its outermost folder, below those that all share and below train, test and the like.

    None where that does not tell two or more classes apart.
    """
    folders = [name.replace("\\", "/").split("/")[:-1] for name in names]
    shared = next((depth for depth, level in enumerate(zip(*folders, strict=False)) if len(set(level)) > 1), None)
    if shared is None:  # one folder holds them all, perhaps with others inside it
        return None
    below = [path[shared:] for path in folders]
    if {path[0] for path in below} <= PARTS:
        below = [path[1:] for path in below]
    classes = [path[0] for path in below if path]
    return classes if len(classes) == len(names) and len(set(classes)) > 1 else None
