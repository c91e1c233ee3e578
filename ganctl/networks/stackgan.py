"""StackGAN's two stages (Zhang et al. 2017): a small picture from a caption, then a larger one painted over it."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ganctl.networks.dcgan import Norm, initialise, normed
from ganctl.networks.interfaces import CaptionPainter, Discriminator, Painting, Shape
from ganctl.networks.label import demand
from ganctl.networks.layers import Size, at_least_one, enlarge, nhwc, widths
from ganctl.networks.sizes import doubling_kernel, halvings

DEEPEST = 16  # times `width`: most channels


class Conditioning(nn.Module):
    """Conditioning augmentation: text to a Gaussian, from which the condition is drawn (section 3.2).

    Made after a network's other weights are begun: with DCGAN's N(0, 0.02) the text would whisper beside the noise.
    """

    def __init__(self, text_size: int, condition_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(text_size, 2 * condition_size)

    def forward(self, text: Tensor, chance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """text [B, text_size], chance [B, condition_size] from N(0, 1) -> condition, mean, log variance."""
        mean, log_variance = self.linear(text).float().chunk(2, 1)
        log_variance = log_variance.clamp(-10, 10)
        return mean + (log_variance / 2).exp() * chance, mean, log_variance


class Up(nn.Module):
    """Nearest neighbour to the next size, 3x3, batch norm, ReLU."""

    def __init__(self, before: int, after: int, size: Size) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(enlarge(image, self.size))


class Residual(nn.Module):
    """image + two 3x3 convolutions with batch norm (section 3.4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, image: Tensor) -> Tensor:
        return (image + self.branch(image)).relu()


def ups(sizes: Sequence[Size], channels: Sequence[int]) -> nn.Sequential:
    """From the first size to the last; one number of channels a size."""
    steps = zip(pairwise(channels), sizes[1:], strict=True)
    return nn.Sequential(*(Up(before, after, size) for (before, after), size in steps))


def spread(vector: Tensor, image: Tensor) -> Tensor:
    """The image [B, C, H, W] with a vector [B, K] at each of its places: [B, C + K, H, W]."""
    planes = vector.to(image.dtype)[:, :, None, None].expand(-1, -1, *image.shape[2:])
    return torch.cat((image, planes), 1)


def stage_sizes(shape: Shape, times: int) -> Sequence[Size]:
    """Sizes of stage one's picture, halved `times` times, largest first. Raises ValueError where no smaller one is."""
    sizes = halvings(shape[1], shape[2])
    if times < 0 or len(sizes) - times < 2:
        most = len(sizes) - 2
        full = "x".join(map(str, sizes[0]))
        raise ValueError(f"halved: {times}; a picture of {full} can be halved 0 to {most} times before stage one")
    return sizes[times:]


class StackGANGenerator(CaptionPainter):
    """Stage one: condition and noise through a linear map to 4x4, then one `Up` a doubling, 3x3, tanh (section 3.3).

    shape: of the pictures that the last stage paints. halved: how often this stage's are smaller than those.
    """

    def __init__(
        self,
        shape: Shape,
        text_size: int,
        latent_size: int = 100,
        condition_size: int = 128,
        width: int = 64,
        halved: int = 0,
    ) -> None:
        super().__init__()
        at_least_one(text_size=text_size, latent_size=latent_size, condition_size=condition_size, width=width)
        self.text_size, self.condition_size = text_size, condition_size
        self.noise_size = latent_size + condition_size
        self.sizes = stage_sizes(shape, halved)[::-1]  # smallest first
        self.shape: tuple[int, ...] = (shape[0], *self.sizes[-1])
        self.channels = widths(len(self.sizes), width, DEEPEST * width)[::-1]
        (rows, columns), base = self.sizes[0], self.channels[0]
        self.first = nn.Linear(self.noise_size, base * rows * columns, bias=False)
        self.first_norm = nn.Sequential(nn.BatchNorm2d(base), nn.ReLU(True))
        self.ups = ups(self.sizes, self.channels)
        self.last = nn.Sequential(nn.Conv2d(width, shape[0], 3, padding=1), nn.Tanh())
        self.apply(initialise)
        self.conditioning = Conditioning(text_size, condition_size)

    def forward(self, noise: Tensor, text: Tensor, sketch: Tensor | None = None) -> Painting:
        chance, latent = noise[:, : self.condition_size], noise[:, self.condition_size :]
        condition, mean, log_variance = self.conditioning(text, chance)
        image = self.first(torch.cat((condition, latent), 1)).unflatten(1, (self.channels[0], *self.sizes[0]))
        return Painting(self.last(self.ups(self.first_norm(nhwc(image)))), mean, log_variance)

    def stages(self) -> list[tuple[int, ...]]:
        return [*((channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)), self.shape]


