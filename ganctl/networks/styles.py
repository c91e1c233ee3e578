"""What style-based generators share: the mapping network, style mixing and the mean style (Karras et al. 2019)."""

from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn

from ganctl.networks.equalized import EqualizedLinear, PixelNorm
from ganctl.networks.interfaces import StyleBased
from ganctl.networks.label import LabelEmbedding, demand
from ganctl.networks.layers import Output, ending_in

MEAN_DECAY = 0.995  # of the mean style, a batch (Karras et al. 2019, the authors' code)


class Mapping(nn.Module):
    """Noise, brought to the hypersphere, through `depth` linear layers that learn 100 times slower than the rest.

    With `classes` the label's embedding, of the same length, is concatenated to the noise.
    """

    def __init__(self, noise_size: int, style_size: int, depth: int, classes: int | None = None) -> None:
        if depth < 1:
            raise ValueError(f"depth: {depth}; the mapping network needs 1 layer or more")
        super().__init__()
        self.norm = PixelNorm()
        self.embedding = None if classes is None else LabelEmbedding(classes, noise_size)
        sizes = [noise_size if classes is None else 2 * noise_size, *[style_size] * depth]
        self.layers = nn.Sequential()
        for inputs, outputs in pairwise(sizes):
            self.layers.append(EqualizedLinear(inputs, outputs, gain=sqrt(2), rate=0.01))
            self.layers.append(nn.LeakyReLU(0.2, inplace=True))

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """[B, noise_size] -> [B, style_size]"""
        vector = self.norm(noise)
        if self.embedding is not None:
            vector = torch.cat((vector, self.norm(self.embedding(demand(label)))), 1)
        return self.layers(vector)


class StyleGenerator(StyleBased):
    """Mapping, then in training a mix of two styles, then synthesis, which subclasses write."""

    def __init__(
        self, noise_size: int, style_size: int, depth: int, mixing: float, classes: int | None, output: Output
    ) -> None:
        if not 0 <= mixing <= 1:
            raise ValueError(f"mixing: {mixing}; a probability, so 0 to 1")
        super().__init__()
        self.noise_size, self.style_size, self.classes = noise_size, style_size, classes or 0
        self.mixing, self.finish = mixing, ending_in(output)
        self.mapper = Mapping(noise_size, style_size, depth, classes)
        self.register_buffer("mean_style", torch.zeros(style_size))

    def mapping(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return self.mapper(noise, label)

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        style = self.mapping(noise, label)
        styles = style[:, None].expand(-1, self.layers, -1)
        if self.training:
            self._follow(style)
            if self.mixing > 0:
                styles = self._mixed(styles, self.mapping(torch.randn_like(noise), label))
        return self.synthesis(styles)

    def mixable_layers(self) -> int:
        """Layers among which a mix may change over: all that are at work."""
        return self.layers

    def _mixed(self, styles: Tensor, second: Tensor) -> Tensor:
        """With probability `mixing` a picture takes the second style from a random layer on (section 3.1)."""
        count, layers = len(styles), torch.arange(self.layers, device=styles.device)
        crossover = torch.randint(1, max(self.mixable_layers(), 2), (count,), device=styles.device)
        crossover[torch.rand(count, device=styles.device) >= self.mixing] = self.layers
        return torch.where((layers >= crossover[:, None])[:, :, None], second[:, None], styles)

    @torch.no_grad()
    def _follow(self, style: Tensor) -> None:
        self.mean_style.lerp_(style.float().mean(0), 1 - MEAN_DECAY)
