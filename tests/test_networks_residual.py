"""ResNet GANs, BigGAN and R3GAN: any size, published parameter counts, and their formulas by hand."""

from collections.abc import Callable
from itertools import pairwise
from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.networks.biggan import BigGANGenerator, split_sizes
from ganctl.networks.interfaces import Discriminator, Generator, Shape
from ganctl.networks.layers import ConditionalNorm, Pointwise, Projection, Recipe, SelfAttention, attended, nhwc, shrink
from ganctl.networks.r3gan import GAIN, Bottleneck, R3GANDiscriminator, R3GANGenerator, halve_side
from ganctl.networks.residual import DownBlock, UpBlock
from ganctl.networks.resnet import ResNetDiscriminator, ResNetGenerator, normed

SHAPES = [(1, 28, 28), (2, 32, 32), (3, 64, 64), (4, 100, 100), (3, 96, 32), (1, 7, 9)]
SIZE = {"width": 4, "max_width": 8}
NOISE, BATCH = 7, 3
MESCHEDER = {"norm": "none", "slope": 0.2, "residual_gain": 0.1}

GENERATORS: dict[str, Callable[[Shape, int | None], Generator]] = {
    "sngan": lambda shape, classes: ResNetGenerator(shape, NOISE, **SIZE, classes=classes),
    "sagan": lambda shape, classes: ResNetGenerator(
        shape, NOISE, **SIZE, classes=classes, spectral_norm=True, attention=16
    ),
    "r1gan": lambda shape, classes: ResNetGenerator(shape, NOISE, **SIZE, classes=classes, **MESCHEDER),
    "biggan": lambda shape, classes: BigGANGenerator(
        shape, NOISE, **SIZE, classes=classes, shared_size=5, attention=16
    ),
    "r3gan": lambda shape, classes: R3GANGenerator(shape, NOISE, **SIZE, group_size=4, blocks=1, classes=classes),
}
DISCRIMINATORS: dict[str, Callable[[Shape, int | None], Discriminator]] = {
    "plain": lambda shape, classes: ResNetDiscriminator(shape, **SIZE, classes=classes, slope=0.2, residual_gain=0.1),
    "sagan": lambda shape, classes: ResNetDiscriminator(
        shape, **SIZE, classes=classes, spectral_norm=True, attention=16, init="orthogonal", last_blocks=2
    ),
    "r3gan": lambda shape, classes: R3GANDiscriminator(
        shape, **SIZE, group_size=4, blocks=1, classes=classes, embedding_size=6
    ),
}


