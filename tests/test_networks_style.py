"""ProGAN, StyleGAN and StyleGAN2: their layers by hand, any size and channels, published parameter counts."""

from importlib import import_module
from math import sqrt

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from ganctl.networks.equalized import (
    DoublingConv,
    EqualizedConv,
    EqualizedLinear,
    HalvingConv,
    MinibatchStddev,
    NoiseInjection,
    PixelNorm,
    ProjectionScore,
)
from ganctl.networks.interfaces import Discriminator, Generator, Growing, Shape
from ganctl.networks.progan import ProGANDiscriminator, ProGANGenerator
from ganctl.networks.resampling import Blur, Doubling, FilteredDoublingConv, FilteredHalvingConv, Halving
from ganctl.networks.stylegan import StyledLayer, StyleGANDiscriminator, StyleGANGenerator
from ganctl.networks.stylegan2 import (
    StyledConv,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    demodulation,
    modulated,
)

SHAPES = [(1, 28, 28), (2, 32, 32), (3, 64, 64), (4, 100, 100), (3, 96, 32), (1, 7, 9)]
SMALL = {"width": 4, "max_width": 8}
NOISE = 6


def generators(shape: Shape, classes: int | None = None) -> dict[str, Generator]:
    styled = {**SMALL, "noise_size": NOISE, "style_size": 5, "depth": 2, "classes": classes}
    return {
        "progan": ProGANGenerator(shape, noise_size=NOISE, **SMALL, classes=classes),
        "stylegan": StyleGANGenerator(shape, **styled),
        "stylegan2 skip": StyleGAN2Generator(shape, **styled),
        "stylegan2 residual": StyleGAN2Generator(shape, **styled, form="residual"),
        "stylegan2 original": StyleGAN2Generator(shape, **styled, form="original"),
    }


def discriminators(shape: Shape, classes: int | None = None) -> dict[str, Discriminator]:
    return {
        "progan": ProGANDiscriminator(shape, **SMALL, classes=classes),
        "stylegan": StyleGANDiscriminator(shape, **SMALL, classes=classes),
        "stylegan2 residual": StyleGAN2Discriminator(shape, **SMALL, classes=classes),
        "stylegan2 skip": StyleGAN2Discriminator(shape, **SMALL, classes=classes, form="skip"),
        "stylegan2 original": StyleGAN2Discriminator(shape, **SMALL, classes=classes, form="original"),
    }


def untouched(network: nn.Module) -> list[str]:
    """Parameters without a gradient."""
    return [name for name, parameter in network.named_parameters() if parameter.grad is None]


def start_noise(network: nn.Module) -> None:
    """Noise strengths begin at zero, where a picture does not depend on its noise."""
    for module in network.modules():
        if isinstance(module, NoiseInjection):
            nn.init.ones_(module.strength)


# Layers by hand


def test_equalized_weights_are_standard_normal_and_scaled_at_run_time():
    layer = EqualizedLinear(400, 100, gain=2.0, rate=0.01)
    assert layer.weight.std().item() == pytest.approx(100, rel=0.05)  # 1 / rate
    out = layer(torch.randn(64, 400))
    assert out.std().item() == pytest.approx(2.0, rel=0.05)  # gain, for inputs of unit variance
    convolution = EqualizedConv(50, 40)
    assert convolution.weight.std().item() == pytest.approx(1.0, rel=0.05)
    assert convolution(torch.randn(8, 50, 9, 9))[..., 1:-1, 1:-1].std().item() == pytest.approx(1.0, rel=0.1)


def test_a_learning_rate_multiplier_scales_the_effective_step():
    plain, slow = EqualizedLinear(3, 2), EqualizedLinear(3, 2, rate=0.01, bias=0.5)
    assert slow(torch.zeros(1, 3)).flatten().tolist() == pytest.approx([0.5, 0.5])
    for layer, moved in ((plain, 1.0), (slow, 0.01)):
        before = layer(torch.zeros(1, 3)).detach()
        with torch.no_grad():
            layer.bias += 1.0  # what one Adam step of learning rate 1 does
        assert (layer(torch.zeros(1, 3)) - before).flatten().tolist() == pytest.approx([moved, moved], rel=1e-4)


def test_pixel_norm_by_hand():
    image = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    assert PixelNorm()(image).flatten().tolist() == pytest.approx([3 / sqrt(12.5), 4 / sqrt(12.5)])


