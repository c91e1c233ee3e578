"""The moving average of what is sampled: smoother and better than the live generator."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganctl.games.game import Game, Generative
from ganctl.schedules import Schedule, value_at

REHEARSALS = 32  # batches over which batch statistics are measured
REHEARSAL_SEED = 20_160_101  # any fixed number: the same inputs at every measurement


class Average(nn.Module):
    """Copies of a game's averaged modules, drawn towards the live ones after every round.

    `half_life`: images after which an old weight still counts half (Karras et al. 2020a); at the start of training it
    is held to `ramp` times the images seen, so that the average does not carry the first, random weights for long.
    """

    def __init__(self, half_life: float | Schedule = 10_000.0, ramp: float = 0.05) -> None:
        if ramp <= 0:
            raise ValueError(f"ramp: {ramp}; must be more than 0")
        super().__init__()
        self.half_life, self.ramp = half_life, ramp
        self.copies = nn.ModuleDict()
        self._measured = False  # since the last update
        self._kept: tuple[list[Tensor], list[Tensor]] = ([], [])  # parameters and buffers of the copies
        self._live: tuple[list[Tensor], list[Tensor]] = ([], [])  # and of what they follow

    def follow(self, game: Game) -> None:
        """Begin with copies of the game's averaged modules as they are now."""
        for name in game.averaged():
            self.copies[name] = deepcopy(getattr(game, name)).eval().requires_grad_(False)

    def decay(self, images_seen: int, images: int) -> float:
        """Share of the old average that stays after a round of `images`."""
        half_life = min(value_at(self.half_life, images_seen), self.ramp * (images_seen + images))
        return 0.5 ** (images / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, images_seen: int, images: int) -> None:
        """One round later: parameters move by a share, buffers are taken over as they are."""
        self._measured = False
        torch._foreach_lerp_(self._kept[0], self._live[0], 1 - self.decay(images_seen, images))
        if self._kept[1]:
            torch._foreach_copy_(self._kept[1], self._live[1])

    def settle(self, game: Game) -> None:
        """Remember which tensor follows which; once all are on their device."""
        pairs = [(copy, getattr(game, name)) for name, copy in self.copies.items()]
        self._kept = tensors(copy for copy, _ in pairs)
        self._live = tensors(live for _, live in pairs)

    @contextmanager
    def standing_in(self, game: Game) -> Iterator[None]:
        """Inside, the game's averaged modules are the averages: for sampling only."""
        live = {name: getattr(game, name) for name in self.copies}
        try:
            for name, copy in self.copies.items():
                setattr(game, name, copy)
            yield
        finally:
            for name, module in live.items():
                setattr(game, name, module)

    @contextmanager
    def sampled(self, game: Game) -> Iterator[None]:
        """Inside, the game is as it is sampled: averages with statistics of their own, in eval mode."""
        self.measure(game)
        training = game.training
        game.eval()
        try:
            with self.standing_in(game):
                yield
        finally:
            game.train(training)

    @torch.no_grad()
    def measure(self, game: Game) -> None:
        """Measure the averages' batch statistics anew: those of the live weights do not fit averaged ones.

        Inputs come from a generator of its own, so training stays bit for bit what it would be without. A game that
        cannot draw its inputs from noise keeps the live statistics, which are means over many batches of real ones.
        """
        norms = [module for module in self.copies.modules() if isinstance(module, _BatchNorm)]
        if not norms or self._measured or not isinstance(game, Generative):
            return
        self._measured = True
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative mean
            norm.train()
        generator = torch.Generator().manual_seed(REHEARSAL_SEED)
        with self.standing_in(game):
            for _ in range(REHEARSALS):
                game.rehearse(generator)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


def tensors(modules: Iterable[nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    """All parameters, without their graphs, and all buffers of the modules."""
    found = list(modules)
    parameters = [parameter.detach() for module in found for parameter in module.parameters()]
    return parameters, [buffer for module in found for buffer in module.buffers()]


def averaged(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The weights of one averaged module of the game, from the state of an `Average`; none where it follows others."""
    return below(f"copies.{name}.", state)


def below(head: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries whose names begin so, under the rest of their names."""
    return {key.removeprefix(head): value for key, value in weights.items() if key.startswith(head)}
