"""Bicubic resizing as the papers on super-resolution do it."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F


def bicubic(image: Tensor, size: Sequence[int]) -> Tensor:
    """[B, C, H, W] in [0, 1] -> [B, C, *size], rounded to bytes: the reference of super-resolution papers.

    Keys' cubic with a = -0.5, widened when shrinking, as MATLAB's imresize does.
    """
    resized = F.interpolate(image, tuple(size), mode="bicubic", antialias=True)
    return (resized.clamp(0, 1) * 255).round() / 255
