"""Discriminators around discriminators: what is added without touching the network inside."""

import torch
from torch import Tensor

from ganctl.networks.interfaces import Constrained, Discriminator


class Clipped(Discriminator, Constrained):
    """Weights held in [-limit, limit] after every step (Arjovsky et al. 2017, algorithm 1)."""

    def __init__(self, network: Discriminator, limit: float = 0.01) -> None:
        if limit <= 0:
            raise ValueError(f"limit: {limit}; must be more than 0")
        super().__init__()
        self.network, self.limit = network, limit
        self.feature_size, self.classes = network.feature_size, network.classes
        self.source_channels = network.source_channels

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.network.features(image, label)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.network.score(features, label)

    def stages(self) -> list[tuple[int, ...]]:
        return self.network.stages()

    @torch.no_grad()
    def constrain(self) -> None:
        for parameter in self.network.parameters():
            parameter.clamp_(-self.limit, self.limit)
