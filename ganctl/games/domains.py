"""Many domains, one generator: the picture is told which domain to enter, and must find back (StarGAN)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from ganctl.data.batch import Images, Tensors
from ganctl.games.auxiliary import ClassifyLabel
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Game, Outcome, Task, Translating, Turn
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Critique, Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import Discriminator, Translator

SHOWN = 8  # pictures on a sheet ...
TARGETS = 8  # ... and domains that each of them enters, at most


@dataclass(frozen=True)
class DomainRound:
    """What the two turns share. Labels: [B] int64 classes or [B, K] attributes."""

    real: Tensor  # [B, C, H, W] in [-1, 1]
    label: Tensor  # of the reals
    target: Tensor  # that the fakes were told
    fake: Tensor  # has a graph only if the generator plays this round
    clock: Clock


@dataclass(frozen=True)
class DomainInputs(Tensors):
    """A row of a sheet each."""

    image: Tensor  # [B, C, H, W] in [-1, 1]
    targets: Tensor  # [B, T] classes or [B, T, K] attributes


class DomainGame(Game, Translating):
    """Choi et al. 2018, eq. 1 to 6: G(x, c) shows domain c, and G(G(x, c), c') with x's own c' leads back to x.

    classifier: names the domain of reals (eq. 2; its `fakes` is 0 as in the paper) and must recognise that of fakes
    (eq. 3); its weights are the paper's lambda_cls. reconstruction: lambda_rec of eq. 4.
    Targets are the batch's own labels in another order (section 4.1), so only combinations that exist are asked for.
    """

    def __init__(
        self,
        generator: Translator,
        discriminator: Discriminator,
        classifier: ClassifyLabel,
        adversarial: AdversarialLoss,
        augment: Augment,
        penalties: Sequence[Regularizer] = (),
        reconstruction: float = 10.0,
    ) -> None:
        super().__init__()
        if generator.classes != classifier.classes:
            raise ValueError(f"classifier: {classifier.classes} classes; the generator is told {generator.classes}")
        if classifier.fakes:
            raise ValueError(f"classifier: fakes={classifier.fakes}; it learns from real pictures only, set fakes to 0")
        classifier.attach(discriminator.feature_size)
        self.generator, self.discriminator, self.classifier = generator, discriminator, classifier
        self.augment, self.reconstruction = augment, reconstruction
        self.penalties = nn.ModuleList(penalties)  # so that a checkpoint holds their averages
        self.contest = Contest(discriminator, adversarial, augment, penalties)

    def turns(self) -> tuple[Turn, ...]:
        return (
            Turn("discriminator", (self.discriminator, self.classifier), self.discriminator_loss),
            Turn("generator", (self.generator,), self.generator_loss),
        )

    def deal(self, batch: Images, playing: frozenset[str], clock: Clock) -> DomainRound:
        label = demanded(batch.label)
        target = label[torch.randperm(len(label), device=label.device)]
        with torch.set_grad_enabled("generator" in playing):
            fake = self.generator(batch.image, target)
        return DomainRound(batch.image, label, target, fake, clock)

    def discriminator_loss(self, round: DomainRound) -> Outcome:
        def named(critique: Critique) -> dict[str, Tensor]:
            return {"class": self.classifier.discriminator_term(critique, round.label, round.target)}

        return self.contest.tell_apart(round.real, round.fake, round.clock, "discriminator", heads=named)

    def generator_loss(self, round: DomainRound) -> Outcome:
        features = self.discriminator.features(self.augment(round.fake))
        adversarial = self.contest.lowered(self.discriminator.score(features), round.real)
        recognised = self.classifier.generator_term(features, round.target, round.target)
        returned = l1_loss(self.generator(round.fake, round.label), round.real)
        terms = {"adversarial": adversarial, "class": recognised, "reconstruction": self.reconstruction * returned}
        return Outcome(terms)

    def averaged(self) -> tuple[str, ...]:
        return ("generator",)

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)

    @property
    def num_targets(self) -> int:
        """Domains on a sheet."""
        return min(self.generator.classes, TARGETS)

    def preview(self, batch: Images, count: int, generator: torch.Generator) -> DomainInputs:
        """The same targets for every picture: the first classes, or combinations of attributes that there are."""
        images, label = batch.image[:SHOWN], demanded(batch.label)
        if label.is_floating_point():
            kinds = label.unique(dim=0)
            targets = kinds[torch.arange(self.num_targets) * len(kinds) // self.num_targets]
        else:
            targets = torch.arange(self.num_targets, device=label.device)
        return DomainInputs(images, targets.expand(len(images), *targets.shape))

    def sheet(self, inputs: DomainInputs) -> Tensor:
        """A row: the picture, then itself in each of the domains."""
        entered = [self.generator(inputs.image, target) for target in inputs.targets.unbind(1)]
        return torch.stack((inputs.image, *entered), 1).flatten(0, 1)

    def sheet_columns(self) -> int:
        return 1 + self.num_targets

    def translate(self, image: Tensor, task: Task) -> Tensor:
        if task.direction is not None:
            raise ValueError("direction: this model has many domains; leave it out and choose target=NAME")
        if task.target is None:
            raise ValueError("target: missing; say what the pictures shall show, target=NAME or target=NAME,NAME")
        picture: Tensor = self.generator(image, self.completed(task.target, image))
        return picture

    def completed(self, target: Tensor, image: Tensor) -> Tensor:
        """Attributes that nobody asked for (NaN) as the classifier sees them in the picture."""
        if not target.is_floating_point() or not target.isnan().any():
            return target
        seen = self.classifier.head(self.discriminator.features(image)) > 0
        return torch.where(target.isnan(), seen.to(target.dtype), target)


def demanded(label: Tensor | None) -> Tensor:
    """The labels that this game cannot do without."""
    if label is None:
        raise ValueError("this model needs labels; choose a dataset that has them")
    return label