def stirred(network: nn.Module) -> nn.Module:
    """Nothing at zero: gammas, residual branches and class scales that would hide a dependence."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


def without_gradient(network: nn.Module) -> list[str]:
    return [name for name, parameter in network.named_parameters() if parameter.grad is None]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_generators_make_any_shape(shape: Shape, name: str) -> None:
    generator = GENERATORS[name](shape, None)
    image = generator(torch.randn(BATCH, NOISE))
    assert tuple(image.shape) == (BATCH, *shape)
    assert generator.stages()[-1] == tuple(shape)
    image.square().sum().backward()
    assert not without_gradient(generator)


@pytest.mark.parametrize("name", DISCRIMINATORS)
@pytest.mark.parametrize("shape", SHAPES)
def test_discriminators_judge_any_shape(shape: Shape, name: str) -> None:
    """Twice differentiable too, as gradient penalties need."""
    discriminator = DISCRIMINATORS[name](shape, None)
    image = torch.rand(BATCH, *shape).requires_grad_()
    features = discriminator.features(image)
    assert tuple(features.shape) == (BATCH, discriminator.feature_size)
    score = discriminator.score(features)
    assert tuple(score.shape) == (BATCH,)
    (gradient,) = torch.autograd.grad(score.sum(), image, create_graph=True)
    (score.sum() + gradient.square().sum()).backward()
    assert not without_gradient(discriminator)
    sides = [stage[1:] for stage in discriminator.stages()]
    assert sides[0] == tuple(shape[1:])
    assert all(small in (large, tuple((side + 1) // 2 for side in large)) for large, small in pairwise(sides))


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_hears_classes_and_attributes(name: str) -> None:
    """A one-hot row of attributes is the class itself; another class is another picture."""
    generator = stirred(GENERATORS[name]((1, 28, 28), 3)).eval()
    noise, label = torch.randn(BATCH, NOISE), torch.tensor([0, 2, 1])
    image = generator(noise, label)
    torch.testing.assert_close(generator(noise, torch.eye(3)[label]), image)
    assert (generator(noise, torch.tensor([1, 2, 1])) - image).abs().amax((1, 2, 3))[0] > 1e-4
    image.sum().backward()
    assert not without_gradient(generator)
    with pytest.raises(ValueError, match="given no label"):
        generator(noise)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_discriminator_hears_classes_and_attributes(name: str) -> None:
    discriminator = stirred(DISCRIMINATORS[name]((1, 28, 28), 3)).eval()
    image, label = torch.rand(BATCH, 1, 28, 28), torch.tensor([0, 2, 1])
    score = discriminator(image, label)
    torch.testing.assert_close(discriminator(image, torch.eye(3)[label]), score)
    assert (discriminator(image, torch.tensor([1, 2, 1])) - score).abs()[0] > 1e-5
    score.sum().backward()
    assert not without_gradient(discriminator)
    with pytest.raises(ValueError, match="given no label"):
        discriminator(image)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_picture_is_independent_of_its_neighbours(name: str) -> None:
    generator = stirred(GENERATORS[name]((2, 28, 28), 3)).eval()
    noise, label = torch.randn(BATCH, NOISE), torch.tensor([0, 2, 1])
    torch.testing.assert_close(generator(noise[1:2], label[1:2]), generator(noise, label)[1:2])


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_score_is_independent_of_its_neighbours(name: str) -> None:
    discriminator = stirred(DISCRIMINATORS[name]((2, 28, 28), None))
    image = torch.rand(BATCH, 2, 28, 28)
    discriminator.eval()
    torch.testing.assert_close(discriminator(image[1:2]), discriminator(image)[1:2])


def test_biggan_has_the_published_number_of_parameters() -> None:
    """128x128 with 96 channels: google/compare_gan, resnet_biggan_test.py, testNetworksBiggan: 70,433,988 and
    87,982,370; together 158.4 M, as Brock et al. 2018, table 1 (158.3 M)."""
    with torch.device("meta"):
        generator = BigGANGenerator((3, 128, 128), 120, width=96, max_width=1536, classes=1000, attention=64)
        discriminator = ResNetDiscriminator(
            (3, 128, 128), 96, 1536, classes=1000, spectral_norm=True, attention=64, init="orthogonal"
        )
    assert count(generator) == 70_433_988
    assert count(discriminator) == 87_982_370


def test_sngan_has_the_parameters_of_its_tables() -> None:
    """Miyato et al. 2018, table 4 (32x32), added up by hand."""
    block = 2 * (256 * 256 * 9 + 256) + 2 * 2 * 256 + (256 * 256 + 256)  # two 3x3, two norms, the shortcut
    whole = (128 * 4096 + 4096) + 3 * block + 2 * 256 + (256 * 3 * 9 + 3)
    inner, first = 128 * 128 * 9 + 128, 3 * 128 * 9 + 128
    critic = (first + inner + 3 * 128 + 128) + (2 * inner + 128 * 128 + 128) + 2 * 2 * inner + 128 + 1
    with torch.device("meta"):
        assert count(ResNetGenerator((3, 32, 32), 128, 256, 256)) == whole == 4_276_739
        discriminator = ResNetDiscriminator((3, 32, 32), 128, 128, spectral_norm=True, least=8, last_blocks=2)
    assert count(discriminator) == critic == 1_053_825
    assert discriminator.stages() == [(3, 32, 32), (128, 16, 16), (128, 8, 8), (128, 8, 8), (128, 8, 8)]


def test_r3gan_has_the_widths_of_its_paper() -> None:
    """Huang et al. 2024, FFHQ-256: 768 channels up to 32x32, then 384, 192, 96; two blocks a size, added up by hand."""
    columns = [768, 768, 768, 768, 384, 192, 96]
    blocks = 2 * sum(2 * c * 2 * c + 2 * c * 16 * 9 + 2 * 2 * c for c in columns)
    changes = 768 * 384 + 384 * 192 + 192 * 96 + 96 * 3
    with torch.device("meta"):
        generator, discriminator = R3GANGenerator((3, 256, 256)), R3GANDiscriminator((3, 256, 256))
    assert count(generator) == blocks + changes + 768 * 16 + 64 * 768 == 23_057_952
    assert count(discriminator) == blocks + changes + 768 * 16 + 768 == 23_009_568
    assert [stage[0] for stage in generator.stages()] == [*columns, 3]


def test_spectral_norm_is_one_after_some_iterations() -> None:
    discriminator = stirred(DISCRIMINATORS["sagan"]((1, 16, 16), 3))
    with torch.no_grad():
        for _ in range(60):
            discriminator(torch.rand(2, 1, 16, 16), torch.tensor([0, 1]))
    layers = [module for module in discriminator.modules() if hasattr(module, "parametrizations")]
    assert len(layers) == 2 * 3 + 2 * 2 + 4 + 2  # halving blocks, last blocks, attention, linear map and classes
    discriminator.eval()
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)


def test_attention_is_absent_at_first_and_a_mean_when_all_places_are_alike() -> None:
    """Without queries every place weighs the same: image + gamma * out(mean of the pooled values)."""
    attention, image = SelfAttention(8, Recipe()), torch.randn(2, 8, 5, 6)
    torch.testing.assert_close(attention(image), image)
    nn.init.zeros_(attention.query.weight)
    nn.init.constant_(attention.gamma, 0.5)
    value = nn.functional.max_pool2d(attention.value(image), 2, ceil_mode=True)  # 5x6 -> 3x3
    expected = image + 0.5 * attention.out(value.mean((2, 3), keepdim=True))
    torch.testing.assert_close(attention(image), expected)


def test_attention_stands_at_the_largest_fitting_map() -> None:
    assert attended([(7, 7), (14, 14), (28, 28)], 16) == 1
    assert attended([(24, 8), (48, 16), (96, 32)], 16) == 1
    assert attended([(8, 8)], None) is None
    with pytest.raises(ValueError, match=r"attention: 3; the maps .* have shorter sides \[7, 14\]"):
        attended([(14, 14), (7, 7)], 3)


def test_projection_by_hand() -> None:
    """w.f + b + v_c.f = 1*2 + 2*1 + 0.5 + (3*2 + 4*1) = 14.5; attributes sum their rows."""
    head, features = Projection(2, 3, Recipe()), torch.tensor([[2.0, 1.0]])
    with torch.no_grad():
        head.linear.weight.copy_(torch.tensor([[1.0, 2.0]]))
        head.linear.bias.fill_(0.5)
        head.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]))
    assert head(features, torch.tensor([1])).item() == pytest.approx(14.5)
    assert head(features, torch.tensor([[0.0, 1.0, 1.0]])).item() == pytest.approx(17.5)


def test_conditional_norm_by_hand() -> None:
    """Two pixels 0 and 4: mean 2, deviation 2, so -1 and 1; class 1 has scale 1 + 2 and shift 5: 2 and 8."""
    norm = normed(1, "batch", 2)
    assert isinstance(norm, ConditionalNorm)
    image, label = torch.tensor([[[[0.0, 4.0]]], [[[0.0, 4.0]]]]), torch.tensor([0, 1])
    plain = torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(norm(image, label)[:, 0, 0], plain.expand(2, 2), atol=1e-4, rtol=0)
    norm.gain.weight.data[1], norm.bias.weight.data[1] = 2.0, 5.0
    expected = torch.stack((plain, 3 * plain + 5))
    torch.testing.assert_close(norm(image, label)[:, 0, 0], expected, atol=1e-4, rtol=0)


def test_pointwise_is_a_convolution() -> None:
    layer, image = Pointwise(3, 5), torch.randn(2, 3, 4, 6)
    convolved = nn.functional.conv2d(image, layer.weight[:, :, None, None], layer.bias)
    torch.testing.assert_close(layer(image), convolved)


def test_blocks_reduce_to_their_shortcut() -> None:
    """With the second convolution at zero only the shortcut is left; the 1x1 convolution may come before resampling."""
    up, image = UpBlock(3, 4, (7, 9), Recipe(), lambda size: normed(size, "batch", None)), torch.randn(2, 3, 4, 5)
    nn.init.zeros_(up.convolution2.weight)
    torch.testing.assert_close(up(image), up.shortcut(interpolate(image, size=(7, 9))))
    down, image = DownBlock(3, 4, Recipe()), torch.randn(2, 3, 7, 9)
    nn.init.zeros_(down.convolution2.weight)
    torch.testing.assert_close(down(image), shrink(down.shortcut(image)))
    same = DownBlock(3, 3, Recipe(), halve=False)
    nn.init.zeros_(same.convolution2.weight)
    torch.testing.assert_close(same(image), image)


def test_shrink_means_over_what_is_there() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    torch.testing.assert_close(shrink(image)[0, 0], torch.tensor([[2.0, 3.5], [6.5, 8.0]]))


def test_biggan_splits_its_noise() -> None:
    """10 in 3 -> 4, 3, 3; the last piece reaches the last block only, the first piece the first map."""
    assert split_sizes(10, 3) == [4, 3, 3]
    assert split_sizes(120, 6) == [20] * 6
    generator = stirred(GENERATORS["biggan"]((1, 28, 28), None)).eval()  # 4, 7, 14, 28: four pieces
    assert generator.pieces == [2, 2, 2, 1]
    seen: list[Tensor] = []
    for block in generator.trunk.blocks:
        block.register_forward_hook(lambda block, given, made: seen.append(made))
    noise = torch.randn(2, NOISE)
    other = noise.clone()
    other[:, -1] += 1
    generator(noise)
    generator(other)
    assert [torch.equal(before, after) for before, after in zip(seen[:3], seen[3:], strict=True)] == [True, True, False]


def test_orthogonal_weights_at_first() -> None:
    weight = Recipe(init="orthogonal").linear(6, 4).weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(4), atol=1e-5, rtol=0)


def test_an_r3gan_block_begins_as_the_identity() -> None:
    block, image = Bottleneck(8, expansion=2, group_size=4, total_blocks=16), torch.randn(2, 8, 5, 5)
    torch.testing.assert_close(block(image), image, atol=0, rtol=0)
    assert block.grouped.groups == 4


def test_r3gan_weights_begin_scaled() -> None:
    """Deviation gain * 16 ** (-1/4) / sqrt(fan in): 1.3868 / 2 / sqrt(256) and / sqrt(64 * 9)."""
    block = Bottleneck(256, expansion=2, group_size=64, total_blocks=16)
    assert pytest.approx(1.38675, abs=1e-4) == GAIN
    assert block.expand.weight.std().item() == pytest.approx(GAIN / 2 / sqrt(256), rel=0.02)
    assert block.grouped.weight.std().item() == pytest.approx(GAIN / 2 / sqrt(64 * 9), rel=0.02)


def test_r3gan_halves_through_its_filter() -> None:
    """(1*1 + 3*2 + 3*4 + 1*8) / 8 = 27/8 in the middle; at a border the mean of what the two boxes hold."""
    row = torch.tensor([1.0, 1.0, 2.0, 4.0, 8.0, 8.0]).reshape(1, 1, 1, 6)
    first, middle = ((1 + 1 + 2) / 3 + (1 + 1) / 2) / 2, (1 + 3 * 2 + 3 * 4 + 8) / 8
    last = ((4 + 8 + 8) / 3 + (8 + 8) / 2) / 2
    torch.testing.assert_close(halve_side(row, rows=False)[0, 0, 0], torch.tensor([first, middle, last]))
    torch.testing.assert_close(halve_side(row.mT, rows=True), halve_side(row, rows=False).mT)
    assert halve_side(torch.ones(1, 1, 7, 5), rows=True).tolist() == torch.ones(1, 1, 4, 5).tolist()


def test_r3gan_scores_by_projection() -> None:
    """The product of the projected features with the label's row."""
    head = DISCRIMINATORS["r3gan"]((1, 8, 8), 3)
    features = torch.randn(2, head.feature_size)
    expected = (head.last(features) * head.embedding.weight[[2, 0]]).sum(1)
    torch.testing.assert_close(head.score(features, torch.tensor([2, 0])), expected)


