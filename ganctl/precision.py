"""Full precision inside a region of lower one."""

from contextlib import AbstractContextManager, nullcontext

import torch


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """fp32 inside an autocast region: where gradients or places of pixels need more digits than bf16 has."""
    if device.type == "meta":  # knows no autocast
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
