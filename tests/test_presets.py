"""Every paper-size form of conf/model plays on the meta device, where nothing takes memory, and is counted there."""

import re
import shlex
from typing import Any

import pytest
import torch
from model_data import CONF, OPTIONS, PRESETS, overrides, own_side, without_weights

from ganctl.building.weightless import weightless
from ganctl.config.preparation import compose, prepare
from ganctl.games.game import Clock
from ganctl.training.parts import dataset_of, game_of
from ganctl.training.plan import blank, counting, rehearse

ODD = (76, 52)  # 4 times 19 and 13
LATE = Clock(images_seen=10**9, rounds=0)  # every schedule and growth at its end, every lazy penalty due


def settings_of(model: str, channels: int, size: tuple[int, int]) -> dict[str, Any]:
    data = [*overrides(model, [channels, *size]), *without_weights(model)]
    return prepare(compose([f"model={model}", *data, "batch_size=2", "device=cpu"]))


def play(settings: dict[str, Any]) -> int:
    """A round forward and backward: every turn sends gradients to its players. Returns the bytes kept for it."""
    with weightless():
        game = game_of(settings)
    with counting() as kept:
        found = rehearse(game, blank(dataset_of(settings), 2), LATE)
    for turn, outcome in found:
        gradients = torch.autograd.grad(outcome.total, list(turn.parameters()), retain_graph=True, allow_unused=True)
        assert any(gradient is not None for gradient in gradients), turn.name
    return sum(kept.values())


@pytest.mark.parametrize("model", PRESETS)
def test_at_its_own_size(model: str) -> None:
    """Composed, checked, built and played as its paper has it."""
    side = own_side(model)
    settings = settings_of(model, 3, (side, side))
    assert settings["choices"]["model"] == model
    assert play(settings) > 0


@pytest.mark.parametrize("model", PRESETS)
def test_at_an_odd_size(model: str) -> None:
    play(settings_of(model, (1, 2, 4)[PRESETS.index(model) % 3], ODD))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("model", PRESETS)
def test_with_any_channels(model: str, channels: int) -> None:
    play(settings_of(model, channels, ODD))


@pytest.mark.parametrize("name", OPTIONS)
def test_the_command_in_a_models_head_is_sound(name: str) -> None:
    """With noise in place of the data that it names."""
    head = re.search(r"^# ganctl train (.*?)(?:   |$)", (CONF / "model" / f"{name}.yaml").read_text(), re.MULTILINE)
    assert head is not None
    words = [word for word in shlex.split(head[1]) if not word.startswith(("dataset", "init_from"))]
    side = own_side(name)
    prepare(compose([*words, *overrides(name, [3, side, side], count=4096), *without_weights(name)]))
