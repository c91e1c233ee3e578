"""CycleGAN's game: the pool of old fakes, the losses derived by hand, who gets gradients, both directions."""

from dataclasses import replace

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn

from ganctl.data.batch import Unpaired
from ganctl.games.cycle import CycleGame
from ganctl.games.game import Clock, Task
from ganctl.games.pool import FakePool
from ganctl.losses.adversarial import AdversarialLoss, LeastSquares, NonSaturating
from ganctl.losses.regularizers import LeCam, Regularizer
from ganctl.networks.augment import Augment, NoAugment
from ganctl.networks.interfaces import Discriminator, Translator
from ganctl.schedules import Decay

SHAPE = (1, 2, 2)
BOTH = frozenset(("generators", "discriminators"))
START = Clock(images_seen=0, rounds=0)


class Brighter(Translator):
    """Adds a number to every pixel."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image + self.by


class Judge(Discriminator):
    """Scores each pixel by itself times a number."""

    feature_size = 1

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return (self.factor * features)[:, 0]


def game(
    adversarial: AdversarialLoss | None = None,
    penalties: tuple[Regularizer, ...] = (),
    augment: Augment | None = None,
    **settings: float,
) -> CycleGame:
    """a2b adds 0.5, b2a takes 0.25; the judges score 2x (of a) and -1x (of b)."""
    networks = (Brighter(0.5), Brighter(-0.25), Judge(2.0), Judge(-1.0))
    parts = (*networks, adversarial or LeastSquares(), augment or NoAugment())
    return CycleGame(*parts, shape=SHAPE, penalties=penalties, **{"pool": 0, **settings})  # type: ignore[arg-type]


def batch(count: int = 1) -> Unpaired:
    """Domain a is 0 everywhere, b is 0.5."""
    return Unpaired(torch.zeros(count, *SHAPE), torch.full((count, *SHAPE), 0.5))


def numbers(terms: object) -> dict[str, float]:
    return {name: round(term.item(), 6) for name, term in terms.items()}  # type: ignore[attr-defined]


def test_generators_loss_by_hand() -> None:
    """fake_b = 0 + 0.5, scored -0.5: (-1.5)^2 / 2 = 1.125. fake_a = 0.5 - 0.25, scored 0.5: (-0.5)^2 / 2 = 0.125.

    Cycles: 0 -> 0.5 -> 0.25 and 0.5 -> 0.25 -> 0.75: both 0.25 from home, 10 * 0.5 = 5.
    Identities: b2a(a) is 0.25 off, a2b(b) is 0.5 off: 5 * 0.75 = 3.75.
    """
    played = game()
    outcome = played.generators_loss(played.deal(batch(), BOTH, START))
    assert numbers(outcome.terms) == {"adversarial": 1.25, "cycle": 5.0, "identity": 3.75}
    assert outcome.total.item() == pytest.approx(10.0)


def test_weights_of_the_generators_terms() -> None:
    played = game(cycle=2.0, identity=0.25, adversarial_weight=2.0)
    outcome = played.generators_loss(played.deal(batch(), BOTH, START))
    assert numbers(outcome.terms) == {"adversarial": 2.5, "cycle": 1.0, "identity": 0.375}
    without = game(identity=0.0)
    assert "identity" not in without.generators_loss(without.deal(batch(), BOTH, START)).terms


def test_discriminators_loss_by_hand() -> None:
    """Judge of a: real 0 scores 0, fake 0.25 scores 0.5: ((0 - 1)^2 + 0.5^2) / 2 = 0.625.

    Judge of b: real 0.5 scores -0.5, fake 0.5 scores -0.5: ((-1.5)^2 + 0.5^2) / 2 = 1.25.
    """
    played = game()
    outcome = played.discriminators_loss(played.deal(batch(), BOTH, START))
    assert numbers(outcome.terms) == {"adversarial_a": 0.625, "adversarial_b": 1.25}


def test_both_sides_see_augmented_pictures() -> None:
    """All by half. Generators: fake_b scored -0.25: 1.25^2 / 2; fake_a scored 0.25: 0.75^2 / 2.

    Judge of a: real 0, fake scored 0.25: (1 + 0.25^2) / 2. Of b: both scored -0.25: (1.25^2 + 0.25^2) / 2.
    Cycles and identities see the pictures as they are.
    """
    played = game(augment=Halved())
    round = played.deal(batch(), BOTH, START)
    generators = played.generators_loss(round).terms
    assert numbers(generators) == {"adversarial": 0.78125 + 0.28125, "cycle": 5.0, "identity": 3.75}
    assert numbers(played.discriminators_loss(round).terms) == {"adversarial_a": 0.53125, "adversarial_b": 0.8125}


def test_any_adversarial_loss_plays() -> None:
    """softplus(0.5) for fake_b, softplus(-0.5) for fake_a."""
    played = game(NonSaturating())
    outcome = played.generators_loss(played.deal(batch(), BOTH, START))
    expected = nn.functional.softplus(torch.tensor([0.5, -0.5])).sum()
    assert outcome.terms["adversarial"].item() == pytest.approx(expected.item())


@pytest.mark.parametrize("turn", ["generators", "discriminators"])
def test_only_the_players_of_a_turn_are_reached(turn: str) -> None:
    """A turn's others are frozen as GameModule freezes them, after the fakes are made."""
    played = game(pool=3)
    round = played.deal(batch(2), BOTH, START)
    players = {each.name: [id(p) for p in each.parameters()] for each in played.turns()}[turn]
    for parameter in played.parameters():
        parameter.requires_grad_(id(parameter) in players)
    (loss,) = (each.loss for each in played.turns() if each.name == turn)
    loss(round).total.backward()
    reached = {id(parameter) for parameter in played.parameters() if parameter.grad is not None}
    assert reached == set(players)
    assert len(players) == 2


