"""The global random states of PyTorch, NumPy and Python: borrowed, then put back bit for bit."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def isolated() -> Iterator[None]:
    """Inside, the global generators start from seed 0; afterwards they are as they were before.

    The metric libraries draw from them (torch-fidelity's loader, torchmetrics' subsets), which would change a training
    that goes on afterwards.
    """
    before = random.getstate(), np.random.get_state(), torch.get_rng_state(), _cuda_states(), _mps_state()
    try:
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])
        if before[3]:
            torch.cuda.set_rng_state_all(before[3])
        if before[4] is not None:
            torch.mps.set_rng_state(before[4])


def _cuda_states() -> list[torch.Tensor]:
    """None where no GPU was used yet: asking would start CUDA."""
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []


def _mps_state() -> torch.Tensor | None:
    """Of Apple's GPU, where there is one."""
    return torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
