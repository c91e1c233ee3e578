"""Regions that compute more exactly than what is around them."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # in the environment: without it cuBLAS adds in any order


def full_precision(device: torch.device) -> AbstractContextManager[None]:
    """fp32 inside an autocast region: where gradients or places of pixels need more digits than bf16 has."""
    # meta knows no autocast; elsewhere to switch off what is off would cost a hundredth of a small network's round
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def repeatable() -> Iterator[None]:
    """Full fp32 and fixed algorithms, so that a picture depends on its batch as little as can be."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


@contextmanager
def deterministic() -> Iterator[None]:
    """Sums in one order, the same each time, where PyTorch knows how; it warns of the others.

    To be entered before a GPU multiplies the first matrices, for cuBLAS reads its setting only then.
    """
    mode, fixed = torch.get_deterministic_debug_mode(), torch.backends.cudnn.deterministic
    workspace = os.environ.get(WORKSPACE)
    try:
        os.environ.setdefault(WORKSPACE, ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.backends.cudnn.deterministic = fixed
        if workspace is None:
            os.environ.pop(WORKSPACE, None)
