"""Large pictures in pieces that overlap as far as a network looks, so that no seam can be seen."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Make = Callable[[Tensor], Tensor]  # [B, C, h, w] -> [B, C', h * factor, w * factor]


def tiled(image: Tensor, make: Make, tile: int, reach: int) -> Tensor:
    """What `make` does to image [B, C, H, W], done to pieces of `tile` pixels a side with `reach` more around them.

    reach: an output depends on no input farther from its place. Then every pixel is as if the picture had been made
    whole, up to the rounding of sums.
    """
    height, width = image.shape[2:]
    if max(height, width) <= tile:
        return make(image)
    rows = []
    for row in spans(height, tile, reach):
        pieces = [
            inside(make(image[:, :, row.around, column.around]), row, column) for column in spans(width, tile, reach)
        ]
        rows.append(torch.cat(pieces, 3))
    return torch.cat(rows, 2)


class Span:
    """A stretch of a side, and as much around it as there is."""

    def __init__(self, start: int, end: int, least: int, most: int) -> None:
        self.start, self.end = start, end
        self.around = slice(least, most)

    def scaled(self, pixels: int) -> slice:
        """Where the stretch lies in what was made of it with its surroundings, which has so many pixels."""
        factor = pixels // (self.around.stop - self.around.start)
        return slice((self.start - self.around.start) * factor, (self.end - self.around.start) * factor)


def spans(side: int, tile: int, reach: int) -> Iterator[Span]:
    """A side in stretches of `tile`; the last may be shorter."""
    for start in range(0, side, tile):
        end = min(start + tile, side)
        yield Span(start, end, max(0, start - reach), min(side, end + reach))


def inside(made: Tensor, row: Span, column: Span) -> Tensor:
    """The piece without its surroundings."""
    height, width = made.shape[2:]
    return made[:, :, row.scaled(height), column.scaled(width)]
