"""Two domains without pairs: there and back again must lead to the start (CycleGAN)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganctl.data.batch import Unpaired
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Game, Outcome, Task, Translating, Turn
from ganctl.games.pool import FakePool
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Shape, Translator

SHOWN = 8  # pictures of each domain on a sheet


@dataclass(frozen=True)
class CycleRound:
    """What the two turns share."""

    a: Tensor  # [B, C, H, W] in [-1, 1]
    b: Tensor
    fake_a: Tensor  # b2a(b); has a graph only if the generators play this round
    fake_b: Tensor  # a2b(a)
    clock: Clock


class CycleGame(Game, Translating):
    """Zhu et al. 2017. Their G, F, X, Y, D_X, D_Y are a2b, b2a, a, b, critic_a, critic_b.

    cycle: weight of the cycle consistency loss (eq. 2); identity: weight of the identity loss (section 5.2) relative
    to it, 0 leaves it out; adversarial_weight: of the adversarial losses in the generators' turn.
    pool: fakes of each domain that are kept to train the discriminators; shape: of one picture.
    """

    batches = Unpaired
    directions = ("a2b", "b2a")

    def __init__(
        self,
        a2b: Translator,
        b2a: Translator,
        critic_a: Discriminator,
        critic_b: Discriminator,
        adversarial: AdversarialLoss,
        augment: Augment,
        shape: Shape,
        penalties: Sequence[Regularizer] = (),
        cycle: float = 10.0,
        identity: float = 0.5,
        adversarial_weight: float = 1.0,
        pool: int = 50,
    ) -> None:
        super().__init__()
        self.a2b, self.b2a, self.critic_a, self.critic_b = a2b, b2a, critic_a, critic_b
        self.cycle, self.identity, self.adversarial_weight = cycle, identity, adversarial_weight
        self.pool_a, self.pool_b, self.augment = FakePool(pool, shape), FakePool(pool, shape), augment
        others = deepcopy(list(penalties))  # a penalty may remember scores, so each critic has its own
        self.penalties = nn.ModuleList([*penalties, *others])
        self.contest_a = Contest(critic_a, adversarial, augment, penalties)
        self.contest_b = Contest(critic_b, adversarial, augment, others)

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("generators", (self.a2b, self.b2a), self.generators_loss),
            Turn("discriminators", (self.critic_a, self.critic_b), self.discriminators_loss),
        )

    def deal(self, batch: Unpaired, playing: frozenset[str], clock: Clock) -> CycleRound:
        with torch.set_grad_enabled("generators" in playing):
            return CycleRound(batch.a, batch.b, self.b2a(batch.b), self.a2b(batch.a), clock)

    def generators_loss(self, round: CycleRound) -> Outcome:
        a, b, fake_a, fake_b = round.a, round.b, round.fake_a, round.fake_b
        passed = self.contest_b.pass_off(fake_b, b) + self.contest_a.pass_off(fake_a, a)  # eq. 1, both directions
        returned = l1_loss(self.b2a(fake_b), a) + l1_loss(self.a2b(fake_a), b)  # eq. 2
        terms = {"adversarial": self.adversarial_weight * passed, "cycle": self.cycle * returned}
        if self.identity:
            kept = l1_loss(self.b2a(a), a) + l1_loss(self.a2b(b), b)  # section 5.2
            terms["identity"] = self.cycle * self.identity * kept
        return Outcome(terms)  # eq. 3

    def discriminators_loss(self, round: CycleRound) -> Outcome:
        old_a, old_b = self.pool_a.exchange(round.fake_a), self.pool_b.exchange(round.fake_b)
        of_a = self.contest_a.tell_apart(round.a, old_a, round.clock, "discriminators")
        of_b = self.contest_b.tell_apart(round.b, old_b, round.clock, "discriminators")
        return Outcome(both(of_a.terms, of_b.terms), both(of_a.watched, of_b.watched))

    def averaged(self) -> tuple[str, ...]:
        return self.directions

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)

    def preview(self, batch: Unpaired, count: int, generator: torch.Generator) -> Unpaired:
        return batch.map(lambda value: value[:SHOWN])

    def sheet(self, inputs: Unpaired) -> Tensor:
        """A row: a, a2b, there and back, then b, b2a, there and back."""
        fake_b, fake_a = self.a2b(inputs.a), self.b2a(inputs.b)
        rows = (inputs.a, fake_b, self.b2a(fake_b), inputs.b, fake_a, self.a2b(fake_a))
        return torch.stack(rows, 1).flatten(0, 1)

    def sheet_columns(self) -> int:
        return 6

    def translate(self, image: Tensor, task: Task) -> Tensor:
        direction = task.direction or self.directions[0]
        if direction not in self.directions:
            raise ValueError(f"direction: {direction!r}; this model knows a2b and b2a; choose one of them")
        if task.target is not None:
            raise ValueError("target: this model has two domains and no targets; choose direction=a2b or direction=b2a")
        picture: Tensor = self.a2b(image) if direction == "a2b" else self.b2a(image)
        return picture


def both(of_a: Mapping[str, Tensor], of_b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The terms of both discriminators under names of their own."""
    return {f"{name}_{domain}": term for domain, terms in (("a", of_a), ("b", of_b)) for name, term in terms.items()}
