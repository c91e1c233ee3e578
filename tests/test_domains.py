"""StarGAN's game: targets, the losses derived by hand, classes and attributes alike."""

import math

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.auxiliary import ClassifyLabel
from ganctl.games.domains import DomainGame
from ganctl.games.game import Clock, Task
from ganctl.losses.adversarial import Wasserstein
from ganctl.losses.regularizers import GradientPenalty
from ganctl.networks.augment import Augment, NoAugment
from ganctl.networks.interfaces import Discriminator, Translator
from ganctl.networks.label import as_attributes

SHAPE = (1, 2, 2)
CLASSES = 4
BOTH = frozenset(("generator", "discriminator"))
START = Clock(images_seen=0, rounds=0)


class Painter(Translator):
    """Every pixel becomes a tenth of the class number, whatever it was; of attributes, of their sum."""

    classes = CLASSES

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is not None
        number = label.sum(1) if label.is_floating_point() else label.float()
        return image * 0 + (self.scale * number)[:, None, None, None]


class Judge(Discriminator):
    """Scores 3 times the mean of a picture, whose four pixels are its features."""

    feature_size = 4

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(3.0))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image.flatten(1)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.factor * features.mean(1)


def game(augment: Augment | None = None, **settings: float) -> DomainGame:
    """Its class head answers 0 to everything."""
    classifier = ClassifyLabel(CLASSES, fakes=0.0)
    played = DomainGame(
        Painter(), Judge(), classifier, Wasserstein(), augment or NoAugment(), (GradientPenalty(10.0),), **settings
    )
    for parameter in classifier.parameters():
        nn.init.zeros_(parameter)
    return played


def classes() -> Images:
    """Two pictures of 0.5, of the classes 1 and 3."""
    return Images(torch.full((2, *SHAPE), 0.5), torch.tensor([1, 3]))


def attributes() -> Images:
    return Images(torch.full((2, *SHAPE), 0.5), torch.tensor([[1.0, 0, 0, 0], [1.0, 1, 1, 0]]))


def numbers(terms: object) -> dict[str, float]:
    return {name: round(term.item(), 5) for name, term in terms.items()}  # type: ignore[attr-defined]


def test_targets_are_the_batchs_own_labels() -> None:
    many = Images(torch.zeros(40, *SHAPE), torch.arange(40) % CLASSES)
    round = game().deal(many, BOTH, START)
    assert sorted(round.target.tolist()) == sorted(round.label.tolist())
    assert round.target.tolist() != round.label.tolist()
    assert torch.allclose(round.fake[:, 0, 0, 0], round.target / 10)


def test_discriminator_loss_by_hand() -> None:
    """Fakes are 0.1 and 0.3 in some order: their mean score is 3 * 0.2, that of reals 3 * 0.5.

    The score's gradient is 3/4 for each of 4 pixels, its norm 1.5: 10 * 0.5^2. Blank answers to 4 classes: log 4.
    """
    outcome = game().discriminator_loss(game().deal(classes(), BOTH, START))
    expected = {"adversarial": -0.9, "GradientPenalty": 2.5, "class": round(math.log(4), 5)}
    assert numbers(outcome.terms) == expected


def test_generator_loss_by_hand() -> None:
    """-3 * 0.2 for the critic; back in their own classes pictures are 0.1 and 0.3, 0.4 and 0.2 from 0.5: 10 * 0.3."""
    played = game()
    outcome = played.generator_loss(played.deal(classes(), BOTH, START))
    assert numbers(outcome.terms) == {"adversarial": -0.6, "class": round(math.log(4), 5), "reconstruction": 3.0}


def test_both_sides_see_augmented_pictures() -> None:
    """Scores by half, -0.9 and -0.6; what leads back is the picture as it was painted."""
    played = game(augment=Halved())
    round = played.deal(classes(), BOTH, START)
    assert numbers(played.discriminator_loss(round).terms)["adversarial"] == -0.45
    terms = numbers(played.generator_loss(round).terms)
    assert (terms["adversarial"], terms["reconstruction"]) == (-0.3, 3.0)


