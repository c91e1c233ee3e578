"""From the CPU to the device that trains, without waiting for what the device is at."""

from functools import cache
from typing import Any

import torch
from torch import Tensor


def handed(value: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; a GPU copies it from pinned memory when its turn comes, and nobody waits."""
    if device.type != "cuda" or value.device.type != "cpu":
        return value.to(device)
    return value.pin_memory().to(device, non_blocking=True)


def constant(numbers: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Fixed numbers (nested tuples) on the device, copied once: never to be changed in place."""
    if torch.compiler.is_compiling():  # then the compiled code holds them
        return torch.tensor(numbers, dtype=dtype, device=device)
    return remembered(numbers, dtype, device)


@cache
def remembered(numbers: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    """As `constant` gives them."""
    with torch.inference_mode(False):  # else what sampling made first could not be learned from later
        return torch.tensor(numbers, dtype=dtype, device=device)