def test_fakes_have_no_graph_where_the_generators_sit_out() -> None:
    round = game().deal(batch(), frozenset(("discriminators",)), START)
    assert not round.fake_a.requires_grad
    assert not round.fake_b.requires_grad


def test_each_fake_is_made_once_a_round() -> None:
    played, calls = game(), {"a2b": 0, "b2a": 0}
    for name in calls:
        network = getattr(played, name)
        network.register_forward_hook(lambda *_, name=name: calls.__setitem__(name, calls[name] + 1))
    round = played.deal(batch(), BOTH, START)
    played.generators_loss(round)
    played.discriminators_loss(round)
    assert calls == {"a2b": 3, "b2a": 3}  # once the fake, once back, once the identity


def test_critics_remember_apart() -> None:
    """LeCam's averages follow one critic's scores: of reals 0 (a) and -0.5 (b)."""
    played = game(penalties=(LeCam(start=100),))
    played.discriminators_loss(played.deal(batch(), BOTH, START))
    of_a, of_b = played.penalties
    assert isinstance(of_a, LeCam)
    assert isinstance(of_b, LeCam)
    assert (of_a.real_average.item(), of_b.real_average.item()) == (0.0, -0.5)


def pictures(first: int, count: int) -> Tensor:
    """Pictures whose value is their number."""
    return torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, *SHAPE).clone()


def values(image: Tensor) -> list[int]:
    return image[:, 0, 0, 0].int().tolist()


def test_a_pool_hands_on_everything_until_it_is_full() -> None:
    pool = FakePool(5, SHAPE)
    assert values(pool.exchange(pictures(0, 2))) == [0, 1]
    assert values(pool.exchange(pictures(2, 3))) == [2, 3, 4]
    assert values(pool.pictures) == [0, 1, 2, 3, 4]
    assert pool.count.item() == 5


def test_a_full_pool_exchanges_about_half() -> None:
    """Of 1000 fakes 500 +- 5 * 15.8 are exchanged; nothing is lost and nothing is handed on twice."""
    torch.manual_seed(0)
    pool = FakePool(50, SHAPE)
    pool.exchange(pictures(0, 50))
    handed = [number for first in range(50, 1050, 4) for number in values(pool.exchange(pictures(first, 4)))]
    itself = sum(number == given for number, given in zip(range(50, 1050), handed, strict=True))
    assert 421 <= itself <= 579
    assert sorted(handed + values(pool.pictures)) == list(range(1050))


def test_a_pool_gives_no_graph_and_keeps_its_own_copy() -> None:
    pool, fake = FakePool(1, SHAPE), pictures(1, 1).requires_grad_()
    handed = pool.exchange(fake)
    assert not handed.requires_grad
    handed.zero_()
    assert values(pool.pictures) == [1]
    assert values(fake.detach()) == [1]


def test_a_pool_of_none_changes_nothing() -> None:
    assert values(FakePool(0, SHAPE).exchange(pictures(7, 3))) == [7, 8, 9]
    with pytest.raises(ValueError, match="pool: -1; must be 0"):
        FakePool(-1, SHAPE)


def test_a_pool_survives_a_round_trip_through_its_state() -> None:
    """With PyTorch's own random state restored, what follows is the same."""
    torch.manual_seed(3)
    pool = FakePool(4, SHAPE)
    pool.exchange(pictures(0, 3))  # not yet full
    state, chance = {key: value.clone() for key, value in pool.state_dict().items()}, torch.get_rng_state()
    expected = [values(pool.exchange(pictures(first, 5))) for first in (10, 20, 30)]
    restored = FakePool(4, SHAPE)
    restored.load_state_dict(state)
    torch.set_rng_state(chance)
    assert [values(restored.exchange(pictures(first, 5))) for first in (10, 20, 30)] == expected
    assert torch.equal(restored.pictures, pool.pictures)


def test_a_sheet_shows_there_and_back_from_both_sides() -> None:
    played = game()
    inputs = played.preview(batch(20), 20, torch.Generator())
    sheet = played.sheet(inputs)
    assert len(inputs) == 8
    assert played.sheet_columns() == 6
    assert sheet[:, 0, 0, 0].tolist() == [0, 0.5, 0.25, 0.5, 0.25, 0.75] * 8


def test_translates_in_both_directions() -> None:
    played, image = game(), torch.zeros(1, 1, 3, 5)
    assert played.translate(image, Task()).unique().tolist() == [0.5]
    assert played.translate(image, Task("a2b")).unique().tolist() == [0.5]
    assert played.translate(image, Task("b2a")).unique().tolist() == [-0.25]
    with pytest.raises(ValueError, match="direction: 'a2c'; this model knows a2b and b2a; choose one of them"):
        played.translate(image, Task("a2c"))
    with pytest.raises(ValueError, match="target: this model has two domains and no targets"):
        played.translate(image, replace(Task(), target=torch.zeros(1)))


def test_decay_holds_then_falls_to_zero() -> None:
    rate = Decay(start=2e-4, images=1000, hold=0.5)
    assert [rate.at(seen) for seen in (0, 500, 750, 1000, 2000)] == pytest.approx([2e-4, 2e-4, 1e-4, 0, 0])
    assert Decay(1.0, images=10, hold=0.0, end=0.5).at(5) == 0.75
    with pytest.raises(ValueError, match="hold: 1"):
        Decay(1.0, images=10, hold=1)
