"""Every adversarial loss and penalty against a number derived by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganctl.losses import regularizers
from ganctl.losses.adversarial import (
    AdversarialLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticPairing,
    Wasserstein,
)
from ganctl.losses.generator_penalties import Creation
from ganctl.losses.orthogonal import Orthogonal, OrthogonalCritic, filters, overlap
from ganctl.losses.regularizers import (
    R1,
    R2,
    BalancedConsistency,
    Consistency,
    Critique,
    Drift,
    GradientPenalty,
    LeCam,
    Regularizer,
)
from ganctl.schedules import Linear

ALL = (NonSaturating(), Minimax(), LeastSquares(), Hinge(), Wasserstein(), RelativisticPairing())
REAL, FAKE = torch.tensor([0.0, math.log(3)]), torch.tensor([0.0, -math.log(3)])
LOG_2, LOG_4_3 = math.log(2), math.log(4 / 3)  # softplus(0); softplus(-log 3) = log(1 + 1/3)


@pytest.mark.parametrize(
    ("loss", "discriminator", "generator"),
    [
        # softplus(-REAL) = log 2, log 4/3; softplus(FAKE) = log 2, log 4/3; softplus(-FAKE) = log 2, log(1 + 3)
        (NonSaturating(), LOG_2 + LOG_4_3, (LOG_2 + math.log(4)) / 2),
        # the generator lowers the mean of log(1 - D) = -softplus(FAKE)
        (Minimax(), LOG_2 + LOG_4_3, -(LOG_2 + LOG_4_3) / 2),
        # with s = log 3: ((1 + (s - 1)^2) / 2 + s^2 / 2) / 2 and (1 + (s + 1)^2) / 4
        (
            LeastSquares(),
            (1 + (math.log(3) - 1) ** 2 + math.log(3) ** 2) / 4,
            (1 + (math.log(3) + 1) ** 2) / 4,
        ),
        # s = 1.0986 > 1: relu(1 - REAL) = 1, 0; relu(1 + FAKE) = 1, 0
        (Hinge(), 1.0, math.log(3) / 2),
        (Wasserstein(), -math.log(3), math.log(3) / 2),
        # FAKE - REAL = 0, -2 log 3: softplus = log 2, log(1 + 1/9); the other way log 2, log(1 + 9)
        (RelativisticPairing(), (LOG_2 + math.log(10 / 9)) / 2, (LOG_2 + math.log(10)) / 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AdversarialLoss) else "",
)
def test_values(loss: AdversarialLoss, discriminator: float, generator: float) -> None:
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, rel=1e-5)
    assert loss.generator(FAKE, REAL).item() == pytest.approx(generator, rel=1e-5)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_far_scores_stay_finite(loss: AdversarialLoss) -> None:
    """Scores of +-1e4 in either order, as [B] and as patches [B, h, w], have finite losses and gradients."""
    for sign in (-1, 1):
        for shape in ((4,), (2, 3, 3)):
            real = torch.full(shape, sign * 1e4, requires_grad=True)
            fake = torch.full(shape, -sign * 1e4, requires_grad=True)
            total = loss.discriminator(real, fake) + loss.generator(fake, real)
            gradients = torch.autograd.grad(total, (real, fake))
            assert total.isfinite()
            assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("loss", ALL, ids=lambda loss: type(loss).__name__)
def test_gradients(loss: AdversarialLoss) -> None:
    """Analytic gradients agree with finite differences away from the hinge's corners."""
    torch.manual_seed(0)
    real, fake = (torch.randn(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake, real))


def test_saturating_generator_gradient_vanishes() -> None:
    """At D(fake) = -20 the minimax gradient is -sigmoid(-20) = -2e-9, the non-saturating one -sigmoid(20) = -1."""
    score = torch.tensor([-20.0], requires_grad=True)
    (minimax,) = torch.autograd.grad(Minimax().generator(score), score)
    (non_saturating,) = torch.autograd.grad(NonSaturating().generator(score), score)
    assert minimax.item() == pytest.approx(-1 / (1 + math.exp(20)), rel=1e-4)
    assert non_saturating.item() == pytest.approx(-1.0, rel=1e-4)


