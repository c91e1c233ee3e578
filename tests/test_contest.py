"""Parts of a contest that each are fine and together mean nothing: refused, with the way out."""

import pytest

from ganctl.games.contest import Contest
from ganctl.losses.adversarial import NonSaturating, Wasserstein
from ganctl.losses.regularizers import R1, GradientPenalty
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator
from ganctl.networks.interfaces import Discriminator
from ganctl.networks.resnet import ResNetDiscriminator
from ganctl.networks.wrappers import Clipped

SHAPE = (1, 16, 16)


def plain(norm: str = "none") -> DCGANDiscriminator:
    return DCGANDiscriminator(SHAPE, width=4, norm=norm)  # type: ignore[arg-type]


def test_wasserstein_needs_something_that_holds_the_critics_slope() -> None:
    with pytest.raises(ValueError, match=r"^adversarial: Wasserstein needs.*choose loss=wgan_gp, or model=wgan$"):
        Contest(plain(), Wasserstein(), NoAugment())


@pytest.mark.parametrize(
    "critic",
    [Clipped(plain("batch"), 0.01), ResNetDiscriminator(SHAPE, width=4, max_width=4, spectral_norm=True)],
)
def test_clipped_weights_and_spectral_norm_hold_it(critic: Discriminator) -> None:
    Contest(critic, Wasserstein(), NoAugment())


def test_a_gradient_penalty_holds_it() -> None:
    Contest(plain(), Wasserstein(), NoAugment(), [GradientPenalty()])


@pytest.mark.parametrize(
    ("critic", "key"),
    [
        (plain("batch"), "model.game.discriminator.norm"),
        (Clipped(plain("batch"), 0.01), "model.game.discriminator.network.norm"),
    ],
)
def test_a_penalty_beside_batch_norm_names_the_key_that_helps(critic: Discriminator, key: str) -> None:
    with pytest.raises(ValueError, match=rf"^penalties: R1 needs.*; set {key}=none, "):
        Contest(critic, NonSaturating(), NoAugment(), [R1(1.0)])
