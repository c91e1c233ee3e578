"""Plays any game inside Lightning: one optimizer step a turn, then the moving average."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganctl.data.batch import Tensors
from ganctl.ema import Average
from ganctl.games.game import Clock, Game, Outcome, Turn
from ganctl.networks.interfaces import Constrained
from ganctl.precision import full_precision
from ganctl.schedules import Schedule

OptimizerMaker = Callable[[Sequence[nn.Parameter]], Optimizer]


class Tally:
    """Means of the losses over a window of rounds, summed on the device and read once at its end."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, ...], Tensor] = {}  # names said together -> their sums, [names] fp32
        self.counts: dict[tuple[str, ...], int] = {}

    def add(self, turn: str, outcome: Outcome) -> None:
        """All numbers of an outcome in one addition: one for each would cost a small network more than its layers."""
        said = {**outcome.terms, **outcome.watched}
        names = tuple(f"{turn}/{name}" for name in said)
        values = torch.stack([value.detach().float() for value in said.values()])
        self.sums[names] = self.sums[names] + values if names in self.sums else values
        self.counts[names] = self.counts.get(names, 0) + 1

    def read(self, shared: Callable[[Tensor], Tensor] = lambda values: values) -> dict[str, float]:
        """Means of the window (one transfer from the device); the next window begins empty.

        shared: the mean over the run's processes, where there are several.
        """
        sums, counts = self.by_name()
        values = shared(torch.stack(list(sums.values()))).tolist() if sums else []
        means = {name: value / counts[name] for name, value in zip(sums, values, strict=True)}
        self.sums, self.counts = {}, {}
        return means

    def by_name(self) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Sums and counts of each name, whatever it was said together with."""
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for names, values in self.sums.items():
            for name, value in zip(names, values, strict=True):
                sums[name] = sums[name] + value if name in sums else value
                counts[name] = counts.get(name, 0) + self.counts[names]
        return sums, counts

    def state_dict(self) -> dict[str, Any]:
        """A window half filled, for a checkpoint: as it is, since sums in another order round differently."""
        return {
            "names": [list(names) for names in self.sums],
            "sums": list(self.sums.values()),
            "counts": list(self.counts.values()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        keys = [tuple(names) for names in state["names"]]
        self.sums, self.counts = (
            dict(zip(keys, state["sums"], strict=True)),
            dict(zip(keys, state["counts"], strict=True)),
        )


class Pace(Protocol):
    """When Lightning, and with it every callback, has its turn."""

    def begin(self) -> None:
        """Rounds are played from now on."""

    def due(self, before: int, after: int, rounds: int) -> bool:
        """Whether it is after this round: images seen before and after it, rounds played."""


class EachRound:
    """After every round."""

    def begin(self) -> None:
        """Nothing to note."""

    def due(self, before: int, after: int, rounds: int) -> bool:
        return True


class GameModule(pl.LightningModule):
    """The only place that calls backward and step.

    A round: deal, then for each turn that plays: freeze everybody else, lower the turn's loss by one step; then the
    average follows, and the two clocks (`images_seen`, `rounds`) move on.
    """

    def __init__(
        self,
        game: Game,
        optimizers: Mapping[str, OptimizerMaker],
        average: Average,
        every: Mapping[str, int],
        schedules: Mapping[str, Mapping[str, Schedule]],
        clip: float | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.game, self.average, self.makers = game, average, optimizers
        self.turns, self.every, self.schedules, self.clip = game.turns(), every, schedules, clip
        self.images_seen = self.rounds = 0
        self.told_at = 0  # images seen when the callbacks were told last; they ask for it to know what is due
        self.tally = Tally()
        self.watch_every = 0  # the gradients' norm is taken in every so many-th round; 0: never
        self.pace: Pace = EachRound()
        self.by_turn: dict[str, Optimizer] = {}
        self._parameters_of = {turn.name: turn.parameters() for turn in self.turns}
        self._idle_in = {turn.name: self._others(turn) for turn in self.turns}
        self._constrained = {turn.name: constrained_in(turn) for turn in self.turns}
        self._frozen: list[nn.Parameter] = []
        self._hold_spectators()
        average.follow(game)

    def _others(self, turn: Turn) -> list[nn.Parameter]:
        """Parameters of the players who are not at this turn."""
        own = {id(parameter) for parameter in turn.parameters()}
        everybody = {id(p): p for parameters in self._parameters_of.values() for p in parameters}
        return [parameter for key, parameter in everybody.items() if key not in own]

    def _hold_spectators(self) -> None:
        """What no turn trains (a frozen first stage, a fixed feature network) never needs gradients."""
        players = {id(p) for parameters in self._parameters_of.values() for p in parameters}
        for parameter in self.game.parameters():
            if id(parameter) not in players:
                parameter.requires_grad_(False)

    @property
    def scaler(self) -> Any:
        """What keeps half-precision gradients from vanishing (precision=16), or None."""
        return getattr(self.trainer.precision_plugin, "scaler", None)

    @property
    def clock(self) -> Clock:
        return Clock(self.images_seen, self.rounds, self.every)

    def configure_optimizers(self) -> list[Optimizer]:
        self.by_turn = {turn.name: self.makers[turn.name](self._parameters_of[turn.name]) for turn in self.turns}
        return list(self.by_turn.values())

    def on_fit_start(self) -> None:
        """A half-precision scaler, and what several processes tell each other, live in Lightning's wrappers.

        Without either they only cost time: a tenth of the round of a small network.
        """
        wraps = self.scaler is not None or self.trainer.world_size > 1
        self.lower: Callable[[Tensor], None] = self.manual_backward if wraps else Tensor.backward
        wrapped = self.optimizers(use_pl_optimizer=wraps)
        wrapped = wrapped if isinstance(wrapped, list) else [wrapped]
        self.average.settle(self.game)
        self.stepping = dict(zip(self.by_turn, wrapped, strict=True))
        if self.device.type == "cpu":
            for optimizer in self.by_turn.values():
                skip_capture_check(optimizer)

    def transfer_batch_to_device(
        self, batches: Iterator[Tensors], device: torch.device, dataloader_idx: int
    ) -> Iterator[Tensors]:
        """Batches are made on the device."""
        return batches

    def training_step(self, batches: Iterator[Tensors], index: int) -> None:
        """One round after another, until the callbacks are to be told."""
        self.pace.begin()
        self.told_at = self.images_seen
        for batch in batches:
            before = self.images_seen
            self.play(batch)
            if self.pace.due(before, self.images_seen, self.rounds):
                break

    def play(self, batch: Tensors) -> None:
        """One round."""
        clock = self.clock
        self._follow_schedules(clock)
        self.game.advance(clock)
        playing = [turn for turn in self.turns if (self.rounds + 1) % self.every.get(turn.name, 1) == 0]
        round = self.game.deal(batch, frozenset(turn.name for turn in playing), clock)
        for turn in playing:
            self._take(turn, round)
        self._freeze([])
        images = len(batch) * self.trainer.world_size
        self.average.update(self.images_seen, images)
        self.images_seen += images
        self.rounds += 1

    def _take(self, turn: Turn, round: Any) -> None:
        self._freeze(self._idle_in[turn.name])
        optimizer = self.stepping[turn.name]
        outcome = turn.loss(round)
        total = outcome.total
        optimizer.zero_grad()
        with full_precision(self.device):  # else autocast would round a penalty's second derivatives
            self.lower(total)
        if self.watch_every and (self.rounds + 1) % self.watch_every == 0:
            outcome = Outcome(outcome.terms, {**outcome.watched, "gradient": self._gradient_norm(turn)})
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self._parameters_of[turn.name], self.clip)
        optimizer.step()
        for module in self._constrained[turn.name]:
            module.constrain()
        self.tally.add(turn.name, outcome)

    def _gradient_norm(self, turn: Turn) -> Tensor:
        gradients = [p.grad for p in self._parameters_of[turn.name] if p.grad is not None]
        return torch.nn.utils.get_total_norm(gradients)

    def _freeze(self, parameters: list[nn.Parameter]) -> None:
        """Freeze these and thaw what was frozen before."""
        for parameter in self._frozen:
            parameter.requires_grad_(True)
        for parameter in parameters:
            parameter.requires_grad_(False)
        self._frozen = parameters

    def _follow_schedules(self, clock: Clock) -> None:
        for turn, fields in self.schedules.items():
            for group in self.by_turn[turn].param_groups:
                for name, schedule in fields.items():
                    set_field(group, name, schedule.at(clock.images_seen))


def constrained_in(turn: Turn) -> list[Constrained]:
    """The constrained modules among a turn's players."""
    return [module for player in turn.players for module in player.modules() if isinstance(module, Constrained)]


def skip_capture_check(optimizer: Optimizer) -> None:
    """On a CPU, spare each step the question whether a CUDA graph is being captured.

    Where PyTorch is a CUDA build and no driver is there, the answer costs a search for NVIDIA's library: 0.4 ms a step.
    """
    name = "_accelerator_graph_capture_health_check"
    if name in vars(Optimizer):
        vars(optimizer)[name] = lambda: None


def set_field(group: dict[str, Any], name: str, value: float) -> None:
    """Set an optimizer's field; Adam's second beta is called `beta2`, as papers do."""
    if name in ("beta1", "beta2"):
        first, second = group["betas"]
        group["betas"] = (value, second) if name == "beta1" else (first, value)
    else:
        group[name] = value