def test_minibatch_stddev_by_hand():
    # One group of two pictures, channels 0 and 1: deviations |a - b| / 2 = 1 and 3, mean 2.
    image = torch.tensor([[0.0, 1.0], [2.0, 7.0]]).reshape(2, 2, 1, 1)
    appended = MinibatchStddev(group=4)(image)
    assert appended.shape == (2, 3, 1, 1)
    assert appended[:, 2].flatten().tolist() == pytest.approx([2.0, 2.0], abs=1e-4)
    assert torch.equal(appended[:, :2], image)
    assert MinibatchStddev(group=4, channels=2)(image)[:, 2:, 0, 0].tolist() == [pytest.approx([1, 3], abs=1e-4)] * 2


def test_minibatch_stddev_cuts_any_batch_into_even_groups():
    # Five pictures in groups of at most four: {0, 1, 2} and {3, 4}; deviations sqrt(2/3) and 1/2.
    image = torch.tensor([0.0, 1.0, 2.0, 10.0, 11.0]).reshape(5, 1, 1, 1)
    maps = MinibatchStddev(group=4)(image)[:, 1].flatten()
    assert maps.tolist() == pytest.approx([sqrt(2 / 3)] * 3 + [0.5] * 2, abs=1e-4)
    for count in range(1, 10):
        assert MinibatchStddev(group=4)(torch.randn(count, 3, 2, 2)).shape == (count, 4, 2, 2)


def test_fused_convolutions_equal_their_two_steps():
    image = torch.randn(2, 3, 6, 4)
    double = DoublingConv(3, 5, size=(12, 8))
    expected = conv2d(interpolate(image, scale_factor=2), double.scaled(), double.bias, padding=1)
    torch.testing.assert_close(double(image), expected)
    halve = HalvingConv(3, 5)
    expected = avg_pool2d(conv2d(image, halve.scaled(), halve.bias, padding=1), 2)
    torch.testing.assert_close(halve(image), expected)


def test_filters_keep_a_flat_picture_flat_and_fit_any_size():
    flat = torch.ones(1, 2, 9, 12)
    for filtered in (Blur()(flat), Blur((1, 2, 1))(flat), Halving()(flat), Doubling((18, 23))(flat)):
        torch.testing.assert_close(filtered[..., 2:-2, 2:-2], torch.ones_like(filtered[..., 2:-2, 2:-2]))
    assert Blur((1, 2, 1))(flat).shape == Blur()(flat).shape == flat.shape
    assert Doubling((18, 23))(flat).shape == (1, 2, 18, 23)
    assert Halving()(flat).shape == FilteredHalvingConv(2, 2)(flat).shape == (1, 2, 5, 6)
    assert FilteredDoublingConv(2, 2, size=(17, 24))(flat).shape == (1, 2, 17, 24)


def test_doubling_with_four_taps_is_linear_interpolation():
    image = torch.randn(1, 3, 5, 5)
    linear = interpolate(image, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(Doubling((10, 10))(image)[..., 1:-1, 1:-1], linear[..., 1:-1, 1:-1])


def test_halving_by_hand():
    # Taps (1, 3, 3, 1) / 8 around each pair: row 0 0 8 8 0 0 -> (0*3 + 0*3 + 8) / 8, (3*8 + 3*8) / 8, (8 + 0 + 0) / 8.
    row = torch.tensor([0.0, 0, 8, 8, 0, 0]).expand(6, 6)[None, None]
    assert Halving()(row)[0, 0, 1].tolist() == pytest.approx([1.0, 6.0, 1.0])


def test_demodulation_by_hand():
    # Weights [1, 2] of one output, scales [3, 0.5]: 1 / sqrt((1*3)^2 + (2*0.5)^2) = 1 / sqrt(10).
    weight, scale = torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1), torch.tensor([[3.0, 0.5]])
    assert demodulation(weight, scale).item() == pytest.approx(1 / sqrt(10))


def test_a_styled_convolution_keeps_the_variance_whatever_the_styles_length():
    """Ten times the scales give the same picture. Of unit variance, times sqrt(2), through a leaky ReLU of 0.2:

    half of 2 * 1 and half of 2 * 0.04 remain, a mean square of 1.04.
    """
    torch.manual_seed(0)
    layer = StyledConv(EqualizedConv(16, 64, bias=False), (32, 32), style_size=5)
    nn.init.zeros_(layer.affine.bias)  # then a style's scale is that of all channels
    image, style = torch.randn(4, 16, 32, 32), torch.randn(4, 5)
    styled = layer(image, style)
    torch.testing.assert_close(layer(image, 10 * style), styled, rtol=1e-4, atol=1e-4)
    inside = styled[..., 1:-1, 1:-1]  # beyond the border there is nothing
    assert inside.square().mean().item() == pytest.approx(1.04, rel=0.03)


