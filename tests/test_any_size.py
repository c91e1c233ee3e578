"""Every conf/model/*.yaml plays at any size and with one to four channels, forward and backward."""

import pytest
import torch
from model_data import MODELS, fitting, overrides

from ganctl.config.preparation import compose, prepare
from ganctl.data.stream import Stream
from ganctl.games.game import Clock
from ganctl.training.parts import dataset_of, game_of

SIZES = [(28, 28), (32, 32), (64, 64), (100, 100), (96, 32)]


@pytest.mark.parametrize("size", SIZES[1:], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("model", MODELS)
def test_plays_forward_and_backward(model: str, size: tuple[int, int]) -> None:
    channels = 1 + (MODELS.index(model) + SIZES.index(size)) % 4  # each model meets all four over these sizes
    play(model, channels, size)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("model", MODELS)
def test_plays_with_any_channels(model: str, channels: int) -> None:
    play(model, channels, (28, 28))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("model", MODELS)
def test_every_pair(model: str, size: tuple[int, int], channels: int) -> None:
    play(model, channels, size)


def play(model: str, channels: int, size: tuple[int, int]) -> None:
    chosen = [f"model={model}", *overrides(model, [channels, *size], count=8), "batch_size=4"]
    settings = prepare(compose([*chosen, "device=cpu"]))
    torch.manual_seed(0)
    game = game_of(settings)
    batch = next(iter(Stream(dataset_of(settings).open(torch.device("cpu")), lambda _: 4, seed=0)))
    clock = Clock(images_seen=10**9, rounds=0)  # every schedule and growth at its end, every lazy penalty due
    game.advance(clock)
    round = game.deal(batch, frozenset(turn.name for turn in game.turns()), clock)
    for turn in game.turns():
        game.zero_grad()
        turn.loss(round).total.backward(retain_graph=True)
        gradients = [parameter.grad for parameter in turn.parameters() if parameter.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
    game.eval()
    with torch.no_grad():
        inputs = game.preview(batch, 2, torch.Generator().manual_seed(0))
        sheet = game.sheet(inputs)
    assert len(sheet) % len(inputs) == 0
    assert sheet.shape[1:] == (fitting(model, channels), *size)
    assert -1 <= sheet.min() <= sheet.max() <= 1
