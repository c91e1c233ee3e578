"""Everything that exact resume needs, as plain containers of tensors and numbers; and back."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import move_data_to_device

from ganctl.chance import set_state_on, state_on
from ganctl.errors import UserError
from ganctl.module import GameModule

State = dict[str, Any]


def capture(module: GameModule, callbacks: Mapping[str, pl.Callback], others: Sequence[State] = ()) -> State:
    """The training state after a whole round. `callbacks`: those with a state, by name; `others`: see `own`."""
    return {
        "images_seen": module.images_seen,
        "rounds": module.rounds,
        "game": module.game.state_dict(),
        "average": module.average.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in module.by_turn.items()},
        **({"scaler": module.scaler.state_dict()} if module.scaler is not None else {}),
        **own(module),
        **({"others": list(others)} if others else {}),
        "callbacks": {name: callback.state_dict() for name, callback in callbacks.items()},
    }


def restore(state: State, module: GameModule, callbacks: Mapping[str, pl.Callback]) -> None:
    """Continue from `capture`'s state; networks and optimizers must be on their device already."""
    module.images_seen, module.rounds = state["images_seen"], state["rounds"]
    try:
        module.game.load_state_dict(state["game"])
    except RuntimeError as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(f"resume: the checkpoint does not fit the game its own config describes ({first})") from error
    refill(module, state.get("buffers") or {})
    module.average.load_state_dict(state["average"])
    for name, optimizer in module.by_turn.items():
        optimizer.load_state_dict(state["optimizers"][name])
    module.tally.load_state_dict(move_data_to_device(state["tally"], module.device))
    if module.scaler is not None and "scaler" in state:
        module.scaler.load_state_dict(state["scaler"])
    for name, callback in callbacks.items():
        callback.load_state_dict(state["callbacks"][name])


@torch.no_grad()
def refill(module: GameModule, buffers: Mapping[str, torch.Tensor]) -> None:
    """Give the game's buffers these values; those that a checkpoint does not hold stay as they are."""
    for name, buffer in module.game.named_buffers():
        if name in buffers:
            buffer.copy_(buffers[name])


def own(module: GameModule) -> State:
    """What differs between the processes of a run on several devices."""
    return {"tally": module.tally.state_dict(), "random": random_states(module.device)}


def others_own(module: GameModule) -> State:
    """`own` of a process other than the first, with the game's buffers, which each fills from its own pictures."""
    return {**own(module), "buffers": dict(module.game.named_buffers())}


def of_rank(state: State, rank: int) -> State:
    """The state as this process left it; as the first did, where it was saved with fewer processes."""
    others = state.get("others") or []
    return {**state, **others[rank - 1]} if 0 < rank <= len(others) else state


def random_states(device: torch.device) -> State:
    """PyTorch's and Python's global generators, and that of the GPU that trains. (NumPy's is not used in training.)"""
    version, words, gauss = random.getstate()
    own = state_on(device)
    states = {} if own is None else {device.type: own}
    return {"torch": torch.get_rng_state(), "device": states, "python": [version, list(words), gauss]}


def restore_random_states(state: State, device: torch.device) -> None:
    """Set the global generators; call right before the first round, when nothing else draws any more.

    device: that trains now, perhaps another GPU than before.
    """
    torch.set_rng_state(state["torch"])
    known = state["device"] if "device" in state else by_number(state["cuda"], device)
    if device.type in known:
        set_state_on(device, known[device.type])
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))


def by_number(states: Sequence[torch.Tensor], device: torch.device) -> State:
    """Of an older checkpoint, which held the states of all GPUs: that of the same number, or else the last."""
    return {"cuda": states[min(device.index or 0, len(states) - 1)]} if states else {}
