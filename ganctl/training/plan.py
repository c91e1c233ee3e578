"""What `dry_run=true` prints: the checked config, networks, memory, device, data and notices. Nothing is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganctl.building.weightless import weightless
from ganctl.data.batch import Tensors
from ganctl.data.dataset import Dataset
from ganctl.devices import place, precision_of
from ganctl.games.game import Clock, Game, Outcome, Turn
from ganctl.metrics.panels import quick_panel
from ganctl.networks.interfaces import Network
from ganctl.training import parts
from ganctl.training.session import Stage, set_up, watched_score

COPIES = 4  # of a trained parameter: itself, its gradient, and Adam's two moments
BYTES = 4  # of an fp32 number


def plan(settings: dict[str, Any]) -> str:
    """The plan of a training, in words. Raises UserError as the training would: the data is opened, if it is here."""
    import yaml

    awaited, stage = begin(settings)
    with weightless():
        game = parts.game_of(settings)
    placement = stage.placement if stage else place(settings["device"])
    precision = precision_of(settings["precision"], placement, settings["description"]["shape"])
    count = len(stage.table) if stage else settings["description"]["count"]
    blocks = [
        yaml.safe_dump(settings, sort_keys=False).rstrip(),
        "\n".join(network_lines(game)),
        memory_line(game, stage.dataset if stage else parts.dataset_of(settings), settings),
        f"device     {placement.accelerator} ({placement.reason}), precision {precision}",
        data_line(count, settings["images"], awaited),
        *(f"notice     {notice}" for notice in game.notices(settings["images"])),
    ]
    return "\n\n".join(blocks)


def begin(settings: dict[str, Any], search: str | None = None) -> tuple[str, Stage | None]:
    """What a training would download first, and where there is no such thing, all that it would begin with.

    search: a score that its evaluations must give. Raises UserError where it could not begin.
    """
    awaited = parts.dataset_of(settings).awaited()
    if awaited:
        return awaited, None
    stage = set_up(settings)
    if (score := search or watched_score(settings)) is not None:
        with weightless():
            game = parts.game_of(settings)
        option, device = "search" if search else "early_stop", stage.placement.torch_device
        quick_panel(settings, stage.dataset, stage.table, game, score, device, option)
    return awaited, stage


def data_line(count: int, images: int, awaited: str) -> str:
    """How often each picture will be seen; awaited: what is to be downloaded before that."""
    words = f"data       {count:,} images, each seen {images / count:.1f} times"
    return f"{words}; {awaited} is not here yet, and the first training downloads it" if awaited else words


def network_lines(game: Game) -> Iterator[str]:
    """Each network with its parameters and the sizes of its stages."""
    for name, module in game.named_children():
        if count := parameters_of(module):
            yield f"{name:<15}{type(module).__name__}, {count:,} parameters"
        if isinstance(module, Network) and module.stages():
            yield " " * 15 + " -> ".join("x".join(map(str, stage)) for stage in module.stages())
        if isinstance(module, Network) and module.remark():
            yield " " * 15 + module.remark()


def memory_line(game: Game, dataset: Dataset, settings: dict[str, Any]) -> str:
    """An estimate: weights with optimizer and average, and what one round keeps for its backward passes in fp32."""
    weights = parameters_of(game) * BYTES * COPIES
    average = sum(parameters_of(getattr(game, name)) for name in game.averaged()) * BYTES
    words = f"memory     about {size(weights + average)} for weights, optimizers and average"
    images, batch_size = settings["images"], settings["batch_size"]
    batch_size = game.batch_size(images, batch_size)
    activations = kept_for_backward(game, dataset, images, batch_size)
    return words + ("" if activations is None else f", {size(activations)} for a batch of {batch_size}")


def parameters_of(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(parameter.numel() for parameter in module.parameters())


def kept_for_backward(game: Game, dataset: Dataset, images: int, batch_size: int) -> int | None:
    """Bytes that the graphs of a round keep, after so many images (a growing model is at its largest at the end).

    Counted on the meta device; None for a part of one's own that looks at values, which are not there.
    """
    clock = Clock(images, rounds=0)  # every lazy penalty is due
    with counting() as kept:
        try:
            rehearse(game, blank(dataset, batch_size), clock)
        except (NotImplementedError, RuntimeError):
            return None
    return sum(kept.values())


def blank(dataset: Dataset, batch_size: int) -> Tensors:
    """A batch on the meta device."""
    with torch.device("meta"):
        return dataset.blank(batch_size)


def rehearse(game: Game, batch: Tensors, clock: Clock) -> list[tuple[Turn, Outcome]]:
    """A round in which everybody plays and nobody moves: each turn with what it found."""
    turns = game.turns()
    game.advance(clock)
    round = game.deal(batch, frozenset(turn.name for turn in turns), clock)
    return [(turn, turn.loss(round)) for turn in turns]


@contextmanager
def counting() -> Iterator[dict[int, int]]:
    """Storage -> bytes, of everything that autograd keeps inside."""
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # else a freed storage's identity would be counted for another

    def keep(value: Tensor) -> Tensor:
        alive.append(value)
        kept[id(value.untyped_storage())] = value.numel() * value.element_size()
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        yield kept


def size(count: float) -> str:
    """Bytes in the unit that reads best."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