def test_r3gan_samples_stay_in_range() -> None:
    generator = GENERATORS["r3gan"]((1, 28, 28), None)
    nn.init.constant_(generator.paint.weight, 9.0)
    noise = torch.randn(4, NOISE)
    assert generator(noise).abs().max() > 1  # training must feel what leaves the range
    assert generator.eval()(noise).abs().max() == 1


@pytest.mark.parametrize("channels", [1, 3])
def test_one_memory_layout_throughout(channels: int) -> None:
    """Mixed layouts make every residual sum several times slower on CPUs; one channel leaves PyTorch to guess."""
    assert nhwc(torch.rand(2, channels, 6, 6)).stride() == (36 * channels, 1, 6 * channels, channels)
    networks: list[tuple[nn.Module, Tensor]] = [
        (GENERATORS[name]((channels, 28, 28), None), torch.randn(2, NOISE)) for name in GENERATORS
    ]
    networks += [
        (DISCRIMINATORS[name]((channels, 28, 28), None), torch.rand(2, channels, 28, 28)) for name in DISCRIMINATORS
    ]
    for network, given in networks:
        network.to(memory_format=torch.channels_last)
        for module in network.modules():
            if isinstance(module, UpBlock | DownBlock | Bottleneck):
                module.register_forward_hook(assert_channels_last)
        network(given)