def test_adaptive_instance_norm_gives_each_channel_its_styles_mean_and_deviation():
    """Karras et al. 2019, eq. 1: of any picture; a scale of 0 leaves a deviation of 1."""
    torch.manual_seed(0)
    layer = StyledLayer(nn.Identity(), channels=3, size=(9, 7), style_size=5)
    image, style = 4 + 3 * torch.randn(2, 3, 9, 7), torch.randn(2, 5)
    scale, shift = layer.affine(style).chunk(2, 1)
    styled = layer(image, style)
    torch.testing.assert_close(styled.mean((2, 3)), shift)
    torch.testing.assert_close(styled.std((2, 3), correction=0), (1 + scale).abs())


def test_scaling_the_picture_equals_scaling_the_weights():
    image, scale, convolution = torch.randn(2, 3, 5, 5), torch.randn(2, 3), EqualizedConv(3, 4, bias=False)
    for index in range(2):
        weight = convolution.scaled() * scale[index][None, :, None, None]
        expected = conv2d(image[index : index + 1], weight, padding=1)
        torch.testing.assert_close(modulated(convolution, image, scale)[index : index + 1], expected)


def test_noise_is_fresh_in_training_and_the_same_for_every_picture_in_eval():
    noise = NoiseInjection((3, 3))
    start_noise(noise)
    image = torch.zeros(2, 4, 3, 3)
    one, two = noise(image)
    assert torch.equal(one[0], one[3])
    assert not torch.equal(one, two)
    one, two = noise.eval()(image)
    assert torch.equal(one, two)
    assert torch.equal(one[0], noise.fixed[0, 0])


def test_projection_by_hand():
    scoring = ProjectionScore(4, classes=2)
    features = torch.randn(3, 4)
    label = torch.tensor([0, 1, 1])
    rows = scoring.embedding.weight[label]
    expected = scoring.linear(features).squeeze(1) + (features * rows).sum(1) / 2
    torch.testing.assert_close(scoring(features, label), expected)
    attributes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    torch.testing.assert_close(scoring(features, attributes), expected)


# Whole networks


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_size_and_channels_forward_and_backward(shape):
    for name, generator in generators(shape).items():
        discriminator = discriminators(shape)[name]
        image = generator(torch.randn(3, NOISE))
        assert image.shape == (3, *shape), name
        score = discriminator(image)
        assert score.shape == (3,)
        score.sum().backward()
        assert torch.isfinite(image).all()
        if not isinstance(generator, Growing):  # its smaller sizes are at work while it grows: test_growth
            assert not untouched(generator), name
            assert not untouched(discriminator), name
        assert len(generator.stages()) == len(discriminator.stages())
        assert generator.stages()[-1][1:] == discriminator.stages()[0][1:] == tuple(shape[1:])


@pytest.mark.parametrize("name", generators((1, 8, 8)))
def test_labels_reach_picture_and_score(name):
    generator, discriminator = generators((1, 8, 8), classes=3)[name].eval(), discriminators((1, 8, 8), classes=3)[name]
    noise = torch.randn(1, NOISE).expand(2, -1)
    one, two = generator(noise, torch.tensor([0, 1]))
    assert not torch.allclose(one, two, atol=1e-6)
    score = discriminator(torch.randn(1, 1, 8, 8).expand(2, -1, -1, -1), torch.tensor([0, 1]))
    assert score[0] != score[1]
    both = torch.eye(3)[:2]
    torch.testing.assert_close(generator(noise, both), torch.stack((one, two)))
    with pytest.raises(ValueError, match="no label"):
        generator(noise)
    with pytest.raises(ValueError, match="classes: 0"):
        generators((1, 8, 8), classes=0)


@pytest.mark.parametrize("name", generators((1, 8, 8)))
def test_a_picture_does_not_depend_on_its_batch_mates_in_eval_mode(name):
    generator = generators((3, 12, 20))[name]
    start_noise(generator)
    generator.double().eval()  # in fp32 the order of sums depends on the batch
    noise = torch.randn(4, NOISE, dtype=torch.float64)
    together = generator(noise)
    alone = torch.cat([generator(one) for one in noise.split(1)])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", discriminators((1, 8, 8)))
