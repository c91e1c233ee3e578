"""A picture with a hole to a whole one: what is known stays (Pathak et al. 2016, whose setting this is)."""

import torch
from torch import Tensor

from ganctl.networks.interfaces import Shape, Translator


class Inpainting(Translator):
    """Around any network from a picture and its mask to a picture; only the hole is taken from the network.

    The last channel of the source is the mask: above 0 the pixel is known, else it lies in the hole, and what the
    other channels hold there is not looked at. So RGBA is a source, with the transparent pixels as the hole.
    """

    def __init__(self, network: Translator, shape: Shape, source_shape: Shape) -> None:
        """shape, source_shape: of the pictures outside, to be refused where there is no mask."""
        if source_shape[0] != shape[0] + 1:
            raise ValueError(
                f"source_shape: {source_shape[0]} channels for pictures of {shape[0]}; one more is needed, which marks "
                "the hole; choose dataset=inpaint"
            )
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C + 1, H, W] -> picture [B, C, H, W]."""
        known = image[:, -1:] > 0
        picture = torch.where(known, image[:, :-1], 0.0)
        painted = self.network(torch.cat((picture, known.to(image.dtype) * 2 - 1), 1), label)
        return torch.where(known, picture.to(painted.dtype), painted)

    def stages(self) -> list[tuple[int, ...]]:
        return self.network.stages()

    def remark(self) -> str:
        return self.network.remark()
