"""Growth by images seen: the table, the fade, what the reals look like, batch sizes, and a game that grows."""

from copy import deepcopy

import pytest
import torch

from ganctl.data.batch import Images
from ganctl.ema import Average
from ganctl.games.game import Clock, Wish
from ganctl.games.growth import Growth, Progressive
from ganctl.games.latent import LatentGame
from ganctl.games.prior import Gaussian
from ganctl.losses.adversarial import NonSaturating
from ganctl.losses.regularizers import R1
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganctl.networks.interfaces import Growing
from ganctl.networks.progan import ProGANDiscriminator, ProGANGenerator
from ganctl.networks.stylegan import StyleGANDiscriminator, StyleGANGenerator

NOISE, SMALL = 6, {"width": 4, "max_width": 8}
PLAYING = frozenset({"discriminator", "generator"})


def networks(name: str, shape: tuple[int, int, int]) -> tuple[Growing, Growing]:
    if name == "progan":
        return ProGANGenerator(shape, noise_size=NOISE, **SMALL), ProGANDiscriminator(shape, **SMALL)
    generator = StyleGANGenerator(shape, noise_size=NOISE, style_size=5, depth=2, **SMALL)
    return generator, StyleGANDiscriminator(shape, **SMALL)


def game(name: str = "progan", shape: tuple[int, int, int] = (1, 16, 16), **growth: object) -> LatentGame:
    schedule = Progressive(**{"stable_images": 100, "fade_images": 50, **growth})
    generator, discriminator = networks(name, shape)
    return LatentGame(
        generator, discriminator, Gaussian(NOISE), NonSaturating(), NoAugment(), penalties=[R1(1.0)], growth=schedule
    )


@pytest.mark.parametrize(
    ("images", "position"),
    [
        (0, 0), (99, 0), (100, 0), (110, 0.2), (125, 0.5), (149, 0.98), (150, 1), (249, 1), (250, 1), (275, 1.5),
        (300, 2), (400, 2), (10**9, 2),
    ],
)  # fmt: skip
def test_the_table_of_growth(images, position):
    # 4, 8, 16: stable to 100, fade to 150, stable to 250, fade to 300, and full size for ever.
    assert game().growth.position(images) == pytest.approx(position)


def test_growth_may_begin_at_a_larger_size():
    grown = game(begin=8).growth
    assert [grown.position(images) for images in (0, 99, 125, 150, 10**6)] == [1, 1, 1.5, 2, 2]
    assert game(begin=99).growth.position(0) == 2


@pytest.mark.parametrize(
    ("images", "end"),
    [(99, "4x4"), (125, "8x8 faded in by 50%"), (249, "8x8"), (299, "16x16 faded in by 98%"), (300, None)],
)
def test_a_length_that_ends_before_the_full_size_is_told(images, end):
    """8x8 fades in from 100 to 150 images, 16x16 from 250 to 300."""
    told = "16x16 is faded in from 250 images on and stands alone from 300; set images=300 or more, or lower "
    settings = "model.game.growth.stable_images and model.game.growth.fade_images"
    expected = [f"growth: {images} images end at {end}; {told}{settings}"] if end else []
    assert game().notices(images) == expected


def test_growth_that_begins_at_full_size_needs_no_length():
    assert game(begin=99).notices(1) == []


def test_batch_sizes_by_side():
    playing = game(batch_sizes={8: 6, 16: 3})
    assert [playing.batch_size(images, 10) for images in (0, 100, 101, 200, 251, 10**6)] == [10, 10, 6, 6, 3, 3]
    assert game().batch_size(10**6, 10) == 10
    assert playing.batch_sizes(10) == {10, 6, 3}
    assert game().batch_sizes(10) == {10}


