"""BigGAN's generator (Brock et al. 2018) for any size; its discriminator is a `ResNetDiscriminator`."""

import torch
from torch import Tensor, nn

from ganctl.networks.interfaces import Generator, Shape
from ganctl.networks.label import demand
from ganctl.networks.layers import ConditionalNorm, Init, PlainNorm, Recipe, at_least_one
from ganctl.networks.residual import UpTrunk
from ganctl.networks.sizes import halvings


class BigGANGenerator(Generator):
    """Hierarchical noise and one shared class embedding steer every batch norm; spectral norm throughout.

    The noise is split into one piece for the first map and one a block (lengths differ by at most one). A block's
    condition is the class embedding and its piece; scale and shift are linear maps of it (appendix B, figure 15).
    Without `classes` the condition is the piece of noise alone.
    """

    def __init__(
        self,
        shape: Shape,
        noise_size: int = 120,
        width: int = 96,
        max_width: int = 1536,
        classes: int | None = None,
        shared_size: int = 128,
        attention: int | None = 64,
        init: Init = "orthogonal",
    ) -> None:
        super().__init__()
        at_least_one(shared_size=shared_size)
        self.noise_size, self.classes = noise_size, classes or 0
        recipe = Recipe(spectral_norm=True, init=init)
        # the table of classes is not normed: it is an input, not a layer
        self.embedding = None if classes is None else Recipe(init=init).embedding(classes, shared_size)
        given = 0 if classes is None else shared_size
        self.pieces = split_sizes(noise_size, len(halvings(*shape[1:])))

        def norm(block: int, channels: int) -> nn.Module:
            gain, bias = (recipe.linear(given + self.pieces[block + 1], channels, bias=False) for _ in range(2))
            return ConditionalNorm(channels, gain, bias)

        self.trunk = UpTrunk(
            shape,
            vector_size=self.pieces[0],
            width=width,
            max_width=max_width,
            attention=attention,
            recipe=recipe,
            norm=norm,
            last_norm=PlainNorm(width),
        )

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        first, *others = noise.split(self.pieces, 1)
        if self.embedding is not None:
            shared = self.embedding(demand(label)).to(noise.dtype)
            others = [torch.cat((shared, piece), 1) for piece in others]
        return self.trunk(first, others)

    def stages(self) -> list[tuple[int, ...]]:
        return self.trunk.stages()


def split_sizes(length: int, pieces: int) -> list[int]:
    """`length` as that many lengths that differ by at most one, longer ones first: 10 in 3 -> 4, 3, 3."""
    if length < pieces:
        raise ValueError(f"noise_size: {length}; must be {pieces} or more: one number for the first map and each block")
    return [length // pieces + (piece < length % pieces) for piece in range(pieces)]
