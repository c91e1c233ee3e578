"""Every conf/model/*.yaml: composed, checked, built and played for a few rounds; found by itself, none is listed here.

`make smoke` adds every pair of a model with a loss or an augmentation: it plays, or is refused with a remedy.
"""

import re
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from model_data import MODELS, overrides
from torch import Tensor

from ganctl.building.build import build
from ganctl.building.weightless import weightless
from ganctl.config.preparation import compose, prepare
from ganctl.data.batch import Tensors
from ganctl.data.dataset import Table
from ganctl.data.stream import Handed, Stream, fixed
from ganctl.ema import Average
from ganctl.errors import UserError
from ganctl.games.game import Game, Generative, Turn, Wish
from ganctl.module import GameModule
from ganctl.networks.interfaces import Growing
from ganctl.training.parts import dataset_of, game_of, module_of
from ganctl.training.plan import kept_for_backward

CONF = Path(__file__).resolve().parents[1] / "conf"
BATCH, SIDE, CLASSES = 8, 16, 3
LATE = 10**9  # images: every schedule is at its end
GROWTH = [1000 * 2**power for power in range(15)]  # images: some in every stage of a growing model
REMEDY = re.compile(r"set |choose |take |leave |give |must ")


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def settings_of(model: str, *others: str) -> dict[str, Any]:
    data = overrides(model, [1, SIDE, SIDE], CLASSES)
    return prepare(compose([f"model={model}", *data, f"batch_size={BATCH}", *others]))


class Watched(GameModule):
    """Notes who moved and who had a gradient in each turn; visits the given images seen, `stay` rounds each."""

    def visit(self, moments: list[int], stay: int) -> int:
        """Returns the number of rounds that the visit takes."""
        self.moments = chain.from_iterable(repeat(moment, stay) for moment in moments)
        self.touched: set[int] = set()
        self.played: list[str] = []
        return len(moments) * stay

    def play(self, batch: Tensors) -> None:
        self.images_seen = next(self.moments)
        super().play(batch)

    def _take(self, turn: Turn, round: Any) -> None:
        players = {id(parameter) for parameter in turn.parameters()}
        weights, gradients = self.weights(), self.gradients()
        super()._take(turn, round)
        moved, pushed = changed(weights, self.weights()), changed(gradients, self.gradients())
        own = {name for name, parameter in self.game.named_parameters() if id(parameter) in players}
        steps = any(group["lr"] for group in self.by_turn[turn.name].param_groups)  # schedules may end at 0
        assert moved or not steps, f"{turn.name} moved nobody"
        assert moved <= own, f"{turn.name} moved {sorted(moved - own)}"
        assert pushed <= own, f"{turn.name} left gradients in {sorted(pushed - own)}"
        self.touched |= {id(p) for p in turn.parameters() if p.grad is not None}
        self.played.append(turn.name)

    def weights(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self.game.named_parameters()}

    def gradients(self) -> dict[str, Tensor]:
        found = {name: parameter.grad for name, parameter in self.game.named_parameters()}
        return {name: torch.empty(0) if gradient is None else gradient.clone() for name, gradient in found.items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(before[name], value)}


def play(settings: dict[str, Any], moments: list[int]) -> tuple[Watched, Table]:
    """A module that has played; asserts that all stayed finite and that nobody moved out of turn."""
    torch.manual_seed(0)
    game = game_of(settings)
    if any(isinstance(module, Growing) for module in game.modules()):
        moments = [moments[0], *GROWTH, *moments[1:]]
    module = watched(settings, game)
    table = dataset_of(settings).open(torch.device("cpu"))
    rounds = module.visit(moments, stay=max(settings["model"]["every"].values(), default=1))
    loader = Handed(Stream(table, lambda seen: BATCH, seed=0))
    trainer = pl.Trainer(accelerator="cpu", barebones=True, limit_train_batches=rounds, max_epochs=1)
    trainer.fit(module, loader)
    for name, value in module.tally.read().items():
        assert torch.tensor(value).isfinite(), f"{name} is {value}"
    for name, parameter in game.named_parameters():
        assert parameter.isfinite().all(), f"{name} is not finite"
    return module, table


def watched(settings: dict[str, Any], game: Game) -> Watched:
    """As `module_of`, of the class that watches."""
    plain = module_of(settings, game)
    average = build({"_target_": "ganctl.ema.Average", **settings["model"]["average"]}, Average, "model.average")
    return Watched(game, plain.makers, average, plain.every, plain.schedules, plain.clip)


def counted(settings: dict[str, Any]) -> int | None:
    """Bytes of a round, as `dry_run=true` counts them."""
    with weightless():
        game = game_of(settings)
    return kept_for_backward(game, dataset_of(settings), settings["images"], BATCH)


def check_picture(picture: Tensor, shape: list[int], least: int) -> None:
    assert picture.shape[0] >= least
    assert list(picture.shape[1:]) == shape
    assert picture.isfinite().all()
    assert picture.abs().max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_plays(model: str) -> None:
    """Its own loss: every turn plays, every player's parameter receives a gradient, samples are as promised.

    And `dry_run=true` tells how much memory a round keeps, however the model is dealt its batches.
    """
    settings = settings_of(model)
    assert counted(settings)
    module, table = play(settings, [0, LATE])
    game, shape = module.game, settings["dataset"]["shape"]
    assert set(module.played) == {turn.name for turn in game.turns()}
    names = {id(parameter): name for name, parameter in game.named_parameters()}
    players = {id(parameter) for turn in game.turns() for parameter in turn.parameters()}
    untouched = sorted(names[key] for key in players - module.touched)
    assert not untouched, f"no gradient ever reached {untouched}"
    game.eval()
    with torch.inference_mode(), module.average.standing_in(game):
        sheet = game.sheet(game.preview(fixed(table, 4), 4, torch.Generator().manual_seed(0)))
        check_picture(sheet, shape, least=4)
        if isinstance(game, Generative):
            wish = Wish(5)
            check_picture(game.paint(game.request(wish, torch.Generator().manual_seed(0))), shape, least=5)


def plays_or_is_refused(*choice: str) -> None:
    """A few rounds, or a refusal that says what to do instead."""
    settings, mistakes = accepted(*choice)
    if settings is None:
        assert all(REMEDY.search(mistake) for mistake in mistakes), mistakes
    else:
        play(settings, [0, LATE])


def accepted(*choice: str) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    try:
        return settings_of(*choice), ()
    except UserError as refusal:
        return None, refusal.mistakes


@pytest.mark.slow
@pytest.mark.parametrize("loss", options("loss"))
@pytest.mark.parametrize("model", MODELS)
def test_every_loss(model: str, loss: str) -> None:
    plays_or_is_refused(model, f"loss={loss}")


@pytest.mark.slow
@pytest.mark.parametrize("augment", options("augment"))
@pytest.mark.parametrize("model", MODELS)
def test_every_augment(model: str, augment: str) -> None:
    plays_or_is_refused(model, f"augment={augment}")
