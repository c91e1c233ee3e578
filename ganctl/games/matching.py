"""Which captions of a batch say the same, and which do not."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from ganctl.text import as_texts, folded


def mismatched(caption: Tensor) -> tuple[Tensor, Tensor]:
    """For each caption [B, L] another row of the batch that says something else: (rows [B], where there is one [B]).

    Of the rows that differ in more than capitals, the one that shares the most words; of equals the next, counted from
    its own. A row drawn at random nearly always differs in what is easiest to see, say the colour, and then nothing
    ever asks for the shape.
    """
    words = [Counter(text.split()) for text in as_texts(folded(caption))]
    rows = [nearest(words, row) for row in range(len(words))]
    found = torch.tensor([row is not None for row in rows], device=caption.device)
    return torch.tensor([row or 0 for row in rows], device=caption.device), found


def nearest(words: Sequence[Counter[str]], own: int) -> int | None:
    """The row with the most words of row `own` that is not the same; the next one of equals; None where all are."""
    order = [(own + step) % len(words) for step in range(1, len(words))]
    others = [row for row in order if words[row] != words[own]]
    return max(others, key=lambda row: (words[row] & words[own]).total(), default=None)


def distinct(caption: Tensor) -> Tensor:
    """Rows of the first of each different caption, in order; [K] int64."""
    same = (caption[:, None] == caption[None]).all(2)
    return (same.int().argmax(1) == torch.arange(len(caption))).nonzero().squeeze(1)
