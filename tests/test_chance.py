"""Random states are saved, restored and put back on the device that trains; GPUs are pretended, each with a number."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.callbacks.state import random_states, restore_random_states
from ganctl.chance import kept
from ganctl.metrics.isolation import isolated

CPU, GPU, OTHER, APPLE = torch.device("cpu"), torch.device("cuda", 0), torch.device("cuda", 2), torch.device("mps")


@pytest.fixture
def states(monkeypatch) -> dict[Any, Tensor]:
    """Of pretended GPUs: place -> its random state."""
    found = {GPU: torch.tensor([1]), OTHER: torch.tensor([2]), APPLE: torch.tensor([3])}
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: found[device].clone())
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: found.update({device: state}))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: found[APPLE].clone())
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda state: found.update({APPLE: state}))
    return found


def test_the_state_of_the_gpu_that_trained_is_given_to_the_one_that_trains_on(states):
    saved = random_states(OTHER)
    restore_random_states(saved, GPU)
    assert {place: int(state) for place, state in states.items()} == {GPU: 2, OTHER: 2, APPLE: 3}


def test_apples_state_is_saved_and_restored(states):
    saved = random_states(APPLE)
    states[APPLE] = torch.tensor([9])
    restore_random_states(saved, APPLE)
    assert int(states[APPLE]) == 3


@pytest.mark.parametrize(("device", "given"), [(GPU, 5), (OTHER, 6)])
def test_an_older_checkpoint_holds_states_by_number(device, given, states):
    saved = random_states(CPU)
    del saved["device"]
    restore_random_states({**saved, "cuda": [torch.tensor([5]), torch.tensor([6])]}, device)
    assert int(states[device]) == given
    restore_random_states({**saved, "cuda": []}, device)  # of a CPU
    assert int(states[device]) == given


def test_a_run_from_another_kind_of_device_goes_on_without_its_state(states):
    restore_random_states(random_states(APPLE), GPU)
    restore_random_states(random_states(GPU), CPU)
    assert {place: int(state) for place, state in states.items()} == {GPU: 1, OTHER: 2, APPLE: 3}


def test_borrowed_states_are_put_back_on_apples_gpu_too(states):
    for borrowed in (isolated(), kept(APPLE)):
        before = torch.get_rng_state()
        with borrowed:
            torch.rand(3)
            states[APPLE] = torch.tensor([9])
        assert int(states[APPLE]) == 3
        assert torch.equal(torch.get_rng_state(), before)
