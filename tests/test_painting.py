"""Truncation, style mixing and path lengths of style-based generators, with numbers derived by hand."""

from math import sqrt

import pytest
import torch
from torch import Tensor

from ganctl.games.game import Wish
from ganctl.games.latent import LatentGame
from ganctl.games.painting import LatentInputs, paint
from ganctl.games.prior import Gaussian
from ganctl.losses.adversarial import NonSaturating
from ganctl.losses.generator_penalties import Creation, PathLength, path_lengths
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganctl.networks.interfaces import StyleBased


class LinearStyles(StyleBased):
    """Style = noise; picture = one pixel a layer, the layer's weight times the sum of its style."""

    def __init__(self, weights: tuple[float, ...]) -> None:
        super().__init__()
        self.noise_size = self.style_size = 2
        self.layers, self.weights = len(weights), weights
        self.register_buffer("mean_style", torch.tensor([0.2, 0.0]))

    def mapping(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return noise

    def synthesis(self, styles: Tensor) -> Tensor:
        return (styles.sum(2) * torch.tensor(self.weights))[:, None, None, :]  # [B, 1, 1, layers]

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return self.synthesis(noise[:, None].expand(-1, self.layers, -1))


def game(generator: object) -> LatentGame:
    discriminator = DCGANDiscriminator((1, 8, 8), width=2)
    return LatentGame(generator, discriminator, Gaussian(2), NonSaturating(), NoAugment())


def inputs(wish: Wish, generator: object) -> LatentInputs:
    return game(generator).request(wish, torch.Generator().manual_seed(0))


def test_truncation_draws_styles_towards_their_mean():
    generator = LinearStyles((1.0,))
    asked = inputs(Wish(3, truncation=0.5), generator)
    plain = inputs(Wish(3), generator)
    assert torch.equal(asked.noise, plain.noise)  # the noise itself is not narrowed
    expected = 0.5 * plain.noise.sum(1) + 0.5 * 0.2
    torch.testing.assert_close(paint(generator, asked).flatten(), expected.clamp(-1, 1))
    assert paint(generator, inputs(Wish(2, truncation=0.0), generator)).flatten().tolist() == pytest.approx([0.2, 0.2])


def test_a_second_style_takes_over_from_its_layer():
    generator = LinearStyles((0.1, 0.2, 0.4))
    asked = inputs(Wish(2, style_mix=2), generator)
    first, second = asked.noise.sum(1), asked.second.sum(1)
    expected = torch.stack((0.1 * first, 0.2 * first, 0.4 * second), 1)
    torch.testing.assert_close(paint(generator, asked)[:, 0, 0], expected)
    together = torch.cat([paint(generator, one) for one in asked.split(1)])
    torch.testing.assert_close(paint(generator, asked), together)


def test_impossible_wishes_are_refused_in_words():
    with pytest.raises(ValueError, match="style_mix=3: accepted are layers 1 to 2"):
        inputs(Wish(1, style_mix=3), LinearStyles((1.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="no styles to mix"):
        inputs(Wish(1, style_mix=1), DCGANGenerator((1, 8, 8), noise_size=2, width=2))


def test_pictures_are_clamped():
    assert paint(LinearStyles((9.0,)), LatentInputs(torch.tensor([[1.0, 1.0], [-1, -1]]))).flatten().tolist() == [1, -1]


def test_path_lengths_of_a_linear_generator():
    # J^T y of layer l is (w_l y_l, w_l y_l), so its squared norm is 2 w_l^2 y_l^2; y is scaled by 1 / sqrt(1 * 2).
    styles = torch.randn(4, 2, 2, requires_grad=True)
    torch.manual_seed(3)
    lengths = path_lengths(LinearStyles((3.0, 4.0)).synthesis(styles), styles)
    torch.manual_seed(3)
    y = torch.randn(4, 1, 1, 2).flatten(1) / sqrt(2)
    expected = ((2 * 9 * y[:, 0] ** 2 + 2 * 16 * y[:, 1] ** 2) / 2).sqrt()
    torch.testing.assert_close(lengths, expected)


def test_the_path_length_penalty_follows_its_mean():
    # One layer, one pixel: every length is w sqrt(2) |y|. The mean moves from 0 by a hundredth of the batch's mean.
    penalty = PathLength(weight=2.0, every=4, decay=0.99, share=0.5)
    generator = LinearStyles((3.0,))
    creation = Creation(generator, torch.randn(8, 2, requires_grad=True), None, 0)
    torch.manual_seed(5)
    value = penalty(creation)
    torch.manual_seed(5)
    lengths = 3 * sqrt(2) * torch.randn(4).abs()  # half of the 8
    mean = 0.01 * lengths.mean()
    torch.testing.assert_close(penalty.mean, mean)
    torch.testing.assert_close(value, 2.0 * 4 * (lengths - mean).square().mean())
    assert [rounds for rounds in range(9) if penalty.due(rounds)] == [0, 4, 8]
    assert "mean" in penalty.state_dict()


def test_path_length_needs_styles():
    with pytest.raises(ValueError, match="DCGANGenerator is none"):
        PathLength().accept(DCGANGenerator((1, 8, 8)))
    with pytest.raises(ValueError, match="share: 0"):
        PathLength(share=0)
