"""What simple means make of a source: beside it stands what a game made."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganctl.data.batch import Pairs
from ganctl.data.resizing import bicubic
from ganctl.pictures import to_bytes

Means = Literal["bicubic", "source", "mean fill", "grey"]


@dataclass(frozen=True)
class Compared:
    """A batch of pairs, and what the game or the baseline made of the sources; all in [0, 1], whole bytes."""

    output: Tensor  # [B, C, H, W]
    target: Tensor  # as output


def means_of(pairs: Pairs) -> Means:
    """What simple means makes such targets from such sources."""
    if pairs.source.shape[2:] != pairs.target.shape[2:]:
        return "bicubic"
    more = pairs.source.shape[1] - pairs.target.shape[1]
    return "source" if more == 0 else "mean fill" if more == 1 else "grey"


def baseline(pairs: Pairs, means: Means) -> Compared:
    """Bicubic enlargement; the source as it is; its hole filled with the mean of the rest; or all channels' mean."""
    source, target = pairs.source, whole_bytes(pairs.target)
    channels = target.shape[1]
    if means == "bicubic":
        output = bicubic((source[:, :channels] + 1) / 2, target.shape[2:])
        return Compared(output.expand(-1, channels, -1, -1), target)
    if means == "mean fill":
        output = filled(source[:, :channels], known=source[:, channels:] > 0)
    elif means == "grey":
        output = source.mean(1, keepdim=True).expand_as(target)
    else:
        output = source
    return Compared(whole_bytes(output), target)


def filled(image: Tensor, known: Tensor) -> Tensor:
    """image [B, C, H, W], known [B, 1, H, W]: each channel's mean over what is known, in place of the rest."""
    mean = (image * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True).clamp_min(1)
    return torch.where(known, image, mean)


def whole_bytes(image: Tensor) -> Tensor:
    """[-1, 1] -> [0, 1], at one of the 256 levels that a file can hold."""
    return to_bytes(image).float() / 255
