"""Grey to colour: the lightness stays, a network adds the colours in Lab (Isola et al. 2017; Zhang et al. 2016)."""

import torch
from torch import Tensor

from ganctl.colour import lab_of, rgb_of
from ganctl.networks.interfaces import Shape, Translator

RANGE = 110.0  # of a and b


class Colouring(Translator):
    """L in, ab out, around any network from one channel to two; RGB on both sides, so that a game sees pictures.

    Colours of the source are not looked at. Lab holds colours that no screen can show: these are clipped, and their
    gradient passes as if they were not, else a network could not find its way back.
    """

    def __init__(self, network: Translator, shape: Shape, source_shape: Shape) -> None:
        """shape, source_shape: of the pictures outside, to be refused where they are not in colour."""
        if shape[0] != 3 or source_shape[0] != 3:
            raise ValueError(
                f"shape: {source_shape[0]} channels to {shape[0]}; colouring takes 3 and makes 3; "
                "choose dataset=colorize"
            )
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, 3, H, W] -> picture [B, 3, H, W] of the same lightness."""
        lightness = lab_of(image.float())[:, :1]
        colours = self.network(lightness / 50 - 1, label).float()  # Lab's differences need fp32
        picture = rgb_of(torch.cat((lightness, RANGE * colours), 1))
        return picture.clamp(-1, 1).detach() + (picture - picture.detach())

    def stages(self) -> list[tuple[int, ...]]:
        return self.network.stages()

    def remark(self) -> str:
        return self.network.remark()
