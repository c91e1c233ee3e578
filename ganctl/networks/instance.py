"""Norms of networks that make pictures from pictures."""

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import group_norm

from ganctl.networks.dcgan import initialise

PictureNorm = Literal["instance", "batch", "none"]


class InstanceNorm(nn.GroupNorm):
    """Each channel of each picture to mean 0 and variance 1, then scaled and shifted (Ulyanov et al. 2016).

    What batch norm is at batch size 1, where pix2pix and CycleGAN train, and for any batch size and in eval mode the
    same. Written as a group norm of one channel a group, in NCHW: on CPUs that is the fastest of PyTorch's ways.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, input: Tensor) -> Tensor:
        return group_norm(input.contiguous(), self.num_groups, self.weight, self.bias, self.eps)


def picture_norm(channels: int, norm: PictureNorm) -> nn.Module:
    """The normalisation after a layer of `channels`."""
    if norm == "instance":
        return InstanceNorm(channels)
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.Identity()


def initialise_normal(module: nn.Module) -> None:
    """Isola et al. 2017, appendix 6.2: weights N(0, 0.02); a norm's scale N(1, 0.02), as of batch norm."""
    if isinstance(module, InstanceNorm):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        initialise(module)
