"""Where the noise comes from."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Prior(ABC):
    """A distribution over noise vectors. With a generator of its own a draw is the same on every device."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: {size}; must be 1 or more")
        self.size = size

    @abstractmethod
    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        """Noise [count, size]. `truncation`: how far from the middle a draw may lie; ValueError where meaningless."""


class Gaussian(Prior):
    """Standard normal. Truncated, each coordinate beyond it is drawn again (Brock et al. 2018, section 3.1)."""

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        noise = torch.randn(count, self.size, generator=generator, device=device)
        if truncation is None:
            return noise
        if truncation <= 0:
            raise ValueError(f"truncation: {truncation}; must be more than 0")
        while (outside := noise.abs() > truncation).any():
            noise = torch.where(outside, torch.randn(noise.shape, generator=generator, device=device), noise)
        return noise


class Uniform(Prior):
    """Uniform in [-1, 1]; truncated to a narrower interval."""

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        noise = torch.rand(count, self.size, generator=generator, device=device) * 2 - 1
        return noise if truncation is None else noise * min(truncation, 1.0)