def test_attributes_cost_log_two_each() -> None:
    """Sums of attributes are 1 and 3, so pictures are those of the classes; 4 blank answers cost 4 log 2."""
    played = game(reconstruction=1.0)
    outcome = played.generator_loss(played.deal(attributes(), BOTH, START))
    expected = {"adversarial": -0.6, "class": round(4 * math.log(2), 5), "reconstruction": 0.3}
    assert numbers(outcome.terms) == expected


@pytest.mark.parametrize("turn", ["discriminator", "generator"])
def test_only_the_players_of_a_turn_are_reached(turn: str) -> None:
    played = game()
    round = played.deal(classes(), BOTH, START)
    players = {each.name: [id(p) for p in each.parameters()] for each in played.turns()}
    for parameter in played.parameters():
        parameter.requires_grad_(id(parameter) in players[turn])
    (loss,) = (each.loss for each in played.turns() if each.name == turn)
    loss(round).total.backward()
    reached = {id(parameter) for parameter in played.parameters() if parameter.grad is not None}
    assert reached == set(players[turn])
    assert [len(players[name]) for name in ("discriminator", "generator")] == [3, 1]  # the class head plays with D


def test_without_a_turn_of_the_generator_fakes_have_no_graph() -> None:
    assert not game().deal(classes(), frozenset(("discriminator",)), START).fake.requires_grad


def test_a_sheet_shows_each_picture_in_every_class() -> None:
    played = game()
    inputs = played.preview(classes(), 2, torch.Generator())
    sheet = played.sheet(inputs)
    assert played.sheet_columns() == 5
    assert torch.allclose(sheet[:, 0, 0, 0], torch.tensor([0.5, 0.0, 0.1, 0.2, 0.3] * 2))


def test_a_sheet_shows_combinations_of_attributes_that_there_are() -> None:
    played = game()
    inputs = played.preview(attributes(), 2, torch.Generator())
    assert inputs.targets.shape == (2, 4, 4)
    assert {tuple(row) for row in inputs.targets[0].tolist()} == {(1, 0, 0, 0), (1, 1, 1, 0)}
    assert torch.allclose(played.sheet(inputs)[:5, 0, 0, 0], torch.tensor([0.5, 0.1, 0.1, 0.3, 0.3]))


def test_translates_to_classes_and_attributes() -> None:
    played, image = game(), torch.zeros(2, 1, 3, 5)
    assert torch.allclose(
        played.translate(image, Task(target=torch.tensor([2, 0])))[:, 0, 0, 0], torch.tensor([0.2, 0])
    )
    both = torch.tensor([[0.0, 1, 1, 0]]).expand(2, -1)
    assert torch.allclose(played.translate(image, Task(target=both)), torch.tensor(0.2))
    with pytest.raises(ValueError, match="target: missing; say what the pictures shall show, target=NAME"):
        played.translate(image, Task())
    with pytest.raises(ValueError, match="direction: this model has many domains"):
        played.translate(image, Task("a2b"))


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="classifier: 3 classes; the generator is told 4"):
        DomainGame(Painter(), Judge(), ClassifyLabel(3), Wasserstein(), NoAugment(), (GradientPenalty(10.0),))
    with pytest.raises(ValueError, match="this model needs labels"):
        game().deal(Images(torch.zeros(2, *SHAPE)), BOTH, START)


def test_classes_become_attributes() -> None:
    assert as_attributes(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert as_attributes(torch.tensor([[1.0, 1, 0]]), 3).tolist() == [[1, 1, 0]]


def test_the_classifier_must_learn_from_real_pictures_only() -> None:
    with pytest.raises(ValueError, match=r"classifier: fakes=1\.0; it learns from real pictures only, set fakes to 0"):
        DomainGame(Painter(), Judge(), ClassifyLabel(CLASSES), Wasserstein(), NoAugment())
