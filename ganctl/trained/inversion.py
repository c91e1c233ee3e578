"""A trained generator searched for a picture: what it cannot draw is unlike what it was trained on."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.games.game import Wish
from ganctl.games.latent import LatentGame
from ganctl.games.painting import LatentInputs

RATE = 0.05  # of Adam; noise has unit variance
PAINTED = 256  # draws painted at once


@dataclass(frozen=True)
class Search:
    """How long and by what the noise behind a picture is searched."""

    steps: int = 100  # of gradient descent
    features: float = 0.1  # lambda of the paper: weight of the discriminator's features; 0: pixels alone
    draws: int = 1024  # pictures drawn first, of which the nearest is where the search begins
    seed: int = 0  # of those draws


class Inversion:
    """Schlegl et al. 2017 (AnoGAN), section 2.2: the noise whose picture is nearest, found by gradient descent.

    The loss is eq. 5 over means instead of sums: (1 - lambda) |x - G(z)| + lambda |f(x) - f(G(z))|. Where the paper
    begins with any noise, the search begins with the nearest of many draws, so that fewer steps do; a generator of
    classes keeps the class of that draw. The same picture gives the same result in any batch.
    """

    def __init__(self, game: LatentGame, search: Search) -> None:
        """The game in eval mode; its weights are frozen here."""
        self.game, self.search = game.requires_grad_(False), search
        self.device = next(game.generator.parameters()).device
        drawn = game.request(Wish(search.draws), torch.Generator().manual_seed(search.seed))
        self.inputs = drawn.map(lambda value: value.to(self.device))
        with torch.no_grad():
            pictures = torch.cat([game.paint(piece) for piece in self.inputs.split(PAINTED)])
        self.drawn = pictures.flatten(1)  # [draws, C*H*W]

    def __call__(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> the nearest pictures found, [B, C, H, W]."""
        inputs = self.beginning(image)
        noise = inputs.noise.clone().requires_grad_()
        optimizer = torch.optim.Adam([noise], lr=RATE)
        distance = Distance(self.game, image, inputs.label, self.search.features)
        for _ in range(self.search.steps):
            optimizer.zero_grad()
            distance(self.game.paint(replace(inputs, noise=noise))).sum().backward()
            optimizer.step()
        with torch.no_grad():
            return self.game.paint(replace(inputs, noise=noise))

    def beginning(self, image: Tensor) -> LatentInputs:
        """The inputs of the nearest draw to each picture."""
        nearest = torch.cdist(image.flatten(1), self.drawn).argmin(1)
        return self.inputs.map(lambda value: value[nearest])


class Distance:
    """From fixed pictures, in pixels and as the discriminator sees them."""

    def __init__(self, game: LatentGame, image: Tensor, label: Tensor | None, features: float) -> None:
        self.image, self.label, self.share = image, label, features
        self.discriminator = game.discriminator
        self.wanted = self.seen(image).detach() if features else None

    def __call__(self, made: Tensor) -> Tensor:
        """[B, C, H, W] -> [B]."""
        pixels = (made - self.image).abs().flatten(1).mean(1)
        if self.wanted is None:
            return pixels
        return (1 - self.share) * pixels + self.share * (self.seen(made) - self.wanted).abs().flatten(1).mean(1)

    def seen(self, image: Tensor) -> Tensor:
        return self.discriminator.features(image, self.label)
