"""Pictures kept whole, dealt as crops beside what shrinking leaves of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Pairs
from ganctl.data.dataset import SMALL_BYTES, Table
from ganctl.data.resizing import bicubic
from ganctl.transfer import handed

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class Wholes:
    """Pictures of mixed sizes, each a part of one flat array."""

    pixels: Tensor  # uint8, flat: [H, W, C] of each picture in turn; perhaps memory-mapped
    sizes: Sequence[Size]
    channels: int

    def __len__(self) -> int:
        return len(self.sizes)

    def views(self) -> list[Tensor]:
        """Each picture [H, W, C]; nothing is copied."""
        lengths = [height * width * self.channels for height, width in self.sizes]
        parts = self.pixels.split(lengths)
        return [part.view(*size, self.channels) for part, size in zip(parts, self.sizes, strict=True)]


class Crops(Table):
    """Of each picture a crop: the target; shrunk by `factor` the source. At random places, or from the `middle`.

    Sources are made as papers on super-resolution make them: bicubic, antialiased, rounded to bytes.
    flip: each crop mirrored left to right, upside down and, where it is square, along its diagonal by chance.
    """

    def __init__(
        self,
        pictures: Sequence[Tensor],
        crop: Size,
        factor: int,
        device: torch.device,
        *,
        flip: bool = False,
        middle: bool = False,
        rest: "Crops | None" = None,
    ) -> None:
        """pictures: uint8 [H, W, C], none smaller than the crop; rest: those held out of training."""
        self.crop, self.factor, self.device = crop, factor, device
        self.flip, self.middle, self.rest = flip, middle, rest
        small = sum(picture.nbytes for picture in pictures) <= SMALL_BYTES
        self.pictures = [picture.to(device) for picture in pictures] if small else list(pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def held_out(self) -> "Crops | None":
        return self.rest

    def batch(self, indices: Tensor, generator: torch.Generator) -> Pairs:
        """source [B, C, h, w], target [B, C, h * factor, w * factor]."""
        crops = [self.cut(self.pictures[index], generator) for index in indices.tolist()]
        return self.paired(handed(torch.stack(crops), self.device).permute(0, 3, 1, 2))

    def cut(self, picture: Tensor, generator: torch.Generator) -> Tensor:
        """A crop [*crop, C] of a picture [H, W, C]."""
        height, width = self.crop
        room = picture.shape[0] - height, picture.shape[1] - width
        if self.middle:
            top, left = room[0] // 2, room[1] // 2
        else:
            top, left = (int(torch.randint(space + 1, (), generator=generator)) for space in room)
        crop = picture[top : top + height, left : left + width]
        return self.turned(crop, generator) if self.flip else crop

    def turned(self, crop: Tensor, generator: torch.Generator) -> Tensor:
        """One of the ways to lay a rectangle onto itself: eight of a square, else four."""
        upside_down, mirrored, diagonal = (torch.rand(3, generator=generator) < 0.5).tolist()
        crop = crop.flip([axis for axis, chosen in enumerate((upside_down, mirrored)) if chosen])
        return crop.transpose(0, 1) if diagonal and self.crop[0] == self.crop[1] else crop

    def paired(self, target: Tensor) -> Pairs:
        """target: uint8 [B, C, H, W], sides multiples of the factor; both in [-1, 1], float32."""
        target = target.float().div_(255)
        source = bicubic(target, [side // self.factor for side in target.shape[2:]])
        return Pairs(source.mul_(2).sub_(1), target.mul_(2).sub_(1))

    def wholes(self, count: int | None = None) -> Iterator[Pairs]:
        """Each of the first `count` pictures at its full size: batches of one.

        At the right and below they are cut to multiples of the factor.
        """
        for picture in self.pictures[:count]:
            height, width = (side - side % self.factor for side in picture.shape[:2])
            yield self.paired(picture[None, :height, :width].to(self.device).permute(0, 3, 1, 2))
