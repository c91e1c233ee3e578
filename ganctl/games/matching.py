"""Which captions of a batch say the same, and which do not."""

from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ganctl.text import as_texts, folded
from ganctl.transfer import handed


def mismatched(caption: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of captions [B, L] beside which others of the batch say something else, and one of those: both [R], R <= B.

    Of the rows that differ in more than capitals, the one that shares the most words; of equals the next, counted from
    its own. A row drawn at random nearly always differs in what is easiest to see, say the colour, and then nothing
    ever asks for the shape.
    """
    pairs = list(others(caption))
    own, other = ([pair[side] for pair in pairs] for side in (0, 1))
    return index(own, caption.device), index(other, caption.device)


def others(caption: Tensor) -> Iterator[tuple[int, int]]:
    """Pairs of a row and the nearest other one; on the meta device, where nobody can read, all differ alike."""
    count = len(caption)
    words = [] if caption.is_meta else [Counter(text.split()) for text in as_texts(folded(caption))]
    for row in range(count):
        other = (row + 1) % count if caption.is_meta else nearest(words, row)
        if other is not None and other != row:
            yield row, other


def index(rows: Sequence[int], device: torch.device) -> Tensor:
    """[R] int64."""
    return handed(torch.tensor(rows, dtype=torch.int64), device)


def nearest(words: Sequence[Counter[str]], own: int) -> int | None:
    """The row with the most words of row `own` that is not the same; the next one of equals; None where all are."""
    order = [(own + step) % len(words) for step in range(1, len(words))]
    others = [row for row in order if words[row] != words[own]]
    return max(others, key=lambda row: (words[row] & words[own]).total(), default=None)


def distinct(caption: Tensor) -> Tensor:
    """Rows of the first of each different caption, in order; [K] int64."""
    same = (caption[:, None] == caption[None]).all(2)
    return (same.int().argmax(1) == torch.arange(len(caption))).nonzero().squeeze(1)
