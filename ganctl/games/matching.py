"""Which captions of a batch say the same, and which do not."""

import torch
from torch import Tensor

from ganctl.text import folded


def mismatched(caption: Tensor) -> tuple[Tensor, Tensor]:
    """For each caption [B, L] another row of the batch that says something else: (rows [B], where there is one [B]).

    The next row that differs in more than capitals, counted from its own; in a shuffled batch that is any other.
    """
    said, count = folded(caption), len(caption)
    differs = (said[:, None] != said[None]).any(2)  # [B, B]
    place = torch.arange(count, device=caption.device)
    order = (place[:, None] + place) % count  # [B, B]: rows as seen from each
    ahead = differs.gather(1, order)
    return order.gather(1, ahead.int().argmax(1, keepdim=True)).squeeze(1), ahead.any(1)


def distinct(caption: Tensor) -> Tensor:
    """Rows of the first of each different caption, in order; [K] int64."""
    same = (caption[:, None] == caption[None]).all(2)
    return (same.int().argmax(1) == torch.arange(len(caption))).nonzero().squeeze(1)