def test_relativistic_loss_needs_real_scores() -> None:
    with pytest.raises(ValueError, match="needs the real scores"):
        RelativisticPairing().generator(FAKE)


class LinearCritic(nn.Module):
    """D(x) = <w, x> with w = 2 everywhere: on 1x2x2 pictures its gradient is w, of norm sqrt(4 * 4) = 4."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1, 2, 2), 2.0))

    def forward(self, image: Tensor) -> Tensor:
        return (image * self.weight).sum((1, 2, 3))


def critique(critic: nn.Module, real: Tensor, fake: Tensor, images_seen: int = 0, rounds: int = 0) -> Critique:
    real, fake = real.requires_grad_(), fake.requires_grad_()
    real_score, fake_score = critic(real), critic(fake)
    return Critique(critic, critic, real, fake, real_score, fake_score, real, fake, images_seen, rounds)


def linear_critique(**place: int) -> Critique:
    """Reals 1, so D(real) = 8; fakes 0.5, so D(fake) = 4."""
    return critique(LinearCritic(), torch.ones(3, 1, 2, 2), torch.full((3, 1, 2, 2), 0.5), **place)


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (R1(weight=1.0), 8.0),  # |w|^2 / 2 = 16 / 2
        (R2(weight=1.0), 8.0),
        (GradientPenalty(weight=1.0), 9.0),  # (4 - 1)^2
        (GradientPenalty(), 90.0),  # the paper's weight is 10
        (GradientPenalty(weight=1.0, target=2.0), 1.0),  # (4 - 2)^2 / 2^2
        (GradientPenalty(weight=1.0, target=4.0), 0.0),
        (Drift(weight=1.0), 64.0),  # D(real)^2 = 8^2
        (Drift(), 0.064),
        (Consistency(weight=1.0), 0.0),  # a linear critic of constant pictures does not see flips and shifts
        (BalancedConsistency(weight=1.0), 0.0),
        (LeCam(weight=1.0, start=0, decay=0.0), 32.0),  # averages 8 and 4: (8 - 4)^2 + (4 - 8)^2
        (LeCam(weight=1.0, start=0, decay=0.5), 36.0),  # averages 4 and 2, half way from 0: (8 - 2)^2 + (4 - 4)^2
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Regularizer) else "",
)
def test_penalty_values(penalty: Regularizer, value: float) -> None:
    assert penalty(linear_critique()).item() == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_overlap_of_filters() -> None:
    """Rows (3, 4) and (1, 0): their product is 3, found twice, so 2 * 9; lengths 5 and 1 cost nothing.

    A convolution adds filters (1, 1) and (1, 2) of 1x1x2: product 3 again. Biases and tables are left out.
    """
    linear, convolution = nn.Linear(2, 2), nn.Conv2d(1, 2, (1, 2))
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
        convolution.weight.copy_(torch.tensor([[[[1.0, 1.0]]], [[[1.0, 2.0]]]]))
    network = nn.Sequential(linear, convolution, nn.Embedding(5, 2), nn.BatchNorm2d(2))
    assert overlap(linear).item() == 18.0
    assert overlap(network).item() == 36.0
    overlap(network).backward()
    # d/dw1 of 2 (w1 . w2)^2 = 4 (w1 . w2) w2 = 12 (1, 0); d/dw2 = 12 (3, 4)
    assert torch.equal(linear.weight.grad, torch.tensor([[12.0, 0.0], [36.0, 48.0]]))


def test_orthogonal_on_either_side() -> None:
    """The critic's one filter has no other to overlap with; a second network's 18 is weighted and lazily counted."""
    assert OrthogonalCritic(weight=1.0)(linear_critique()).item() == 0.0
    network = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
    creation = Creation(network, torch.zeros(1, 2), None, images_seen=0)  # type: ignore[arg-type]
    assert Orthogonal(weight=0.5, every=4)(creation).item() == 36.0
    assert Orthogonal().weight == 1e-4


def test_overlap_reads_the_stored_weight_under_spectral_norm() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 3))
    before = layer.parametrizations.weight[0]._u.clone()
    assert len(filters(layer)) == 1
    overlap(layer).backward()
    assert layer.parametrizations.weight.original.grad is not None
    assert torch.equal(layer.parametrizations.weight[0]._u, before)  # no power iteration was made
    assert filters(nn.utils.parametrizations.spectral_norm(nn.Embedding(4, 3))) == []  # a table still


def test_lazy_penalty_counts_for_the_rounds_it_skips() -> None:
    """Every 16th round, 16 times the weight: the sum over 16 rounds is that of the penalty played each round."""
    lazy = R1(weight=0.5, every=16)
    assert [rounds for rounds in range(40) if lazy.due(rounds)] == [0, 16, 32]
    assert lazy(linear_critique()).item() == pytest.approx(16 * 0.5 * 8)
    with pytest.raises(ValueError, match="every: 0"):
        R1(weight=1.0, every=0)


def test_penalty_weight_follows_its_schedule() -> None:
    """From 2 to 0 over 100 images: 1 after 50, so that R1 is 8."""
    annealed = R1(weight=Linear(2.0, 0.0, end_images=100))
    assert annealed(linear_critique(images_seen=50)).item() == pytest.approx(8.0)
    assert annealed(linear_critique(images_seen=100)).item() == 0.0


def test_gradient_penalty_gradient() -> None:
    """d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w| = 2 * 3 * 2 / 4 = 3 for each of the four weights."""
    critic = LinearCritic()
    GradientPenalty(weight=1.0)(critique(critic, torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2))).backward()
    assert torch.allclose(critic.weight.grad, torch.full((1, 2, 2), 3.0))


def test_gradient_penalty_of_a_blind_critic_is_finite() -> None:
    """w = 0: the penalty is (0 - 1)^2 = 1 and its gradient is defined as 0."""
    critic = LinearCritic()
    nn.init.zeros_(critic.weight)
    penalty = GradientPenalty(weight=1.0)(critique(critic, torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)))
    penalty.backward()
    assert penalty.item() == 1.0
    assert torch.equal(critic.weight.grad, torch.zeros(1, 2, 2))


def test_gradient_penalty_looks_between_real_and_fake() -> None:
    """D(x) = sum x^3 / 3 on 2x2 pictures, reals 1, fakes 0: at x = u the norm is sqrt(4 u^4) = 2 u^2, and
    E over uniform u of (2 u^2 - 1)^2 = 4/5 - 4/3 + 1 = 7/15."""
    torch.manual_seed(0)

    def cubic(image: Tensor) -> Tensor:
        return (image**3 / 3).sum((1, 2, 3))

    real, fake = torch.ones(20_000, 1, 2, 2), torch.zeros(20_000, 1, 2, 2)
    seen = Critique(nn.Identity(), cubic, real, fake, cubic(real), cubic(fake), real, fake, 0, 0)
    assert GradientPenalty(weight=1.0)(seen).item() == pytest.approx(7 / 15, abs=0.01)


def test_penalties_run_in_full_precision() -> None:
    """Inside a bf16 region the gradient penalty has the very bits that it has outside."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    real, fake, unused = torch.randn(4, 1, 4, 4), torch.randn(4, 1, 4, 4).bfloat16(), torch.zeros(4)
    seen = Critique(critic, critic, real, fake, unused, unused, unused, unused, images_seen=0, rounds=0)
    values = []
    for inside in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16, enabled=inside):
            values.append(GradientPenalty()(seen))
    assert values[0].dtype == torch.float32
    assert torch.equal(values[0], values[1])