def test_the_input_gradient_can_be_differentiated_again(name):
    discriminator = discriminators((2, 13, 16))[name]
    image = torch.randn(3, 2, 13, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(discriminator(image).sum(), image, create_graph=True)
    gradient.square().sum().backward()
    weights = [p for n, p in discriminator.named_parameters() if n.endswith("weight") and p.grad is not None]
    assert weights
    assert all(torch.isfinite(weight.grad).all() for weight in weights)
    assert any(weight.grad.abs().sum() > 0 for weight in weights)


def test_styles_are_mixed_only_in_training():
    generator = StyleGAN2Generator((1, 16, 16), noise_size=NOISE, style_size=5, depth=2, mixing=1.0, **SMALL)
    handed: list[Tensor] = []
    generator.synthesis = handed.append  # type: ignore[method-assign]
    generator(torch.randn(64, NOISE))
    styles = handed.pop()
    changes = (styles[:, 1:] != styles[:, :-1]).any(2)  # [64, layers - 1]
    assert (changes.sum(1) == 1).all()  # one crossover a picture
    assert changes.any(0).all()  # at every layer for some picture
    generator.eval()(torch.randn(4, NOISE))
    styles = handed.pop()
    assert torch.equal(styles[:, 1:], styles[:, :-1])


def test_the_mean_style_follows_the_mapping_in_training():
    generator = StyleGAN2Generator((1, 8, 8), noise_size=NOISE, style_size=5, depth=2, mixing=0.0, **SMALL)
    noise = torch.randn(16, NOISE)
    generator(noise)
    torch.testing.assert_close(generator.mean_style, 0.005 * generator.mapping(noise).mean(0))
    before = generator.mean_style.clone()
    generator.eval()(noise)
    assert torch.equal(generator.mean_style, before)


@pytest.mark.parametrize(
    ("make", "published"),
    [
        (lambda: ProGANGenerator((3, 1024, 1024)), 23.1),  # Karras et al. 2018, table 2
        (lambda: ProGANDiscriminator((3, 1024, 1024)), 23.1),  # Karras et al. 2018, table 2
        (lambda: StyleGANGenerator((3, 1024, 1024)), 26.2),  # Karras et al. 2019, section 2
        (lambda: StyleGAN2Generator((3, 1024, 1024)), 30.37),  # printed by the authors' code; the paper rounds to 30
        (lambda: StyleGAN2Discriminator((3, 1024, 1024)), 29.01),  # printed by the authors' code; the paper: 29
        (lambda: StyleGAN2Generator((3, 1024, 1024), width=16), 24.9),  # Karras et al. 2020, section 4.1: 25 M
        (lambda: StyleGAN2Discriminator((3, 1024, 1024), width=16), 24.0),  # Karras et al. 2020, section 4.1: 24 M
    ],
)
def test_parameter_counts_of_the_papers(make, published):
    with torch.device("meta"):
        network = make()
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    digits = len(str(published).partition(".")[2])
    assert round(millions, digits) == published


def test_impossible_settings_are_refused_in_words():
    with pytest.raises(ValueError, match="too small"):
        ProGANGenerator((3, 4, 4))
    with pytest.raises(ValueError, match="width: 64; must be 1 or more and at most max_width"):
        StyleGAN2Generator((3, 32, 32), width=64, max_width=32)
    with pytest.raises(ValueError, match="mixing: 2"):
        StyleGAN2Generator((3, 32, 32), mixing=2)
    with pytest.raises(ValueError, match="depth: 0"):
        StyleGANGenerator((3, 32, 32), depth=0)


@pytest.mark.parametrize("family", ["progan.ProGAN", "r3gan.R3GAN", "stylegan.StyleGAN", "stylegan2.StyleGAN2"])
def test_a_tanh_end_is_that_of_the_linear_one(family: str) -> None:
    module, name = family.split(".")
    generator = getattr(import_module(f"ganctl.networks.{module}"), f"{name}Generator")
    pictures = []
    for output in ("linear", "tanh"):
        torch.manual_seed(0)
        made = generator((1, 16, 16), noise_size=8, output=output)  # in training: nothing is clamped
        torch.manual_seed(1)
        pictures.append(made(torch.randn(2, 8)))
    assert torch.allclose(pictures[1], pictures[0].tanh(), atol=1e-6)
    assert pictures[0].abs().max() > 1e-3
