"""The training loop by value: a game of one weight whose gradient is always 3, so that every step is known by hand."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from ganctl.callbacks.gallery import draw
from ganctl.data.batch import Images
from ganctl.data.dataset import TensorTable
from ganctl.data.stream import Handed, Stream
from ganctl.ema import REHEARSAL_SEED, REHEARSALS, Average
from ganctl.games.game import REHEARSAL, Clock, Game, Generative, Outcome, Turn, Wish
from ganctl.games.painting import LatentInputs
from ganctl.module import GameModule, Tally, set_field
from ganctl.networks.interfaces import Discriminator
from ganctl.networks.wrappers import Clipped
from ganctl.schedules import Linear, Schedule

BATCH = 8


class Weight(nn.Module):
    """One number, which begins at 0, and a count that is no parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(()))
        self.register_buffer("count", torch.zeros(()))


class Pull(Game):
    """One turn lowers three times the sum of its player's weights: a step of rate 1 takes 3 from each."""

    def __init__(self, pulled: nn.Module | None = None) -> None:
        super().__init__()
        self.pulled = pulled or Weight()
        self.told: list[Clock] = []

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("pull", (self.pulled,), self.loss),)

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> Images:
        return batch

    def loss(self, round: Images) -> Outcome:
        for buffer in self.pulled.buffers():
            buffer += 1
        return Outcome({"pull": 3 * torch.stack([parameter.sum() for parameter in self.pulled.parameters()]).sum()})

    def averaged(self) -> tuple[str, ...]:
        return ("pulled",)

    def advance(self, clock: Clock) -> None:
        self.told.append(clock)

    def preview(self, batch: Images, count: int, generator: torch.Generator) -> Images:
        return batch

    def sheet(self, inputs: Images) -> Tensor:
        return self.pulled.factor * inputs.image


def played(
    rounds: int,
    average: Average | None = None,
    schedules: Mapping[str, Mapping[str, Schedule]] | None = None,
    clip: float | None = None,
    watch: int = 0,
    game: Game | None = None,
) -> GameModule:
    """The module after so many rounds of 8 pictures, by plain gradient descent of rate 1."""
    optimizers = {"pull": partial(torch.optim.SGD, lr=1.0)}
    module = GameModule(game or Pull(), optimizers, average or Average(), {}, schedules or {}, clip)
    module.watch_every = watch
    table = TensorTable(torch.zeros(40, 1, 1, 1, dtype=torch.uint8), None, torch.device("cpu"))
    trainer = pl.Trainer(accelerator="cpu", barebones=True, limit_train_batches=rounds, max_epochs=1)
    trainer.fit(module, Handed(Stream(table, lambda _: BATCH, seed=0)))
    return module


def factor(module: GameModule) -> float:
    return module.game.pulled.factor.item()


def averaged_factor(module: GameModule) -> float:
    return module.average.copies["pulled"].factor.item()


def test_a_round_is_one_step_down_the_gradient() -> None:
    module = played(2)
    assert factor(module) == -6.0
    assert (module.images_seen, module.rounds) == (16, 2)
    assert module.game.told == [Clock(0, 0), Clock(8, 1)]


# The moving average


def test_the_average_goes_half_the_way_in_a_half_life() -> None:
    """Live -3, then -6: 0 -> -1.5 -> (-1.5 - 6) / 2 = -3.75. Buffers are taken over as they are."""
    module = played(2, Average(half_life=BATCH, ramp=100))
    assert averaged_factor(module) == pytest.approx(-3.75)
    assert module.average.copies["pulled"].count.item() == 2.0


def test_the_average_is_short_at_first() -> None:
    """Half lives of 1 times the 8, then 16 images seen: half, then 1 / sqrt(2) of the old average stays."""
    module = played(2, Average(half_life=1000, ramp=1.0))
    assert averaged_factor(module) == pytest.approx(-6 + (6 - 1.5) * 0.5**0.5)


@pytest.mark.parametrize(
    ("average", "images_seen", "images", "stays"),
    [
        (Average(100, ramp=1.0), 1000, 200, 0.25),  # two half lives
        (Average(10_000, ramp=0.05), 0, 8, 0.5**20),  # a half life of 8 / 20
        (Average(Linear(0.0, 16.0, end_images=16), ramp=100), 8, 8, 0.5),  # on a schedule: 8 after 8 images
        (Average(0), 10**6, 8, 0.0),  # no average at all
    ],
)
def test_what_stays_of_the_average(average: Average, images_seen: int, images: int, stays: float) -> None:
    assert average.decay(images_seen, images) == pytest.approx(stays, rel=1e-9)


