"""Pairs of the user's own pictures: both halves of one file, or two folders with equal names."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganctl.data.album import Decoded, collected
from ganctl.data.batch import Pairs
from ganctl.data.cache import Draft
from ganctl.data.dataset import Dataset, Description, Table, height_width
from ganctl.data.folder import OnError, check_on_error, judge, listed, set_aside
from ganctl.data.pairs import PairTable
from ganctl.data.pictures import Crop, Frame, Unreadable, decode_whole, padded, resized
from ganctl.data.roots import instead_of_root, source_at
from ganctl.data.sources import Listing, Source
from ganctl.data.splits import apart, check_share
from ganctl.data.twins import Twins, parted, twins

Direction = Literal["a2b", "b2a"]


class Paired(Dataset):
    """A and B of each pair brought to one shape alike, and cached at the first opening.

    root: a folder, a zip, or a folder inside a zip, of files that hold A on the left and B on the right; or, where
    root_b is given, of A alone.
    root_b: where B lies, in files of the same names as A's.
    size, crop, channels, background: see `Frame`; A and B of a pair must have the same size in their files.
    direction: a2b makes B of A, b2a the reverse.
    flip: mirror both left to right at random.
    jitter: keep pictures so many pixels larger and cut them back at random, both alike (30 at 256 in the paper).
    held_out: share of the pairs kept for previews and scores, unless there is a folder test/ or val/, which is.
    on_error: what to do about pairs that cannot be read or have no partner: stop with an error, or skip them.
    """

    batches = Pairs

    def __init__(
        self,
        root: str,
        root_b: str | None = None,
        size: int | Sequence[int] = 64,
        direction: Direction = "a2b",
        crop: Crop = "none",
        channels: int = 3,
        background: str = "white",
        flip: bool = False,
        jitter: int = 0,
        held_out: float = 0.05,
        on_error: OnError = "error",
    ) -> None:
        height, width = height_width(size)
        self.frame = Frame((height, width), crop, channels, background)
        if direction not in ("a2b", "b2a"):
            raise ValueError(f"direction: {direction!r}; must be a2b or b2a")
        if not 0 <= jitter <= min(height, width):
            raise ValueError(f"jitter: {jitter}; must be 0 to {min(height, width)} pixels, the shorter side")
        self.larger = Frame((height + jitter, width + jitter), crop, channels, background)
        check_share(held_out)
        check_on_error(on_error)
        self.root, self.root_b, self.direction, self.flip = root, root_b, direction, flip
        self.held_out, self.on_error = held_out, on_error

    def describe(self) -> Description:
        return Description(self.frame.shape, 0, len(self.split[0]), source=self.frame.shape)

    def open(self, device: torch.device) -> Table:
        trained, aside = self.split
        rest = None
        if aside:
            kept = set_aside(self.source, len(aside), self.on_error, lambda: self.pairs(aside, self.frame))
            rest = kept and PairTable(*kept, device)
        source, target = self.pairs(trained, self.larger)
        return PairTable(source, target, device, self.flip, self.frame.size, rest)

    @cached_property
    def source(self) -> Source:
        if self.root_b is None:
            return source_at(self.root)
        first = source_at(self.root)
        with instead_of_root("dataset.root_b"):
            second = source_at(self.root_b)
        listed(first)
        return twins(first, second, skip=self.on_error == "skip")

    @cached_property
    def listing(self) -> Listing:
        return listed(self.source)

    @cached_property
    def split(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the pairs to train with, and of those held out."""
        return apart(self.listing.names, self.held_out)

    def pairs(self, names: tuple[str, ...], frame: Frame) -> tuple[Tensor, Tensor]:
        """Sources and targets, uint8 [N, C, H, W], memory-mapped."""
        listing = self.listing.part(names)
        height, width = frame.size

        def decoder(data: bytes) -> Decoded:
            return both(data, frame) if isinstance(self.source, Twins) else halves(data, frame)

        def declare(draft: Draft, sizes: Sequence[tuple[int, int]]) -> None:
            draft.declare("images", torch.uint8, [len(sizes), 2, height, width, frame.channels])

        made, contents = collected(self.source, listing, ("pairs", frame), decoder, declare)
        judge(self.source, listing, contents, self.on_error)
        a, b = made.tensor("images").permute(1, 0, 4, 2, 3)
        return (a, b) if self.direction == "a2b" else (b, a)


def halves(data: bytes, frame: Frame) -> Decoded:
    """A file with A on the left and B on the right -> pixels [2, H, W, C]. Raises Unreadable."""
    pixels, done = decode_whole(data, frame.channels, frame.background)
    width = pixels.shape[1]
    if width % 2:
        raise Unreadable(f"{width} pixels wide: its halves would differ in size")
    a, b = np.split(pixels, 2, axis=1)
    return framed(a, b, frame, done)


def both(data: bytes, frame: Frame) -> Decoded:
    """A and B as `Twins` put them together -> pixels [2, H, W, C]. Raises Unreadable."""
    (a, done), (b, also) = (decode_whole(each, frame.channels, frame.background) for each in parted(data))
    if a.shape != b.shape:
        sizes = [f"{pixels.shape[1]}x{pixels.shape[0]}" for pixels in (a, b)]
        raise Unreadable(f"its pictures differ in size: A has {sizes[0]} pixels, B {sizes[1]}")
    return framed(a, b, frame, done | also)


def framed(a: NDArray[np.uint8], b: NDArray[np.uint8], frame: Frame, done: frozenset[str]) -> Decoded:
    """Two pictures [h, w, C] brought into one frame each."""
    told = set(done)
    pair = np.stack([in_frame(pixels, frame, told) for pixels in (a, b)])
    return pair, frozenset(told)


def in_frame(pixels: NDArray[np.uint8], frame: Frame, done: set[str]) -> NDArray[np.uint8]:
    """[h, w, C] -> [H, W, C]."""
    image = resized(Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels), frame, done)
    image = padded(image, frame) if frame.crop == "pad" else image
    return np.asarray(image).reshape(*frame.size, frame.channels)
