"""Scores, penalties and augmentation of a contest; parts that are fine alone and mean nothing together: refused."""

import pytest
import torch
from torch import Tensor

from ganctl.games.contest import Contest
from ganctl.games.game import Clock
from ganctl.losses.adversarial import NonSaturating, RelativisticPairing, Wasserstein
from ganctl.losses.regularizers import R1, GradientPenalty
from ganctl.networks.ada import ADA
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator
from ganctl.networks.interfaces import Discriminator
from ganctl.networks.resnet import ResNetDiscriminator
from ganctl.networks.wrappers import Clipped

SHAPE = (1, 16, 16)


def plain(norm: str = "none") -> DCGANDiscriminator:
    return DCGANDiscriminator(SHAPE, width=4, norm=norm)  # type: ignore[arg-type]


class Mean(Discriminator):
    """Scores a picture by its mean."""

    feature_size = 1

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image.mean((1, 2, 3))

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return features


@pytest.mark.parametrize(("real", "strength"), [(1.0, 0.032), (-1.0, 0.0)])
def test_adaptive_augmentation_hears_the_scores_of_reals(real: float, strength: float) -> None:
    """Four rounds of 8 of 1,000 images raise it by 0.032 where all reals score above 0; fakes score the opposite."""
    augment = ADA(ramp_images=1000)
    contest = Contest(Mean(), NonSaturating(), augment)
    pictures = torch.full((8, *SHAPE), real)
    for number in range(4):
        augment.advance(8 * number)
        contest.tell_apart(pictures, -pictures, Clock(8 * number, number), "critic")
    augment.advance(32)
    assert augment.strength.item() == pytest.approx(strength)


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


class Noted(RelativisticPairing):
    """Notes in which precision scores come."""

    def __init__(self) -> None:
        self.seen: set[torch.dtype] = set()

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        self.seen |= {real.dtype, fake.dtype}
        return super().discriminator(real, fake)

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        assert real is not None
        self.seen |= {real.dtype, fake.dtype}
        return super().generator(fake, real)


def test_losses_take_their_differences_in_fp32_whatever_the_discriminator_says() -> None:
    adversarial, image = Noted(), torch.randn(2, *SHAPE)
    contest = Contest(plain(), adversarial, NoAugment())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert contest.discriminator(image).dtype == torch.bfloat16
        contest.tell_apart(image, -image, Clock(0, 0), "discriminator")
        contest.pass_off(-image, image)
    assert adversarial.seen == {torch.float32}


def test_a_compiled_discriminator_can_be_penalised() -> None:
    """Compiled code is differentiated once only, and a gradient penalty needs it twice."""
    image = torch.randn(2, *SHAPE)
    contest = Contest(plain(), Wasserstein(), NoAugment(), [GradientPenalty(), R1(1.0)])
    contest.discriminator.compile(backend="aot_eager")  # PyTorch's restrictions without a C++ compiler
    contest.pass_off(-image, image).backward()
    contest.tell_apart(image, -image, Clock(0, 0), "discriminator").total.backward()
    assert all(parameter.grad is not None for parameter in contest.discriminator.parameters())
