"""What games ask of networks. Games name these contracts, never a concrete network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

Shape = Sequence[int]
"""(channels, height, width) of a picture."""


class Network(nn.Module):
    """Any part of a game; `stages` is what `dry_run=true` prints."""

    def stages(self) -> list[tuple[int, ...]]:
        """Sizes (channels, height, width) that a picture passes through, in order; empty: nothing to tell."""
        return []


class Generator(Network, ABC):
    """Noise (and label) to image."""

    noise_size: int
    classes: int = 0  # 0: the label is ignored

    @abstractmethod
    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        """noise [B, noise_size], label [B] int64 or [B, K] attributes -> image [B, C, H, W] in [-1, 1]."""


class Discriminator(Network, ABC):
    """Image (and label) to a raw score: logits, no sigmoid. Auxiliary heads read its features."""

    feature_size: int  # K of the features that heads read
    classes: int = 0  # 0: the label is ignored

    @abstractmethod
    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> features [B, feature_size] (or a map [B, K, h, w] for patch critics)."""

    @abstractmethod
    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        """features -> logits [B], or [B, h, w] where every patch is judged."""

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.score(self.features(image, label), label)


class Constrained(ABC):
    """A module whose weights must stay in a set; the trainer calls `constrain` after every step of its turn."""

    @abstractmethod
    def constrain(self) -> None:
        """Bring the weights back into the set, in place."""
