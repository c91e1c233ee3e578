"""PyTorch's random states: of the CPU, and of the GPU that trains."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def state_on(device: torch.device) -> Tensor | None:
    """Of a GPU's own generator; None for a CPU, whose state is PyTorch's global one."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def set_state_on(device: torch.device, state: Tensor) -> None:
    """What `state_on` gave, perhaps of another GPU of the kind."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.mps.set_rng_state(state)


@contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """Afterwards the states of the CPU and of this device are as they were."""
    before, own = torch.get_rng_state(), state_on(device)
    try:
        yield
    finally:
        torch.set_rng_state(before)
        if own is not None:
            set_state_on(device, own)