@pytest.mark.parametrize("name", ["progan", "stylegan"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 100, 100), (2, 96, 32)], ids=str)
def test_a_fade_begins_at_the_smaller_size_and_ends_at_the_larger(name, shape):
    generator, discriminator = (network.eval() for network in networks(name, shape))
    noise, last = torch.randn(2, NOISE), len(generator.sizes) - 1
    for stage in range(1, last + 1):
        before, after = generator.sizes[stage - 1], generator.sizes[stage]
        generator.grow(stage - 1)
        small = generator(noise)
        assert small.shape == (2, shape[0], *before)
        generator.grow(stage - 1 + 1e-6)
        beginning = generator(noise)
        # The nearest pixel of the smaller picture, as index arithmetic.
        rows, columns = (torch.arange(side) // 2 for side in after)
        torch.testing.assert_close(beginning, small[:, :, rows][:, :, :, columns], atol=1e-4, rtol=1e-3)
        generator.grow(stage - 1e-6)
        ending = generator(noise)
        generator.grow(stage)
        torch.testing.assert_close(ending, generator(noise), atol=1e-4, rtol=1e-3)

        image = torch.randn(2, shape[0], *before)
        discriminator.grow(stage - 1)
        score = discriminator(image)
        discriminator.grow(stage - 1 + 1e-6)
        torch.testing.assert_close(discriminator(image[:, :, rows][:, :, :, columns]), score, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["progan", "stylegan"])
def test_every_parameter_learns_at_some_stage(name):
    generator, discriminator = networks(name, (3, 20, 28))
    for position in (0, 0.5, 1, 1.5, 2):
        for network in (generator, discriminator):
            network.grow(position)
        discriminator(generator(torch.randn(3, NOISE))).sum().backward()
    for network in (generator, discriminator):
        assert not [name for name, parameter in network.named_parameters() if parameter.grad is None]


def test_the_position_travels_in_the_checkpoint():
    grown, _ = networks("progan", (1, 16, 16))
    grown.grow(0.25)
    fresh, _ = networks("progan", (1, 16, 16))
    assert fresh.stage() == (2, 1.0)
    fresh.load_state_dict(grown.state_dict())
    assert fresh.stage() == (1, 0.25)


def test_a_grown_network_asks_no_device_where_it_stands():
    for network in networks("progan", (1, 16, 16)):
        network.grow(1.25)
        network.position = network.position.to("meta")  # which has no value to ask for
        assert network.stage() == (2, 0.25)


def test_copies_of_a_grown_network_stand_where_they_should():
    playing, average = game(), Average()
    generator = playing.generator
    playing.advance(Clock(125, 0))
    average.follow(playing)
    average.settle(playing)
    assert average.copies["generator"].stage() == generator.stage() == (1, 0.5)
    for images in (140, 260, 275):
        playing.advance(Clock(images, 0))
        average.update(images, 1)
        copy = average.copies["generator"]
        assert copy.stage() == generator.stage() == deepcopy(generator).stage() == deepcopy(copy).stage()
    fresh = networks("progan", (1, 16, 16))[0]
    fresh.grow(0)
    fresh.load_state_dict(generator.state_dict())
    assert fresh.stage() == (2, 0.5)


def test_reals_follow_the_fakes():
    playing = game()
    columns = torch.arange(16.0).expand(16, 16)[None, None]  # pixel = its column
    playing.advance(Clock(0, 0))
    small = playing.growth.follow(columns)
    assert small[0, 0, 0].tolist() == [1.5, 5.5, 9.5, 13.5]  # means of 4 columns
    playing.advance(Clock(125, 0))  # 8 x 8, weight 1/2: half the means of 2 columns, half those of 4
    assert playing.growth.follow(columns)[0, 0, 0, :4].tolist() == [1.0, 2.0, 5.0, 6.0]
    playing.advance(Clock(10**6, 0))
    assert playing.growth.follow(columns) is columns


@pytest.mark.parametrize("name", ["progan", "stylegan"])
def test_a_game_grows_through_its_rounds(name):
    playing = game(name, (2, 16, 14))
    batch = Images(torch.rand(4, 2, 16, 14) * 2 - 1)
    seen = []
    for images, size in ((0, (4, 4)), (120, (8, 7)), (260, (16, 14)), (10**6, (16, 14))):
        clock = Clock(images, 0)
        playing.advance(clock)
        round = playing.deal(batch, PLAYING, clock)
        assert round.real.shape == round.fake.shape == (4, 2, *size)
        for turn in playing.turns():
            assert torch.isfinite(turn.loss(round).total)
        inputs = playing.request(Wish(2), torch.Generator().manual_seed(0))
        assert playing.eval().paint(inputs).shape == (2, 2, 16, 14)
        seen.append(playing.train().status())
    assert seen == ["4x4", "8x7 faded in by 40%", "16x14 faded in by 20%", "16x14"]


def test_networks_that_cannot_grow_are_refused():
    generator, discriminator = networks("progan", (1, 16, 16))
    with pytest.raises(ValueError, match="DCGANGenerator cannot grow"):
        Progressive().attach(DCGANGenerator((1, 16, 16)), discriminator)
    with pytest.raises(ValueError, match="DCGANDiscriminator cannot grow"):
        Progressive().attach(generator, DCGANDiscriminator((1, 16, 16)))
    with pytest.raises(ValueError, match="fade_images"):
        Progressive(fade_images=0)
    with pytest.raises(ValueError, match="batch_sizes"):
        Progressive(batch_sizes={8: 0})


def test_without_growth_nothing_changes():
    image = torch.rand(1, 1, 8, 8)
    assert Growth().follow(image) is image
    assert Growth().enlarge(image) is image
    assert Growth().batch_size(10, 64) == 64
    assert Growth().status() == ""
