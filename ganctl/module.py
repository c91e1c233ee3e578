"""Plays any game inside Lightning: one optimizer step a turn, then the moving average."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganctl.data.batch import Tensors
from ganctl.ema import Average
from ganctl.games.game import Clock, Game, Outcome, Turn
from ganctl.networks.interfaces import Constrained
from ganctl.schedules import Schedule

OptimizerMaker = Callable[[Sequence[nn.Parameter]], Optimizer]


class Tally:
    """Means of the losses over a window of rounds, summed on the device and read once at its end."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, turn: str, outcome: Outcome) -> None:
        for name, value in (*outcome.terms.items(), *outcome.watched.items()):
            key = f"{turn}/{name}"
            value = value.detach().float()
            if key in self.sums:
                self.sums[key] += value
            else:
                self.sums[key] = value.clone()
            self.counts[key] = self.counts.get(key, 0) + 1

    def read(self, shared: Callable[[Tensor], Tensor] = lambda values: values) -> dict[str, float]:
        """Means of the window (one transfer from the device); the next window begins empty.

        shared: the mean over the run's processes, where there are several.
        """
        names = list(self.sums)
        values = shared(torch.stack([self.sums[name] for name in names])).tolist() if names else []
        means = {name: value / self.counts[name] for name, value in zip(names, values, strict=True)}
        self.sums, self.counts = {}, {}
        return means

    def state_dict(self) -> dict[str, Any]:
        """A window half filled, for a checkpoint."""
        return {"sums": dict(self.sums), "counts": dict(self.counts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums, self.counts = dict(state["sums"]), dict(state["counts"])


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
        self.tally = Tally()
        self.watch_gradients = False
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
    def clock(self) -> Clock:
        return Clock(self.images_seen, self.rounds, self.every)

    def configure_optimizers(self) -> list[Optimizer]:
        self.by_turn = {turn.name: self.makers[turn.name](self._parameters_of[turn.name]) for turn in self.turns}
        return list(self.by_turn.values())

    def on_fit_start(self) -> None:
        """A half-precision scaler lives in Lightning's wrappers; without one they only cost time."""
        scaled = getattr(self.trainer.precision_plugin, "scaler", None) is not None
        wrapped = self.optimizers(use_pl_optimizer=scaled)
        wrapped = wrapped if isinstance(wrapped, list) else [wrapped]
        self.average.settle(self.game)
        self.stepping = dict(zip(self.by_turn, wrapped, strict=True))
        if self.device.type == "cpu":
            for optimizer in self.by_turn.values():
                skip_capture_check(optimizer)

    def transfer_batch_to_device(self, batch: Tensors, device: torch.device, dataloader_idx: int) -> Tensors:
        """Batches are made on the device; Lightning's own transfer cannot rebuild frozen dataclasses."""
        return batch.map(lambda value: value.to(device))

    def training_step(self, batch: Tensors, batch_index: int) -> None:
        clock = self.clock
        self._follow_schedules(clock)
        self.game.advance(clock)
        playing = [turn for turn in self.turns if (self.rounds + 1) % self.every.get(turn.name, 1) == 0]
        round = self.game.deal(batch, frozenset(turn.name for turn in playing), clock)
        for turn in playing:
            self._play(turn, round)
        self._freeze([])
        images = len(batch) * self.trainer.world_size
        self.average.update(self.images_seen, images)
        self.images_seen += images
        self.rounds += 1

    def _play(self, turn: Turn, round: Any) -> None:
        self._freeze(self._idle_in[turn.name])
        optimizer = self.stepping[turn.name]
        outcome = turn.loss(round)
        optimizer.zero_grad()
        self.manual_backward(outcome.total)
        if self.watch_gradients:
            outcome = Outcome(outcome.terms, {**outcome.watched, "gradient": self._gradient_norm(turn)})
        if self.clip is not None:
            self.clip_gradients(optimizer, gradient_clip_val=self.clip, gradient_clip_algorithm="norm")
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
