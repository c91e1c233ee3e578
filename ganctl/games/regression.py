"""Picture to picture by content losses alone: one generator and nobody against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.data.batch import Pairs
from ganctl.games.game import Clock, Game, Outcome, Task, Translating, Turn
from ganctl.losses.content import ContentLoss
from ganctl.networks.interfaces import Translator

SHOWN = 8  # pairs on a sheet
TRIPLES = 2  # a row


@dataclass(frozen=True)
class PairedRound:
    """What the turns share."""

    source: Tensor  # [B, C, H, W] in [-1, 1]
    target: Tensor  # [B, C', H', W'] in [-1, 1]
    output: Tensor  # as target; has a graph only if the generator plays this round
    clock: Clock


class RegressionGame(Game, Translating):
    """Every output is drawn to its target, as SRResNet's are (Ledig et al. 2017, section 2.2.1)."""

    batches = Pairs

    def __init__(self, generator: Translator, content: Sequence[ContentLoss]) -> None:
        super().__init__()
        if not content:
            raise ValueError("content: no loss; the generator needs one or more, such as ganctl.losses.content.L1")
        self.generator, self.content, self.reach = generator, nn.ModuleList(content), generator.reach

    def turns(self) -> tuple[Turn, ...]:
        return (Turn("generator", (self.generator,), self.generator_loss),)

    def deal(self, batch: Pairs, playing: frozenset[str], clock: Clock) -> PairedRound:
        with torch.set_grad_enabled("generator" in playing):
            output = self.generator(batch.source)
        return PairedRound(batch.source, batch.target, output, clock)

    def generator_loss(self, round: PairedRound) -> Outcome:
        images_seen = round.clock.images_seen
        return Outcome({type(loss).__name__: loss(round.output, round.target, images_seen) for loss in self.content})

    def notices(self, images: int) -> list[str]:
        return [notice for loss in self.content if (notice := loss.notice())]  # type: ignore[operator]

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def preview(self, batch: Pairs, count: int, generator: torch.Generator) -> Pairs:
        return batch.map(lambda value: value[:SHOWN])

    def sheet(self, inputs: Pairs) -> Tensor:
        """Source, output and target of each pair."""
        output = self.generator(inputs.source)
        triples = torch.stack((alike(inputs.source, inputs.target), output, inputs.target), 1)
        return triples.flatten(0, 1).clamp(-1, 1)

    def sheet_columns(self) -> int:
        return 3 * TRIPLES

    def translate(self, image: Tensor, task: Task) -> Tensor:
        if task.direction not in (None, *self.directions):
            raise ValueError(f"direction: {task.direction!r}; this model was trained in one direction; leave it out")
        if task.target is not None:
            raise ValueError("target: this model makes one picture of each, without a choice; leave it out")
        return self.generator(image)


def alike(source: Tensor, target: Tensor) -> Tensor:
    """A source [B, C, H, W] in the size and channels of its target, to be looked at beside it."""
    if source.shape[2:] != target.shape[2:]:
        source = interpolate(source, target.shape[2:], mode="bicubic")
    channels = target.shape[1]
    if source.shape[1] >= channels:
        return source[:, :channels]
    return source.mean(1, keepdim=True).expand(-1, channels, -1, -1)
