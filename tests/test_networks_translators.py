"""ResNet generators and StarGAN's networks: the papers' sizes, any size of picture, and what a label changes."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from ganctl.building.weightless import weightless
from ganctl.networks.resnet_generator import Residual, ResNetTranslator, drawn_out
from ganctl.networks.stargan import StarGANDiscriminator, StarGANGenerator


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_generator_by_hand() -> None:
    """Kernels: 49*3*64, 9*(64*128 + 128*256), nine times 2*9*256^2, the same up again, 49*64*3 + 3.

    Norms, two numbers a channel: 64 + 128 + 256 + 18 * 256 + 128 + 64.
    """
    with weightless():
        network = ResNetTranslator((3, 256, 256))
    kernels = 49 * 3 * 64 + 2 * 9 * (64 * 128 + 128 * 256) + 9 * 2 * 9 * 256**2 + 49 * 64 * 3 + 3
    norms = 2 * (64 + 128 + 256 + 18 * 256 + 128 + 64)
    assert parameters(network) == kernels + norms == 11_383_427


@pytest.mark.parametrize(("side", "blocks"), [(32, 6), (128, 6), (255, 6), (256, 9), (512, 9)])
def test_blocks_follow_the_size_as_in_the_paper(side: int, blocks: int) -> None:
    with weightless():
        network = ResNetTranslator((3, side, 512), width=8)
    assert sum(isinstance(module, Residual) for module in network.modules()) == blocks


@pytest.mark.parametrize("size", [(1, 1), (3, 8), (28, 28), (33, 50), (100, 100)])
def test_any_size_of_picture_comes_out_as_large(size: tuple[int, int]) -> None:
    network = ResNetTranslator((2, 32, 32), source_shape=(4, 32, 32), width=4, blocks=1).eval()
    image = torch.rand(1, 4, *size) * 2 - 1
    with torch.no_grad():
        picture = network(image)
        label = torch.tensor([1])
        turned = StarGANGenerator((2, 32, 32), classes=3, width=4, blocks=1).eval()(image[:, :2], label)
    assert picture.shape == turned.shape == (1, 2, *size)
    assert picture.abs().max() <= 1


def test_sides_are_drawn_out_to_multiples_of_four() -> None:
    image = torch.arange(9.0).view(1, 1, 1, 9)
    drawn = drawn_out(image)
    assert drawn.shape == (1, 1, 8, 12)
    assert drawn[0, 0, 7].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8]
    whole = torch.zeros(1, 1, 8, 16)
    assert drawn_out(whole) is whole


def test_each_picture_is_made_alone() -> None:
    """Instance norm, so batching changes nothing but rounding."""
    network = ResNetTranslator((3, 16, 16), width=4, blocks=1)
    images = torch.randn(3, 3, 16, 16)
    alone = torch.cat([network(image[None]) for image in images])
    assert torch.allclose(network(images), alone, atol=1e-5)


def test_the_papers_stargan_by_hand() -> None:
    """44.8 M in the critic: 16 * (3*64 + 64*128 + ... + 1024*2048), their biases, and 9 * 2048 of the score."""
    with weightless():
        generator, critic = StarGANGenerator((3, 128, 128), classes=5), StarGANDiscriminator((3, 128, 128))
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    kernels = sum(16 * before * after + after for before, after in pairwise(widths))
    assert parameters(critic) == kernels + 9 * 2048
    assert critic.feature_size == 2048 * 2 * 2
    ends, inside = 49 * 8 * 64 + 49 * 64 * 3 + 3, 2 * 16 * (64 * 128 + 128 * 256) + 6 * 2 * 9 * 256**2
    assert parameters(generator) == ends + inside + 2 * (64 + 128 + 256 + 12 * 256 + 128 + 64)


def test_the_label_reaches_every_place() -> None:
    torch.manual_seed(0)
    network = StarGANGenerator((3, 16, 16), classes=4, width=4, blocks=1)
    image = torch.randn(1, 3, 16, 16).expand(2, -1, -1, -1)
    first, second = network(image, torch.tensor([0, 3]))
    assert (first - second).abs().amin((1, 2)).gt(0).any()
    one_hot = torch.eye(4)[[0, 3]]
    assert torch.equal(network(image, one_hot), network(image, torch.tensor([0, 3])))
    with pytest.raises(ValueError, match="was given no label"):
        network(image)


def test_the_critic_scores_places_of_its_last_map() -> None:
    critic = StarGANDiscriminator((3, 40, 24), width=4, layers=2)
    features = critic.features(torch.randn(2, 3, 40, 24))
    assert features.shape == (2, critic.feature_size) == (2, 8 * 10 * 6)
    assert critic.score(features).shape == (2, 10, 6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ResNetTranslator((3, 32, 32), (3, 16, 16)), "only channels may differ"),
        (lambda: ResNetTranslator((3, 32, 32), width=0), "width: 0; must be 1 or more"),
        (lambda: ResNetTranslator((3, 32, 32), blocks=0), "blocks: 0; must be 1 or more"),
        (lambda: StarGANGenerator((3, 32, 32), classes=0), "classes: 0; must be 1 or more"),
        (lambda: StarGANDiscriminator((3, 2, 2)), "too small"),
        (lambda: StarGANDiscriminator((3, 32, 32), layers=0), "layers: 0; must be 1 or more"),
    ],
)
def test_impossible_settings_are_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
