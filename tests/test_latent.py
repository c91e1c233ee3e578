"""Noise to image: the losses of both turns by hand, augmented pictures on both sides, penalties when they are due."""

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn
from torch.nn.functional import softplus

from ganctl.data.batch import Images
from ganctl.games.game import Clock
from ganctl.games.latent import LatentGame
from ganctl.games.prior import Gaussian
from ganctl.losses.adversarial import NonSaturating, RelativisticPairing
from ganctl.losses.orthogonal import Orthogonal
from ganctl.networks.augment import NoAugment
from ganctl.networks.interfaces import Discriminator, Generator

BOTH = frozenset(("discriminator", "generator"))
START = Clock(0, 0)


class Pair(Generator):
    """Two pixels, linear in the noise, by filters (3, 4) and (1, 0), whose overlap is 2 * 3^2 = 18."""

    noise_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return (noise @ self.weight.T)[:, None, None]


class Mean(Discriminator):
    """Scores a picture by its mean."""

    feature_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image.mean((1, 2, 3))[:, None]

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return (self.weight * features).squeeze(1)


def game(**settings: object) -> LatentGame:
    parts: dict[str, object] = {
        "generator": Pair(),
        "discriminator": Mean(),
        "prior": Gaussian(2),
        "adversarial": NonSaturating(),
        "augment": NoAugment(),
    }
    return LatentGame(**(parts | settings))  # type: ignore[arg-type]


def batch() -> Images:
    """Pictures of the mean 2 and 4."""
    return Images(torch.tensor([[1.0, 3.0], [4.0, 4.0]])[:, None, None])


def test_both_turns_see_augmented_pictures() -> None:
    """Reals count 1 and 2, each fake half its mean."""
    played = game(augment=Halved())
    round = played.deal(batch(), BOTH, START)
    real, fake = torch.tensor([1.0, 2.0]), round.fake.detach().mean((1, 2, 3)) / 2
    told = played.discriminator_loss(round).terms["adversarial"]
    torch.testing.assert_close(told.detach(), softplus(-real).mean() + softplus(fake).mean())
    passed = played.generator_loss(round).terms["adversarial"]
    torch.testing.assert_close(passed.detach(), softplus(-fake).mean())


def test_a_relativistic_loss_sees_augmented_reals_in_the_generators_turn() -> None:
    played = game(augment=Halved(), adversarial=RelativisticPairing())
    round = played.deal(batch(), BOTH, START)
    real, fake = torch.tensor([1.0, 2.0]), round.fake.detach().mean((1, 2, 3)) / 2
    passed = played.generator_loss(round).terms["adversarial"]
    torch.testing.assert_close(passed.detach(), softplus(real - fake).mean())


@pytest.mark.parametrize(
    ("clock", "due"),
    [
        (Clock(0, 0), True),
        (Clock(64, 1), False),
        (Clock(128, 2), True),
        # the generator plays in every second round: for the first, second and third time after 1, 3 and 5 rounds
        (Clock(64, 1, {"generator": 2}), True),
        (Clock(192, 3, {"generator": 2}), False),
        (Clock(320, 5, {"generator": 2}), True),
    ],
)
def test_a_generators_penalty_is_in_its_loss_when_it_is_due(clock: Clock, due: bool) -> None:
    """An overlap of 18, counted twice in every second of its turns; then it moves the weights too."""
    played = game(generator_penalties=[Orthogonal(weight=1.0, every=2)])
    outcome = played.generator_loss(played.deal(batch(), BOTH, clock))
    penalty = outcome.terms.get("Orthogonal", torch.zeros(()))
    assert penalty.item() == (36.0 if due else 0.0)
    torch.testing.assert_close(outcome.total, outcome.terms["adversarial"] + penalty)
    assert set(outcome.terms) == ({"adversarial", "Orthogonal"} if due else {"adversarial"})


def test_a_generators_penalty_reads_this_games_generator() -> None:
    """d/dw of 2 * 2 (w1 . w2)^2 = 8 * 3 * (the other filter): 24 (1, 0) and 24 (3, 4)."""
    played = game(generator_penalties=[Orthogonal(weight=1.0, every=2)])
    played.generator_loss(played.deal(batch(), BOTH, START)).terms["Orthogonal"].backward()
    assert played.generator.weight.grad.tolist() == [[24.0, 0.0], [72.0, 96.0]]