def test_gradient_penalties_agree_with_finite_differences() -> None:
    """A smooth critic of patches, in double precision: the penalties' gradients towards its weights."""
    torch.manual_seed(0)
    real, fake = torch.randn(2, 1, 3, 3, dtype=torch.float64), torch.randn(2, 1, 3, 3, dtype=torch.float64)

    def total(weight: Tensor) -> Tensor:
        def critic(image: Tensor) -> Tensor:
            return torch.tanh(nn.functional.conv2d(image, weight)).squeeze(1)  # [B, 2, 2]

        return R1(1.0)(critique(critic, real, fake)) + R2(1.0)(critique(critic, real, fake))

    weight = torch.randn(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(total, (weight,))


class LeftPixel(nn.Module):
    """D(x) is the left pixel's value."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, 0, 0, 0]


def test_consistency_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of two pixels, always mirrored: reals (1, -1) change D by 2, fakes (2, -2) by 4."""
    monkeypatch.setattr(regularizers, "mirrored", lambda image: image.flip(3))
    real, fake = torch.tensor([[[[1.0, -1.0]]]]), torch.tensor([[[[2.0, -2.0]]]])
    seen = critique(LeftPixel(), real, fake)
    assert Consistency(weight=10.0)(seen).item() == 40.0
    assert Consistency(weight=10.0, flip=False)(seen).item() == 0.0
    assert BalancedConsistency(weight=10.0)(seen).item() == 10 * (4 + 16)
    assert BalancedConsistency(weight=10.0, fakes=0.5)(seen).item() == 10 * (4 + 8)


def test_mirrored_flips_half() -> None:
    image = torch.tensor([[[[1.0, -1.0]]]]).expand(2000, -1, -1, -1)
    torch.manual_seed(0)
    flipped = (regularizers.mirrored(image)[:, 0, 0, 0] < 0).float().mean().item()
    assert flipped == pytest.approx(0.5, abs=0.05)


def test_shifted_mirrors_its_border() -> None:
    """Eight places moved by at most 2 = 8 * 0.25: five rows are possible, and all occur."""
    image = torch.arange(8.0).view(1, 1, 1, 8).expand(200, -1, -1, -1)
    torch.manual_seed(0)
    rows = {tuple(row) for row in regularizers.shifted(image, 0.25).view(200, 8).int().tolist()}
    assert rows == {
        (2, 1, 0, 1, 2, 3, 4, 5),
        (1, 0, 1, 2, 3, 4, 5, 6),
        (0, 1, 2, 3, 4, 5, 6, 7),
        (1, 2, 3, 4, 5, 6, 7, 6),
        (2, 3, 4, 5, 6, 7, 6, 5),
    }


def test_consistency_trains_through_both_views() -> None:
    """Patches count by their mean: a constant picture's penalty is 0, and noise gives a finite gradient."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(1, 2), nn.Tanh())
    Consistency(shift=0.5)(critique(critic, torch.randn(8, 1, 8, 8), torch.randn(8, 1, 8, 8))).backward()
    assert critic[0].weight.grad.abs().sum() > 0


def test_lecam_remembers_scores() -> None:
    """Silent before `start`, following the latest batch (8 and 4); then the averages move by a tenth of the way."""
    penalty = LeCam(weight=1.0, start=2, decay=0.9)
    for rounds in (0, 1):
        assert penalty(linear_critique(rounds=rounds)).item() == 0.0
    far = critique(LinearCritic(), torch.full((3, 1, 2, 2), 2.0), torch.zeros(3, 1, 2, 2), rounds=2)  # scores 16 and 0
    # averages 8 + 0.1 * 8 = 8.8 and 4 - 0.1 * 4 = 3.6: (16 - 3.6)^2 + (0 - 8.8)^2 = 153.76 + 77.44
    assert penalty(far).item() == pytest.approx(231.2, rel=1e-5)
    resumed = LeCam(weight=1.0, start=2, decay=0.9)
    resumed.load_state_dict(penalty.state_dict())
    assert resumed(far).item() == penalty(far).item()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GradientPenalty(target=0.0), "target: 0.0"),
        (lambda: Consistency(shift=1.0), "shift: 1.0"),
        (lambda: LeCam(decay=1.0), "decay: 1.0"),
    ],
)
def test_impossible_settings(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]
