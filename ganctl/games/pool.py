"""A history of fakes, so that a discriminator does not forget what it saw before."""

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Shape


class FakePool(nn.Module):
    """Shrivastava et al. 2017, section 2.3, as Zhu et al. 2017 keep it (section 4): the last `size` fakes or so.

    Until it is full, every fake is kept and handed on. Then a coin decides for each fake: it is handed on itself, or
    it takes the place of a kept one, which is handed on in its stead.
    Contents are buffers and coins come from PyTorch's own generator, so exact resume restores both.
    """

    pictures: Tensor  # buffer [size, C, H, W]
    count: Tensor  # buffer, scalar: how many of them are filled

    def __init__(self, size: int, shape: Shape) -> None:
        if size < 0:
            raise ValueError(f"pool: {size}; must be 0 (no history) or more")
        super().__init__()
        self.register_buffer("pictures", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, fakes: Tensor) -> Tensor:
        """fakes [B, C, H, W] -> what the discriminator shall see instead, [B, C, H, W] without a graph."""
        if not len(self.pictures):
            return fakes.detach()
        handed = fakes.detach().float().clone()
        filled = int(self.count)
        for index, fake in enumerate(handed.unbind()):
            if filled < len(self.pictures):
                self.pictures[filled] = fake
                filled += 1
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(len(self.pictures), ()))
                kept = self.pictures[place].clone()
                self.pictures[place] = fake
                handed[index] = kept
        self.count.fill_(filled)
        return handed