def assert_channels_last(module: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
    assert made.is_contiguous(memory_format=torch.channels_last)


WRONG: list[tuple[Callable[[], nn.Module], str]] = [
    (
        lambda: ResNetGenerator((1, 28, 28), width=64, max_width=32),
        r"width: 64; must be 1 or more and at most max_width",
    ),
    (lambda: ResNetGenerator((1, 28, 28), noise_size=0), "noise_size: 0; must be 1 or more"),
    (lambda: ResNetGenerator((1, 28, 28), classes=0), "classes: 0; .*the dataset needs labels"),
    (lambda: ResNetGenerator((1, 28, 28), classes=0, norm="none"), "classes: 0; .*the dataset needs labels"),
    (lambda: ResNetGenerator((1, 5, 28)), r"pictures of 5x28 .*nearest size is 7x28"),
    (lambda: ResNetDiscriminator((1, 28, 28), classes=0), "classes: 0; .*the dataset needs labels"),
    (lambda: ResNetDiscriminator((1, 28, 28), attention=2), "attention: 2; the maps"),
    (lambda: ResNetDiscriminator((1, 28, 28), last_blocks=0), "last_blocks: 0; must be 1 or more"),
    (lambda: BigGANGenerator((1, 28, 28), noise_size=3), "noise_size: 3; must be 4 or more"),
    (lambda: BigGANGenerator((1, 28, 28), classes=0), "classes: 0; .*the dataset needs labels"),
    (lambda: R3GANGenerator((1, 28, 28), width=5, expansion=1), "group_size: 16; must divide"),
    (lambda: R3GANGenerator((1, 28, 28), blocks=0), "blocks: 0; must be 1 or more"),
    (lambda: R3GANDiscriminator((1, 28, 28), classes=0), "classes: 0; .*the dataset needs labels"),
    (lambda: R3GANDiscriminator((1, 28, 28), embedding_size=0), "embedding_size: 0; must be 1 or more"),
]


@pytest.mark.parametrize(("make", "words"), WRONG)
def test_impossible_settings_are_refused(make: Callable[[], nn.Module], words: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        make()
