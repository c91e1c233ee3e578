"""A random convolutional network with fixed weights: features for unlabelled data without any download."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganctl.metrics.extractors import Extractor, Features, weights_identity
from ganctl.metrics.isolation import isolated

SEED = 2020  # any fixed number: every user draws the same weights
SIDE = 32  # pictures are brought to SIDE x SIDE first


def shrink(pixels: Tensor) -> Tensor:
    """[B, C, H, W] uint8 -> [B, C, SIDE, SIDE] float in [0, 255], bilinear and antialiased, rounded to bytes."""
    image = pixels.float()
    if image.shape[2:] != (SIDE, SIDE):
        image = F.interpolate(image, (SIDE, SIDE), mode="bilinear", antialias=True)
    return image.round().clamp(0, 255)


class RandomExtractor(Extractor):
    """Features of an untrained network still order sets of pictures (Naeem et al. 2020, section 5)."""

    name = "random"
    feature_size = 64
    resizer = f"bilinear, antialiased, to {SIDE}x{SIDE}"

    def __init__(self, channels: int) -> None:
        super().__init__()
        with isolated():  # layers fill themselves from the global generator first
            self.layers = nn.Sequential(
                nn.Conv2d(channels, 32, 5, 2, 2),
                nn.ReLU(),
                nn.Conv2d(32, 64, 3, 2, 1),
                nn.ReLU(),
                nn.Conv2d(64, 64, 3, 2, 1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(64 * (SIDE // 8) ** 2, self.feature_size),
            )
        self._draw()
        self.requires_grad_(False).eval()
        self.identity = weights_identity(self)

    def _draw(self) -> None:
        """He et al. 2015 from a generator of its own, so that the weights are the same in every program."""
        generator = torch.Generator().manual_seed(SEED)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, generator=generator)
                nn.init.constant_(layer.bias, 0)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Features:
        return Features(self.layers(shrink(pixels) / 127.5 - 1))
