"""An augmentation whose effect is known by hand, for the tests of games: what passed through it, and what did not."""

from torch import Tensor

from ganctl.networks.augment import Augment


class Halved(Augment):
    """Every value by half."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 2
