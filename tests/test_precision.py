"""Under bf16 a round computes in bf16 only what may be: penalties keep their digits, and gradients are clipped."""

from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor

from ganctl.data.batch import Images
from ganctl.ema import Average
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Game, Outcome, Turn
from ganctl.losses.adversarial import NonSaturating
from ganctl.losses.generator_penalties import Creation, PathLength
from ganctl.losses.regularizers import R1, R2, GradientPenalty, Penalty
from ganctl.module import GameModule
from ganctl.networks.augment import NoAugment
from ganctl.networks.dcgan import DCGANDiscriminator
from ganctl.networks.stylegan2 import StyleGAN2Generator

SHAPE = (1, 8, 8)
STILL, FUSED = partial(torch.optim.SGD, lr=0.0), partial(torch.optim.Adam, fused=True)


class Judging(Game):
    """One discriminator, one turn, fakes that nobody makes."""

    def __init__(self, *penalties: Any) -> None:
        super().__init__()
        self.critic = DCGANDiscriminator(SHAPE, width=4, norm="none")
        self.contest = Contest(self.critic, NonSaturating(), NoAugment(), penalties)

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("critic", (self.critic,), self.loss),)

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> Images:
        return batch

    def loss(self, round: Images) -> Outcome:
        terms = self.contest.tell_apart(round.image, round.image.flip(2), Clock(0, 0), "critic").terms
        return Outcome({name: term for name, term in terms.items() if name != "adversarial"} or terms)

    def averaged(self) -> tuple[str, ...]:
        return ("critic",)

    def preview(self, batch: Any, count: int, generator: torch.Generator) -> Images:
        raise NotImplementedError

    def sheet(self, inputs: Any) -> Tensor:
        raise NotImplementedError


class Walking(Judging):
    """One style-based generator, which learns by its penalty alone."""

    def __init__(self, penalty: PathLength) -> None:
        super().__init__()
        self.critic = StyleGAN2Generator(SHAPE, noise_size=4, style_size=6, depth=2, width=4, max_width=8)
        self.penalty = penalty

    def loss(self, round: Images) -> Outcome:
        noise = torch.randn(len(round), 4)
        return Outcome({"penalty": self.penalty(Creation(self.critic, noise, None, 0))})


def played(game: Game, precision: Any, optimizer: Any = STILL, **settings: Any) -> list[Tensor]:
    """The gradients of one round."""
    module = GameModule(game, {"critic": optimizer}, Average(), {}, {}, **settings)
    chance = torch.Generator().manual_seed(1)
    batches = [iter([Images(torch.rand(4, *SHAPE, generator=chance) * 2 - 1)])]
    trainer = pl.Trainer(accelerator="cpu", barebones=True, precision=precision, limit_train_batches=1, max_epochs=1)
    torch.manual_seed(2)
    trainer.fit(module, batches)
    return [parameter.grad for parameter in game.parameters() if parameter.grad is not None]


def judging(*penalties: Penalty) -> Game:
    torch.manual_seed(0)
    return Judging(*penalties)


def walking() -> Game:
    torch.manual_seed(0)
    return Walking(PathLength())


@pytest.mark.parametrize(
    "game",
    [
        partial(judging, R1(1.0)),
        partial(judging, R1(1.0), R2(1.0)),
        partial(judging, GradientPenalty()),
        walking,
    ],
    ids=["R1", "R1 R2", "GradientPenalty", "PathLength"],
)
def test_a_penaltys_gradients_keep_all_their_digits_under_bf16(game):
    whole, under_bf16 = played(game(), "32-true"), played(game(), "bf16-mixed")
    assert whole
    for expected, found in zip(whole, under_bf16, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_gradients_are_clipped_in_each_precision(precision):
    free = torch.nn.utils.get_total_norm(played(judging(), precision, FUSED))
    assert free > 0.1
    clipped = torch.nn.utils.get_total_norm(played(judging(), precision, FUSED, clip=0.01))
    assert clipped == pytest.approx(0.01, rel=1e-3)
