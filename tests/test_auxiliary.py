"""Heads on the discriminator's features and the codes they recover, against values derived by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.auxiliary import ClassifyLabel, RecoverCode, pooled
from ganctl.games.game import Clock, Wish
from ganctl.games.latent import LatentGame
from ganctl.games.prior import Gaussian, InfoCode
from ganctl.losses.adversarial import Hinge, LeastSquares, NonSaturating, Wasserstein
from ganctl.losses.regularizers import R1, Critique, GradientPenalty, LeCam
from ganctl.networks.ada import ADA
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganctl.networks.mlp import MLPDiscriminator, MLPGenerator

SHAPE = (1, 16, 16)


def critique(real: Tensor, fake: Tensor) -> Critique:
    """Only features matter to a head."""
    unused = torch.zeros(len(real))
    return Critique(
        nn.Identity(), lambda image: image, unused, unused, unused, unused, real, fake, images_seen=0, rounds=0
    )


def blank(head: nn.Module) -> None:
    """A head that answers 0 to everything."""
    for parameter in head.parameters():
        nn.init.zeros_(parameter)


def test_classify_label_values() -> None:
    """Blank answers over 4 classes: -log 1/4 for reals, and half of it for fakes; a tenth for the generator."""
    head = ClassifyLabel(classes=4, weight=2.0, generator_weight=0.1, fakes=0.5)
    head.attach(3, Gaussian(5))
    blank(head)
    features, label, noise = torch.randn(6, 3), torch.arange(6) % 4, torch.randn(6, 5)
    assert head.discriminator_term(critique(features, features), label, noise).item() == pytest.approx(3 * math.log(4))
    assert head.generator_term(features, label, noise).item() == pytest.approx(0.1 * math.log(4))


def test_classify_attributes_values() -> None:
    """Blank answers to 5 attributes: each costs log 2, whatever the truth."""
    head = ClassifyLabel(classes=5)
    head.attach(3, Gaussian(2))
    blank(head)
    label = torch.randint(2, (6, 5)).float()
    assert head.generator_term(torch.randn(6, 3), label, torch.randn(6, 2)).item() == pytest.approx(5 * math.log(2))


def test_classify_label_needs_labels() -> None:
    with pytest.raises(ValueError, match="classes: 0; a label head needs 1 or more"):
        ClassifyLabel(classes=0)
    head = ClassifyLabel(classes=2)
    head.attach(3, Gaussian(2))
    with pytest.raises(ValueError, match="needs labels"):
        head.generator_term(torch.randn(6, 3), None, torch.randn(6, 2))


def test_patch_features_are_averaged() -> None:
    features = torch.randn(2, 3, 4, 5)
    assert torch.allclose(pooled(features), features.mean((2, 3)))
    assert pooled(features[:, :, 0, 0]).shape == (2, 3)


def test_recover_code_values() -> None:
    """Blank answers: log 4 for one of 4; a number c costs c^2 / (2 s^2) + log s + log(2 pi) / 2, here s = 0.5."""
    prior = InfoCode(noise=2, categorical={"kind": 4}, continuous=["tilt"])
    head = RecoverCode(weight=2.0, continuous=0.5, deviation=0.5)
    head.attach(3, prior)
    blank(head)
    noise = torch.tensor([[9.0, 9.0, 0.0, 1.0, 0.0, 0.0, 1.0], [9.0, 9.0, 0.0, 0.0, 0.0, 1.0, -0.5]])
    of_number = (1 + 0.25) / 2 / (2 * 0.25) + math.log(0.5) + math.log(2 * math.pi) / 2
    expected = 2 * (math.log(4) + 0.5 * of_number)
    features = torch.randn(2, 3)
    assert head.generator_term(features, None, noise).item() == pytest.approx(expected, rel=1e-5)
    assert head.discriminator_term(critique(-features, features), None, noise).item() == pytest.approx(expected)


def test_recover_code_learns_a_readable_code() -> None:
    """Features that are the code itself: the head's loss falls below a tenth of blind guessing."""
    torch.manual_seed(0)
    prior = InfoCode(noise=1, categorical={"kind": 3})
    head = RecoverCode(hidden=16)
    head.attach(prior.size, prior)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(150):
        noise = prior.draw(64)
        loss = head.generator_term(noise, None, noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * math.log(3)


def test_recover_code_needs_codes() -> None:
    with pytest.raises(ValueError, match="needs a prior with codes"):
        RecoverCode().attach(3, Gaussian(2))


def test_info_code_draws_what_it_promises() -> None:
    prior = InfoCode(noise=5, categorical={"digit": 10, "side": 2}, continuous=["c1", "c2"])
    noise = prior.draw(4000, generator=torch.Generator().manual_seed(0))
    assert noise.shape == (4000, prior.size) == (4000, 5 + 10 + 2 + 2)
    assert [code.name for code in prior.codes] == ["digit", "side", "c1", "c2"]
    digit, c2 = noise[:, prior.code("digit").place], noise[:, prior.code("c2").place]
    assert (digit.sum(1) == 1).all()
    assert (digit.sum(0) / 4000 - 0.1).abs().max() < 0.02
    assert c2.shape == (4000, 1)
    assert c2.min() > -1
    assert c2.max() < 1
    assert c2.std().item() == pytest.approx(1 / math.sqrt(3), abs=0.02)  # of a uniform in [-1, 1]
    assert noise[:, :5].std().item() == pytest.approx(1.0, abs=0.03)


def test_info_code_truncates_the_noise_alone() -> None:
    noise = InfoCode(noise=4, continuous=["c"]).draw(500, truncation=0.5)
    assert noise[:, :4].abs().max() <= 0.5
    assert noise[:, 4].abs().max() > 0.9


def test_sweep_lays_out_a_sheet() -> None:
    """Two rows of three: along a row only the code moves, down a column only the rest."""
    prior = InfoCode(noise=4, categorical={"kind": 3}, continuous=["c"])
    sheet = prior.sweep("kind", 6, generator=torch.Generator().manual_seed(0)).view(2, 3, prior.size)
    code = prior.code("kind").place
    assert torch.equal(sheet[:, :, code], torch.eye(3).expand(2, 3, 3))
    rest = torch.cat((sheet[:, :, : code.start], sheet[:, :, code.stop :]), 2)
    assert torch.equal(rest[:, :1].expand_as(rest), rest)
    assert not torch.equal(rest[0], rest[1])


def test_sweep_of_a_number_runs_from_minus_two_to_two() -> None:
    prior = InfoCode(noise=4, continuous=["c"])
    row = prior.sweep("c", 10)[:, -1]
    assert row[0] == -2
    assert row[-1] == 2
    assert (row.diff() > 0).all()
    assert len(prior.sweep("c", 7)) == 7


def test_unknown_codes_are_named() -> None:
    with pytest.raises(ValueError, match="code=tilt: no such code; known are digit, c1"):
        InfoCode(categorical={"digit": 10}, continuous=["c1"]).sweep("tilt", 4)
    with pytest.raises(ValueError, match=r"^code=tilt: this model has no latent codes"):
        Gaussian(4).sweep("tilt", 4)


@pytest.mark.parametrize("codes", [{}, {"categorical": {"one": 1}}, {"categorical": {"c": 2}, "continuous": ["c"]}])
def test_impossible_codes(codes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="codes: "):
        InfoCode(**codes)  # type: ignore[arg-type]


def info_game(**changes: object) -> LatentGame:
    prior = InfoCode(noise=6, categorical={"digit": 3}, continuous=["c"])
    parts: dict[str, object] = {
        "generator": DCGANGenerator(SHAPE, noise_size=prior.size, width=4),
        "discriminator": DCGANDiscriminator(SHAPE, width=4),
        "prior": prior,
        "adversarial": NonSaturating(),
        "augment": NoAugment(),
        "auxiliaries": [RecoverCode(hidden=8)],
    }
    return LatentGame(**(parts | changes))  # type: ignore[arg-type]


def test_head_trains_with_its_turn_and_lies_in_the_checkpoint() -> None:
    """The discriminator's optimizer holds the head; a code term reaches the generator through frozen judges."""
    torch.manual_seed(0)
    game = info_game()
    discriminator, generator = game.turns()
    head = game.auxiliaries[0]
    trained = {id(parameter) for parameter in discriminator.parameters()}
    assert {id(parameter) for parameter in head.parameters()} <= trained
    assert any(name.startswith("extras.0.head") for name in game.state_dict())
    round = game.deal(Images(torch.rand(5, *SHAPE)), frozenset(("discriminator", "generator")), Clock(0, 0))
    for parameter in discriminator.parameters():
        parameter.requires_grad_(False)
    outcome = generator.loss(round)
    assert set(outcome.terms) == {"adversarial", "RecoverCode"}
    outcome.terms["RecoverCode"].backward()
    assert all(parameter.grad is not None for parameter in game.generator.parameters())


def test_code_sheet_through_the_game() -> None:
    game, wish = info_game(), Wish(6, code="digit")
    inputs = game.request(wish, torch.Generator().manual_seed(0))
    assert game.columns(wish) == 3
    assert game.columns(Wish(6)) is None
    assert torch.equal(inputs.noise[:, 6:9], torch.eye(3).repeat(2, 1))


def test_penalty_averages_lie_in_the_checkpoint() -> None:
    assert "extras.0.real_average" in info_game(penalties=[LeCam()]).state_dict()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prior": Gaussian(3), "auxiliaries": []}, "prior: draws 3 numbers; the generator's noise_size is 10"),
        ({"prior": Gaussian(10)}, "RecoverCode needs a prior with codes"),
        ({"augment": ADA(), "adversarial": Wasserstein()}, "augment: .*tells nothing with Wasserstein"),
        ({"penalties": [LeCam(), R1(10.0)]}, "penalties: R1 needs .* batch norm"),
    ],
)
def test_parts_that_mean_nothing_together(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        info_game(**changes)


def test_parts_that_fit() -> None:
    """Adaptive augmentation with logits; a given strength with any loss; a penalty without batch norm."""
    info_game(augment=ADA(), adversarial=Hinge())
    info_game(augment=ADA(target=None, strength=0.2), adversarial=LeastSquares())
    info_game(discriminator=DCGANDiscriminator(SHAPE, width=4, norm="none"), penalties=[GradientPenalty(), R1(1.0)])


def test_attributes_are_drawn_as_they_occur() -> None:
    """Where nothing is wished for: the combinations of the pictures last seen, not one attribute after the other."""
    generator = MLPGenerator((1, 1, 2), noise_size=2, hidden=[4], classes=3)
    critic = MLPDiscriminator((1, 1, 2), hidden=[4], classes=3)
    played = LatentGame(generator, critic, Gaussian(2), NonSaturating(), NoAugment())
    chance = torch.Generator()
    assert played.request(Wish(4), chance).label.tolist() == [0, 1, 2, 0]  # before the first round: classes in turn
    rows = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    played.deal(Images(torch.zeros(2, 1, 1, 2), rows), frozenset(), Clock(0, 0))
    assert torch.equal(played.request(Wish(3), chance).label, rows[[0, 1, 0]])
    played.deal(Images(torch.zeros(2, 1, 1, 2), torch.tensor([2, 1])), frozenset(), Clock(2, 1))
    assert torch.equal(played.request(Wish(3), chance).label, rows[[0, 1, 0]])  # classes are not remembered
