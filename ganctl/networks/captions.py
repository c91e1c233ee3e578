"""Networks that are told a class, told a caption in its place: BigGAN's generator and a projecting discriminator."""

from math import sqrt

from torch import Tensor

from ganctl.networks.biggan import BigGANGenerator
from ganctl.networks.interfaces import CaptionPainter, Painting, Shape
from ganctl.networks.label import demand
from ganctl.networks.layers import Init, at_least_one
from ganctl.networks.resnet import ResNetDiscriminator
from ganctl.networks.stackgan import Conditioning, stage_sizes


class CaptionBigGANGenerator(CaptionPainter):
    """StackGAN's conditioning augmentation (Zhang et al. 2017, section 3.2) before BigGAN's generator (2018).

    The condition, drawn from the caption's Gaussian, goes where the class would: every block hears it.
    shape: of the pictures that the last stage paints. halved: how often this stage's are smaller than those.
    """

    def __init__(
        self,
        shape: Shape,
        text_size: int,
        latent_size: int = 80,
        condition_size: int = 32,
        width: int = 64,
        max_width: int = 1024,
        shared_size: int = 128,
        attention: int | None = None,
        halved: int = 0,
    ) -> None:
        super().__init__()
        at_least_one(text_size=text_size, condition_size=condition_size)
        self.text_size, self.condition_size = text_size, condition_size
        self.noise_size = condition_size + latent_size
        self.shape: tuple[int, ...] = (shape[0], *stage_sizes(shape, halved)[0])
        self.painter = BigGANGenerator(
            self.shape, latent_size, width, max_width, condition_size, shared_size, attention=attention
        )
        self.conditioning = Conditioning(text_size, condition_size)

    def forward(self, noise: Tensor, text: Tensor, sketch: Tensor | None = None) -> Painting:
        chance, latent = noise[:, : self.condition_size], noise[:, self.condition_size :]
        condition, mean, log_variance = self.conditioning(text, chance)
        return Painting(self.painter(latent, condition), mean, log_variance)

    def stages(self) -> list[tuple[int, ...]]:
        return self.painter.stages()


class CaptionResNetDiscriminator(ResNetDiscriminator):
    """The projection discriminator (Miyato and Koyama 2018) with a caption's vector [B, text_size] as the class.

    The vector comes with a variance of 1 and is brought to a length of about 1, which a row of the table of classes
    has: else the score would be steeper than spectral norm allows.
    """

    def __init__(
        self,
        shape: Shape,
        text_size: int,
        width: int = 64,
        max_width: int = 1024,
        spectral_norm: bool = True,
        attention: int | None = None,
        init: Init = "orthogonal",
    ) -> None:
        super().__init__(shape, width, max_width, text_size, spectral_norm, attention, init)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return super().score(features, demand(label) / sqrt(self.classes))