class Normed(nn.Module):
    """Noise times a weight, normalised over the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.norm = nn.BatchNorm2d(1)

    def forward(self, noise: Tensor) -> Tensor:
        return self.norm(self.weight * noise[:, :, None, None])


class Drawn(Generative):
    """Paints normal noise."""

    def __init__(self) -> None:
        super().__init__()
        self.painter = Normed()

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        return LatentInputs(torch.randn(wish.count, 1, generator=generator))

    def paint(self, inputs: LatentInputs) -> Tensor:
        return self.painter(inputs.noise)

    def averaged(self) -> tuple[str, ...]:
        return ("painter",)

    def turns(self) -> tuple[Turn, ...]: ...
    def deal(self, batch: Any, playing: frozenset[str], clock: Clock) -> Any: ...


def test_the_averages_batch_norm_is_measured_with_the_averages_weights() -> None:
    """Of 5 times noise, where the live weight is 1: means over 32 batches of their own means and variances.

    Whatever the statistics were before; the live ones, of one batch of 2 and 4, stay: 0.1 * 3 and 0.9 * 1 + 0.1 * 2.
    """
    game, average = Drawn(), Average()
    game.painter(torch.tensor([[2.0], [4.0]]))
    average.follow(game)
    nn.init.constant_(average.copies["painter"].weight, 5.0)
    average.measure(game)
    generator = torch.Generator().manual_seed(REHEARSAL_SEED)
    noise = torch.stack([torch.randn(REHEARSAL, 1, generator=generator) for _ in range(REHEARSALS)])
    norm = average.copies["painter"].norm
    torch.testing.assert_close(norm.running_mean, 5 * noise.mean(1).mean(0))
    torch.testing.assert_close(norm.running_var, 25 * noise.var(1).mean(0))
    assert (norm.momentum, norm.training) == (0.1, False)
    live = game.painter.norm
    assert (live.running_mean.item(), live.running_var.item()) == pytest.approx((0.3, 1.1))
    assert (live.num_batches_tracked.item(), live.momentum, live.training) == (1, 0.1, True)


def test_a_sheet_is_drawn_by_the_average() -> None:
    """White pictures times -3.75, where the live weight is -6, which stands in its place again afterwards."""
    module = played(2, Average(half_life=BATCH, ramp=100))
    sheet = draw(module, Images(torch.ones(3, 1, 1, 1)))
    assert sheet.flatten().tolist() == pytest.approx([-3.75] * 3)
    assert factor(module) == -6.0
    assert not sheet.requires_grad


# Schedules, clipping, constraints


def test_a_schedule_moves_the_rate() -> None:
    """Rates 1 and, after 8 of 16 images, 1/2: -3 - 1.5."""
    module = played(2, schedules={"pull": {"lr": Linear(1.0, 0.0, end_images=16)}})
    assert factor(module) == pytest.approx(-4.5)


def test_adams_betas_go_by_their_papers_names() -> None:
    group = {"lr": 1.0, "betas": (0.5, 0.9)}
    set_field(group, "beta1", 0.1)
    assert group["betas"] == (0.1, 0.9)
    set_field(group, "beta2", 0.2)
    set_field(group, "lr", 3.0)
    assert group == {"lr": 3.0, "betas": (0.1, 0.2)}


def test_gradients_are_clipped_by_their_norm() -> None:
    """A gradient of 3 counts 0.5, twice; what is watched is the gradient as it was."""
    module = played(2, clip=0.5, watch=1)
    assert factor(module) == pytest.approx(-1.0, rel=1e-5)
    assert module.tally.read()["pull/gradient"] == pytest.approx(3.0)


class Pixels(Discriminator):
    """Three weights and a bias, far outside of any limit that a test sets."""

    feature_size = 3

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 1)
        for parameter in self.parameters():
            nn.init.constant_(parameter, 0.5)

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image.flatten(1)

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return self.last(features).squeeze(1)


def test_the_norm_is_that_of_all_gradients_together() -> None:
    """Four gradients of 3 have a norm of 6; clipped to 3, each weight of 0.5 goes by 1.5."""
    module = played(1, clip=3.0, game=Pull(Pixels()))
    for parameter in module.game.parameters():
        assert parameter.flatten().tolist() == pytest.approx([-1.0] * parameter.numel(), rel=1e-5)


def test_clipped_weights_are_brought_back_after_each_step() -> None:
    """0.5 less 3 is -2.5, brought back to -0.25."""
    module = played(1, game=Pull(Clipped(Pixels(), limit=0.25)))
    assert [parameter.unique().tolist() for parameter in module.game.parameters()] == [[-0.25], [-0.25]]


# The tally


def test_a_windows_losses_are_means_over_its_rounds() -> None:
    """3 * 0 and 3 * -3; then the next window is empty."""
    module = played(2)
    assert module.tally.read() == {"pull/pull": -4.5}
    assert module.tally.read() == {}


def test_each_name_is_averaged_over_the_rounds_that_said_it() -> None:
    """A lazy penalty is said in some rounds only: a is 1 and 3, b once 5."""
    tally = Tally()
    tally.add("d", Outcome({"a": torch.tensor(1.0)}, {"b": torch.tensor(5.0)}))
    tally.add("d", Outcome({"a": torch.tensor(3.0)}))
    assert tally.read() == {"d/a": 2.0, "d/b": 5.0}
    assert tally.read() == {}


def test_a_norm_that_is_watched_now_and_then_is_a_mean_over_those_rounds() -> None:
    module = played(3, watch=2)  # of the second round alone
    assert module.tally.read() == pytest.approx({"pull/pull": -9.0, "pull/gradient": 3.0})  # (0 - 9 - 18) / 3
