"""StarGAN's networks (Choi et al. 2018): one generator told the domain, one critic whose features name it."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.networks.instance import PictureNorm
from ganctl.networks.interfaces import Discriminator, Shape
from ganctl.networks.label import as_attributes, demand
from ganctl.networks.layers import at_least_one
from ganctl.networks.resnet_generator import ResNetTranslator
from ganctl.networks.sizes import doubling_kernel, halvings

MOST_HALVINGS = 6


class StarGANGenerator(ResNetTranslator):
    """Appendix, table 4: CycleGAN's generator with 4x4 kernels, zeros at the border and the target's maps as channels.

    classes: K; the target, [B] classes or [B, K] attributes, becomes K constant maps behind the picture's channels.
    """

    kernel, border = 4, "zeros"

    def __init__(
        self, shape: Shape, classes: int, width: int = 64, blocks: int = 6, norm: PictureNorm = "instance"
    ) -> None:
        if classes < 1:
            raise ValueError(f"classes: {classes}; must be 1 or more, so the dataset needs labels")
        channels, *size = shape
        super().__init__(shape, (channels + classes, *size), width, blocks, norm)
        self.classes = classes

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        maps = as_attributes(demand(label), self.classes).to(image.dtype)[:, :, None, None]
        return super().forward(torch.cat((image, maps.expand(-1, -1, *image.shape[2:])), 1))


class StarGANDiscriminator(Discriminator):
    """Appendix, table 5: 4x4 convolutions that halve, LeakyReLU 0.01, no norm; a score for each place of the last map.

    Halved `layers` times at most, while a side of 2 is left. Its features are the whole last map, [B, feature_size]:
    a linear head on them is the paper's class head, a convolution as large as the map. Pictures of another size than
    it was built for are brought to that first.
    """

    def __init__(self, shape: Shape, width: int = 64, layers: int = MOST_HALVINGS) -> None:
        super().__init__()
        at_least_one(width=width, layers=layers)
        channels, height, breadth = shape
        self.sizes = halvings(height, breadth, least=2)[: layers + 1]  # largest first
        self.channels = [channels, *(width * 2**step for step in range(len(self.sizes) - 1))]
        self.downs = nn.Sequential(*(self._down(step) for step in range(len(self.sizes) - 1)))
        self.feature_size = self.channels[-1] * self.sizes[-1][0] * self.sizes[-1][1]
        self.last = nn.Conv2d(self.channels[-1], 1, 3, padding=1, bias=False)

    def _down(self, step: int) -> nn.Sequential:
        kernel = doubling_kernel(self.sizes[step + 1], self.sizes[step])
        before, after = self.channels[step : step + 2]
        return nn.Sequential(nn.Conv2d(before, after, kernel, stride=2, padding=1), nn.LeakyReLU(0.01))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        if image.shape[2:] != self.sizes[0]:
            image = interpolate(image, self.sizes[0], mode="bilinear", antialias=True)
        return self.downs(image).flatten(1)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        last = features.unflatten(1, (self.channels[-1], *self.sizes[-1]))
        return self.last(last)[:, 0]

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
