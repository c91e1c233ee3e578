"""Four words: a game is played in rounds, a round in turns, and every turn has an outcome."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganctl.data.batch import Images, Tensors, at_once

REHEARSAL = 64  # pictures a rehearsal makes at once


@dataclass(frozen=True)
class Clock:
    """Where training stands. Both numbers live in the checkpoint; every schedule and interval is derived from them."""

    images_seen: int  # real images dealt so far, over all devices
    rounds: int  # rounds played so far
    every: Mapping[str, int] = field(default_factory=dict)  # turn -> it plays in every k-th round only

    def plays(self, turn: str) -> int:
        """How often a turn was played so far; lazy penalties count these, so that none falls between two turns."""
        return self.rounds // self.every.get(turn, 1)


@dataclass(frozen=True)
class Outcome:
    """What one turn found: `terms` are weighted already, summed and lowered; `watched` is only shown."""

    terms: Mapping[str, Tensor]  # name -> scalar
    watched: Mapping[str, Tensor] = field(default_factory=dict)  # name -> scalar

    @property
    def total(self) -> Tensor:
        return torch.stack(tuple(self.terms.values())).sum()


@dataclass(frozen=True)
class Turn:
    """One optimizer's move: the modules it trains and the loss it lowers."""

    name: str
    players: tuple[nn.Module, ...]
    loss: Callable[[Any], Outcome]  # takes the Round that the game dealt

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for player in self.players for parameter in player.parameters()]


@dataclass(frozen=True)
class Wish:
    """What a user asks of a generator; what a game cannot grant it refuses by ValueError, in words."""

    count: int
    label: Tensor | None = None  # [count] int64 class or [count, K] attributes; None leaves it to the game
    truncation: float | None = None  # 1 = the whole distribution, towards 0 = its middle; None = as trained
    style_mix: int | None = None  # layer from which a second style takes over (style-based generators)
    code: str | None = None  # name of the latent code to sweep (InfoGAN)
    text: str | Sequence[str] | None = None  # a caption for all, or one for each picture (captioned games)


@dataclass(frozen=True)
class Task:
    """What a user asks of a game that makes pictures from pictures; what it cannot do it refuses by ValueError."""

    direction: str | None = None  # one of the game's `directions`; None: its first
    target: Tensor | None = None  # [B] int64 class or [B, K] attributes to show: 1, 0 or NaN (as the picture has it)


class Game(nn.Module, ABC):
    """The rules: who plays, in which turn, for which loss. Owns the networks; knows no optimizer, file or trainer.

    A training round is played by `ganctl.module.GameModule`:

        round = game.deal(batch, playing, clock)
        for turn in game.turns():
            if turn.name in playing:
                turn.loss(round).total.backward()   # only turn.players receive gradients
    """

    batches: ClassVar[type[Tensors]] = Images  # what it is dealt

    @abstractmethod
    def turns(self) -> tuple[Turn, ...]:
        """The turns in order of play; names are the keys of `model.optimizers`."""

    @abstractmethod
    def deal(self, batch: Any, playing: frozenset[str], clock: Clock) -> Any:
        """The Round that this round's turns share: the batch and the fakes.

        Fakes are made here, before anything is frozen, and with a graph only if their maker is in `playing`.
        A graph serves one backward, and does not survive its makers' step.
        """

    @abstractmethod
    def averaged(self) -> tuple[str, ...]:
        """Names of the attributes (modules) that the moving average follows: what will be sampled."""

    @abstractmethod
    def preview(self, batch: Any, count: int, generator: torch.Generator) -> Tensors:
        """Inputs fixed for the whole run, so that pictures compare in time. `batch`: the first `count` images."""

    @abstractmethod
    def sheet(self, inputs: Any) -> Tensor:
        """Pictures [N, C, H, W] in [-1, 1] of `preview`'s inputs (N a multiple of len(inputs)), row by row."""

    def sheet_columns(self) -> int | None:
        """Pictures in a row of `sheet`, where a row means something; None leaves it to the trainer."""
        return None

    def legend(self, inputs: Any) -> Sequence[str]:
        """What each row of `sheet` was made from, in words; nothing where that says nothing."""
        return ()

    def parameter_counts(self) -> dict[str, int]:
        """How many numbers each network learns; nothing of those that learn none."""
        counts = {name: sum(each.numel() for each in network.parameters()) for name, network in self.named_children()}
        return {name: count for name, count in counts.items() if count}

    def inherits(self) -> Mapping[str, str]:
        """With `init_from=RUN`: attributes (modules) that begin as that run's -> their names there."""
        return {name: name for name in self.averaged()}

    def orphaned(self) -> str:
        """What this game lacks without `init_from=RUN`, in words; empty where it can begin from nothing."""
        return ""

    def notices(self, images: int) -> Sequence[str]:
        """What a training of so many images should know from its start, in words.

        Above all what stands in for a part of the paper, and what such a length does not reach.
        """
        return ()

    def advance(self, clock: Clock) -> None:
        """Called at the start of every round: growth, schedules. Whatever must survive a resume is in buffers."""

    def batch_size(self, images_seen: int, batch_size: int) -> int:
        """How many images the next round takes; growing games override it."""
        return batch_size

    def batch_sizes(self, batch_size: int) -> frozenset[int]:
        """All values that `batch_size` will take."""
        return frozenset({batch_size})

    def status(self) -> str:
        """What the progress line says beside the losses, and a sheet below its pictures, e.g. the stage of growth."""
        return ""


class Generative(Game):
    """A game whose pictures are drawn from noise (and perhaps a label, a code, a text)."""

    @abstractmethod
    def request(self, wish: Wish, generator: torch.Generator) -> Tensors:
        """Draw all inputs of `wish.count` pictures at once, on the CPU, so that batching cannot change them."""

    def columns(self, wish: Wish) -> int | None:
        """Pictures in a row of the wish's sheet, where a row means something; None: as square as can be."""
        return None

    @abstractmethod
    def paint(self, inputs: Any) -> Tensor:
        """Pictures [B, C, H, W] in [-1, 1]; each depends on its own inputs only (networks in eval mode)."""

    def preview(self, batch: Any, count: int, generator: torch.Generator) -> Tensors:
        return self.request(Wish(count), generator)

    def sheet(self, inputs: Any) -> Tensor:
        one = self.paint(inputs.map(lambda value: value[:1]))  # tells how large they are
        return torch.cat([self.paint(piece) for piece in inputs.split(at_once(one.shape[1:], len(inputs)))])

    def rehearse(self, generator: torch.Generator) -> None:
        """One forward of the averaged modules on inputs as sampling will draw them, to measure batch statistics."""
        device = next(self.parameters()).device
        self.paint(self.request(Wish(REHEARSAL), generator).map(lambda value: value.to(device)))


class Translating(ABC):
    """Beside Game: pictures in, pictures out. Networks handle any picture size, padding where they must."""

    directions: tuple[str, ...] = ("forward",)
    reach: int | None = None  # pixels as far as which an output depends on its inputs; None: on the whole picture
    any_size: bool = True  # False: only pictures of the size that it was trained on

    @abstractmethod
    def translate(self, image: Tensor, task: Task) -> Tensor:
        """image [B, C, H, W] in [-1, 1], as the dataset's source is -> pictures [B, C', H', W'] in [-1, 1].

        Each depends on its own input only (networks in eval mode, no dropout). ValueError for what cannot be done.
        """
