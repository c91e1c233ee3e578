"""Regions that compute more exactly than what is around them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """fp32 inside an autocast region: where gradients or places of pixels need more digits than bf16 has."""
    if device.type == "meta":  # knows no autocast
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def repeatable() -> Iterator[None]:
    """Full fp32 and fixed algorithms, so that a picture depends on its batch as little as can be."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