class StackGANRefiner(CaptionPainter):
    """Stage two: stage one's picture halved twice, joined with the condition, residual blocks, doubled to full size.

    Section 3.4. halved: how often stage one's pictures are smaller (the paper: 2, from 64 to 256). residuals: blocks.
    """

    def __init__(
        self,
        shape: Shape,
        text_size: int,
        condition_size: int = 128,
        width: int = 64,
        halved: int = 1,
        residuals: int = 2,
    ) -> None:
        super().__init__()
        at_least_one(
            text_size=text_size, condition_size=condition_size, width=width, halved=halved, residuals=residuals
        )
        self.text_size, self.noise_size = text_size, condition_size
        self.shape: tuple[int, ...] = tuple(shape)
        channels, height, breadth = shape
        below = stage_sizes(shape, halved)[:3]  # stage one's size, and at most two halvings of it
        self.sketch: tuple[int, ...] = (channels, *below[0])
        self.sizes = [*below[::-1], *halvings(height, breadth)[halved - 1 :: -1]]  # upwards from the smallest
        self.down_channels = [width * 2**step for step in range(len(below))]
        self.channels = [*self.down_channels[::-1], *[max(width // 2**step, 8) for step in range(1, halved + 1)]]
        self.downs = self._downs(channels, below)
        base = self.channels[0]
        self.join = nn.Sequential(
            nn.Conv2d(base + condition_size, base, 3, padding=1, bias=False), nn.BatchNorm2d(base), nn.ReLU(True)
        )
        self.residuals = nn.Sequential(*(Residual(base) for _ in range(residuals)))
        self.ups = ups(self.sizes, self.channels)
        self.last = nn.Sequential(nn.Conv2d(self.channels[-1], channels, 3, padding=1), nn.Tanh())
        self.apply(initialise)
        self.conditioning = Conditioning(text_size, condition_size)

    def _downs(self, image_channels: int, below: Sequence[Size]) -> nn.Sequential:
        layers: list[nn.Module] = [nn.Conv2d(image_channels, self.down_channels[0], 3, padding=1), nn.ReLU(True)]
        for (before, after), (large, small) in zip(pairwise(self.down_channels), pairwise(below), strict=True):
            kernel = doubling_kernel(small, large)
            halving = nn.Conv2d(before, after, kernel, stride=2, padding=1, bias=False)
            layers += [halving, nn.BatchNorm2d(after), nn.ReLU(True)]
        return nn.Sequential(*layers)

    def forward(self, noise: Tensor, text: Tensor, sketch: Tensor | None = None) -> Painting:
        if sketch is None:
            raise ValueError("stage two paints over stage one's picture and was given none")
        condition, mean, log_variance = self.conditioning(text, noise)
        image = self.join(spread(condition, self.downs(sketch)))
        return Painting(self.last(self.ups(self.residuals(image))), mean, log_variance)

    def stages(self) -> list[tuple[int, ...]]:
        inside = ((channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True))
        return [self.sketch, *inside, self.shape]


class StackGANDiscriminator(Discriminator):
    """Convolutions that halve down to 4x4; there the text joins, for a 1x1 convolution and the score (section 3.3).

    The text's vector comes as the label [B, text_size]. The features know nothing of it, so that a picture is looked at
    once for the right and the wrong text. In this file both stages have the same discriminator: the second one's is
    deeper as its pictures are larger. `norm`: none for penalties on gradients, as batch norm mixes a batch's pictures.
    """

    def __init__(
        self, shape: Shape, text_size: int, condition_size: int = 128, width: int = 64, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        at_least_one(text_size=text_size, condition_size=condition_size, width=width)
        channels, height, breadth = shape
        self.classes = text_size
        self.sizes = halvings(height, breadth)  # largest first
        self.channels = [channels, *widths(len(self.sizes) - 1, width, DEEPEST * width)]
        self.downs = nn.Sequential(*(self._down(stage, norm) for stage in range(len(self.sizes) - 1)))
        deep, (rows, columns) = self.channels[-1], self.sizes[-1]
        self.feature_size = deep * rows * columns
        joint = nn.Conv2d(deep + condition_size, deep, 1, bias=norm == "none")
        self.join = nn.Sequential(joint, normed(deep, norm), nn.LeakyReLU(0.2, True))
        self.last = nn.Linear(self.feature_size, 1)
        self.apply(initialise)
        self.compress = nn.Sequential(nn.Linear(text_size, condition_size), nn.LeakyReLU(0.2))

    def _down(self, stage: int, norm: Norm) -> nn.Sequential:
        before, after = self.channels[stage], self.channels[stage + 1]
        layer_norm: Norm = "none" if stage == 0 else norm
        kernel = doubling_kernel(self.sizes[stage + 1], self.sizes[stage])
        convolution = nn.Conv2d(before, after, kernel, stride=2, padding=1, bias=layer_norm == "none")
        return nn.Sequential(convolution, normed(after, layer_norm), nn.LeakyReLU(0.2, True))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        """[B, K, h, w]; the label is not asked for."""
        return self.downs(image)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        joint = self.join(spread(self.compress(demand(label)), features))
        return self.last(joint.flatten(1)).squeeze(1)

    def stages(self) -> list[tuple[int, ...]]:
        return [(channels, *size) for channels, size in zip(self.channels, self.sizes, strict=True)]
