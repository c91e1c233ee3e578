"""A history of fakes, so that a discriminator does not forget what it saw before."""

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Shape


class FakePool(nn.Module):
    """Shrivastava et al. 2017, section 2.3, as Zhu et al. 2017 keep it (section 4): the last `size` fakes or so.

    Until it is full, every fake is kept and handed on. Then a coin decides for each fake: it is handed on itself, or
    it takes the place of a kept one, which is handed on in its stead.
    Contents are buffers and coins come from PyTorch's own generators, so exact resume restores both.
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
        return torch.stack([self._exchange(fake) for fake in fakes.detach().float()])

    def _exchange(self, fake: Tensor) -> Tensor:
        """One of them; decided on the device, which nobody waits for."""
        size = len(self.pictures)
        filling = self.count < size
        swapping = ~filling & (torch.rand((), device=fake.device) < 0.5)
        place = torch.where(filling, self.count, torch.randint(size, (), device=fake.device)).view(1)
        kept = self.pictures.index_select(0, place)[0]
        self.pictures.index_copy_(0, place, torch.where(filling | swapping, fake, kept)[None])
        self.count.add_(filling)
        return torch.where(swapping, kept, fake)
