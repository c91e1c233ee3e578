"""The games of pairs: losses by hand, who is judged with what, what is shown, and that mistakes are told."""

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn

from ganctl.config.preparation import compose, prepare
from ganctl.data.batch import Pairs
from ganctl.ema import Average
from ganctl.errors import UserError
from ganctl.games.game import Clock, Task
from ganctl.games.regression import RegressionGame, alike
from ganctl.games.translation import TranslationGame
from ganctl.losses.adversarial import LeastSquares, RelativisticPairing
from ganctl.losses.content import L1, MSE
from ganctl.losses.regularizers import R1
from ganctl.networks.augment import NoAugment
from ganctl.networks.interfaces import Discriminator, Translator
from ganctl.schedules import Linear
from ganctl.training.plan import plan

BOTH = frozenset(("discriminator", "generator"))
START = Clock(0, 0)


class Scale(Translator):
    """Every value times one number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image * self.factor


class Mean(Discriminator):
    """A picture's mean, times one number; remembers what it saw."""

    feature_size = 1

    def __init__(self, weight: float = 1.0, source_channels: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.source_channels = source_channels
        self.seen: list[Tensor] = []

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        self.seen.append(image.detach().clone())
        return image.mean((1, 2, 3))

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return features * self.weight


def flat(*values: float) -> Tensor:
    """Pictures of one value each, [B, 1, 2, 2]."""
    return torch.tensor(values)[:, None, None, None].expand(-1, 1, 2, 2)


BATCH = Pairs(source=flat(0.2, 0.4), target=flat(0.6, 0.0))


def game(**settings) -> TranslationGame:
    parts = {
        "generator": Scale(0.5),
        "discriminator": Mean(2.0),
        "adversarial": LeastSquares(),
        "augment": NoAugment(),
        "content": [L1()],
    }
    return TranslationGame(**{**parts, **settings})


def test_content_losses_by_hand() -> None:
    """Outputs 0.1 and 0.2 against 0.6 and 0: mean of 0.5 and 0.2, and of 0.25 and 0.04."""
    output, target = flat(0.1, 0.2), flat(0.6, 0.0)
    assert L1()(output, target, 0).item() == pytest.approx(35.0)
    assert MSE()(output, target, 0).item() == pytest.approx(0.145)
    falling = L1(Linear(start=10.0, end=0.0, end_images=100))
    assert falling(output, target, 50).item() == pytest.approx(5 * 0.35)


def test_the_generators_turn_by_hand() -> None:
    """Scores 2 * 0.1 and 2 * 0.2; least squares: ((0.2 - 1)^2 + (0.4 - 1)^2) / 2 / 2 = 0.25."""
    played = game(adversarial_weight=0.1)
    outcome = played.generator_loss(played.deal(BATCH, BOTH, START))
    assert outcome.terms["adversarial"].item() == pytest.approx(0.1 * 0.25)
    assert outcome.terms["L1"].item() == pytest.approx(35.0)
    assert outcome.total.item() == pytest.approx(35.025)


def test_the_discriminators_turn_is_halved() -> None:
    """Real scores 1.2 and 0, fakes 0.2 and 0.4: (mean of 0.04 and 1, + mean of 0.04 and 0.16) / 2 = 0.31, halved."""
    played = game()
    outcome = played.discriminator_loss(played.deal(BATCH, BOTH, START))
    assert outcome.terms["adversarial"].item() == pytest.approx(0.155)
    assert outcome.watched["wins"].item() == 0.5
    whole = game(discriminator_weight=1.0)
    assert whole.discriminator_loss(whole.deal(BATCH, BOTH, START)).total.item() == pytest.approx(0.31)


def test_penalties_keep_their_weight() -> None:
    """R1 of a mean over 4 pixels times 2: each pixel's gradient is 0.5, squared and summed 1, halved 0.5, times 3."""
    played = game(penalties=[R1(3.0)])
    outcome = played.discriminator_loss(played.deal(BATCH, BOTH, START))
    assert outcome.terms["R1"].item() == pytest.approx(1.5)


def test_pairs_are_judged_source_first() -> None:
    critic = Mean(source_channels=1)
    played = game(discriminator=critic)
    played.discriminator_loss(played.deal(BATCH, BOTH, START))
    real, fake = critic.seen
    assert real.shape == (2, 2, 2, 2)
    assert torch.equal(real, torch.cat((BATCH.source, BATCH.target), 1))
    assert torch.allclose(fake, torch.cat((BATCH.source, BATCH.source / 2), 1))


def test_pictures_are_judged_alone_without_source_channels() -> None:
    critic = Mean()
    played = game(discriminator=critic)
    played.discriminator_loss(played.deal(BATCH, BOTH, START))
    assert torch.equal(critic.seen[0], BATCH.target)


def test_both_sides_see_the_augmented_pair() -> None:
    critic = Mean(source_channels=1)
    played = game(discriminator=critic, augment=Halved())
    round = played.deal(BATCH, BOTH, START)
    played.discriminator_loss(round)
    played.generator_loss(round)
    assert len(critic.seen) == 3
    assert torch.allclose(critic.seen[0], torch.cat((BATCH.source, BATCH.target), 1) / 2)
    for fake in critic.seen[1:]:  # in the critic's turn, then in the generator's
        assert torch.allclose(fake, torch.cat((BATCH.source, BATCH.source / 2), 1) / 2)


def test_a_relativistic_loss_sees_the_target_too() -> None:
    """softplus(real - fake) of 1.2 - 0.2 and 0 - 0.4."""
    played = game(adversarial=RelativisticPairing())
    outcome = played.generator_loss(played.deal(BATCH, BOTH, START))
    by_hand = nn.functional.softplus(torch.tensor([1.0, -0.4])).mean()
    assert outcome.terms["adversarial"].item() == pytest.approx(by_hand.item())


def test_a_relativistic_loss_sees_the_augmented_target() -> None:
    """All four scores by half: softplus of 0.6 - 0.1 and 0 - 0.2."""
    played = game(adversarial=RelativisticPairing(), augment=Halved())
    outcome = played.generator_loss(played.deal(BATCH, BOTH, START))
    by_hand = nn.functional.softplus(torch.tensor([0.5, -0.2])).mean()
    assert outcome.terms["adversarial"].item() == pytest.approx(by_hand.item())


def test_only_players_at_their_turn_receive_gradients() -> None:
    played = game()
    round = played.deal(BATCH, BOTH, START)
    played.discriminator_loss(round).total.backward()
    assert played.generator.factor.grad is None
    assert played.discriminator.weight.grad is not None
    assert not played.deal(BATCH, frozenset(("discriminator",)), START).output.requires_grad


def test_a_regression_has_one_turn() -> None:
    played = RegressionGame(Scale(0.5), [MSE(), L1(1.0)])
    (turn,) = played.turns()
    outcome = turn.loss(played.deal(BATCH, frozenset(("generator",)), START))
    assert {name: value.item() for name, value in outcome.terms.items()} == pytest.approx({"MSE": 0.145, "L1": 0.35})


def test_content_is_asked_for() -> None:
    with pytest.raises(ValueError, match="content: no loss; the generator needs one or more"):
        RegressionGame(Scale(1.0), [])


def test_a_sheet_shows_source_output_and_target() -> None:
    played = game().eval()
    inputs = played.preview(Pairs(flat(*[0.2] * 20), flat(*[0.6] * 20)), 20, torch.Generator())
    assert len(inputs) == 8
    sheet = played.sheet(inputs)
    assert sheet[:3, 0, 0, 0].tolist() == pytest.approx([0.2, 0.1, 0.6])
    assert len(sheet) == 24
    assert played.sheet_columns() % 3 == 0


def test_a_source_is_shown_in_its_targets_form() -> None:
    target = torch.zeros(1, 3, 4, 4)
    assert alike(torch.ones(1, 1, 2, 2), target).shape == target.shape
    assert torch.equal(alike(torch.ones(1, 4, 4, 4), target), torch.ones(1, 3, 4, 4))
    assert torch.equal(
        alike(torch.tensor([[[[0.0]], [[1.0]]]]), torch.zeros(1, 3, 1, 1)), torch.full((1, 3, 1, 1), 0.5)
    )


def test_translate_refuses_choices_it_does_not_have() -> None:
    played = game().eval()
    assert torch.allclose(played.translate(BATCH.source, Task()), BATCH.source / 2)
    assert torch.allclose(played.translate(BATCH.source, Task("forward")), BATCH.source / 2)
    with pytest.raises(ValueError, match="direction: 'b2a'; this model was trained in one direction; leave it out"):
        played.translate(BATCH.source, Task("b2a"))
    with pytest.raises(ValueError, match="target: this model makes one picture of each"):
        played.translate(BATCH.source, Task(target=torch.zeros(2)))


def test_the_average_keeps_batch_norm_as_it_was_measured_on_real_sources() -> None:
    """Of sources 0.2 and 0.4: mean 0.3, also when the average is sampled; nothing is drawn from noise here."""

    class Normed(Translator):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1, momentum=None)

        def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
            return self.norm(image)

    played, average = RegressionGame(Normed(), [L1()]), Average()
    average.follow(played)
    average.settle(played)
    played.deal(BATCH, frozenset(), START)
    average.update(0, 2)
    with average.sampled(played):
        assert played.generator.norm.running_mean.item() == pytest.approx(0.3)


def test_dry_run_counts_a_batch_of_pairs() -> None:
    settings = prepare(compose(["model=pix2pix", "dataset=random_pairs", "batch_size=4", "model.width=4"]))
    told = plan(settings)
    assert "3x32x32 -> 4x16x16" in told
    assert "each score sees 34x34 pixels" in told
    assert "for a batch of 4" in told


def test_pairs_are_asked_for_and_of_one_size() -> None:
    with pytest.raises(UserError, match="model=pix2pix learns from pairs of pictures"):
        prepare(compose(["model=pix2pix", "dataset=random"]))
    with pytest.raises(UserError, match="a U-Net keeps the size"):
        prepare(compose(["model=pix2pix", "dataset=random_pairs", "dataset.source=[3,8,8]"]))
    with pytest.raises(UserError, match="one more is needed, which marks the hole"):
        prepare(compose(["model=inpaint", "dataset=random_pairs"]))
    with pytest.raises(UserError, match="colouring takes 3 and makes 3"):
        prepare(compose(["model=colorize", "dataset=random_pairs", "dataset.shape=[1,16,16]"]))
