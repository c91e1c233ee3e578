"""Caption to image, in one stage or over a frozen first one."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from ganctl.data.batch import Captioned, Tensors
from ganctl.games.contest import Contest
from ganctl.games.game import Clock, Generative, Outcome, Turn, Wish
from ganctl.games.matching import distinct, mismatched
from ganctl.games.prior import Gaussian
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Regularizer
from ganctl.networks.augment import Augment
from ganctl.networks.interfaces import CaptionPainter, Discriminator, Painting, TextEncoder
from ganctl.precision import full_precision
from ganctl.text import as_bytes, as_texts

REMEMBERED, LONGEST = 64, 256  # captions that a game keeps of its latest batch, and their bytes
COLUMNS = 8  # pictures of each caption in a sheet


@dataclass(frozen=True)
class CaptionInputs(Tensors):
    """One picture a row."""

    noise: Tensor  # [B, noise_size], of the first stage first
    caption: Tensor  # [B, L] int64


@dataclass(frozen=True)
class CaptionRound:
    """What the two turns share."""

    real: Tensor  # [B, C, H, W] in [-1, 1]
    caption: Tensor  # [B, L] int64
    text: Tensor  # [B, text_size], without a graph
    fake: Painting  # of the same captions; has a graph only if the generator plays this round
    clock: Clock


class CaptionedGame(Generative):
    """Zhang et al. 2017, eq. 3 to 6, with the matching-aware discriminator of Reed et al. 2016, algorithm 1.

    The discriminator calls a picture real only with its own caption: a picture with another's, and a painted one with
    the caption it was painted for, are fake, and count half each. The text encoder plays with the discriminator: what
    tells a picture's own caption from others is what a caption says, and so no other loss and no second network are
    needed; the generator takes the caption's vector as it finds it. The papers use an encoder trained beforehand on
    far more text; a frozen one (`ganctl.networks.sentence`) is put in the same place.

    first: stage one, from its run by `init_from=RUN`; it and the text encoder then stay as they came.
    kl: weight of the distance of the conditions' Gaussians from the standard one (eq. 2; the authors' code: 2).
    """

    batches = Captioned
    remembered: Tensor  # uint8 [REMEMBERED, LONGEST]: captions to paint where none is wished for

    def __init__(
        self,
        generator: CaptionPainter,
        discriminator: Discriminator,
        text_encoder: TextEncoder,
        adversarial: AdversarialLoss,
        augment: Augment,
        penalties: Sequence[Regularizer] = (),
        first: CaptionPainter | None = None,
        kl: float = 2.0,
    ) -> None:
        super().__init__()
        self.contest = Contest(discriminator, adversarial, augment, penalties)
        refuse_other_texts(text_encoder.text_size, generator, discriminator, first)
        refuse_other_sketches(generator, first)
        if kl < 0:
            raise ValueError(f"kl: {kl}; must be 0 or more")
        self.generator, self.discriminator, self.text_encoder = generator, discriminator, text_encoder
        self.adversarial, self.augment, self.penalties, self.kl = adversarial, augment, tuple(penalties), kl
        self.first = None if first is None else first.eval()
        self.extras = nn.ModuleList(penalties)  # so that a checkpoint holds what they remember
        self.prior = Gaussian(generator.noise_size + (0 if first is None else first.noise_size))
        self.register_buffer("remembered", torch.zeros(REMEMBERED, LONGEST, dtype=torch.uint8))

    @property
    def learns_text(self) -> bool:
        """Whether the text encoder is trained here."""
        return self.first is None and any(True for _ in self.text_encoder.parameters())

    def turns(self) -> tuple[Turn, ...]:
        critics = (self.discriminator, self.text_encoder) if self.learns_text else (self.discriminator,)
        return (
            Turn("discriminator", critics, self.discriminator_loss),
            Turn("generator", (self.generator,), self.generator_loss),
        )

    def averaged(self) -> tuple[str, ...]:
        return ("generator", "text_encoder") if self.learns_text else ("generator",)

    def inherits(self) -> Mapping[str, str]:
        """Stage one becomes the frozen first; a stage goes on from one of its kind with all that it learned."""
        if self.first is not None:
            return {"first": "generator", "text_encoder": "text_encoder"}
        return {name: name for name in ("generator", "text_encoder", "discriminator")}

    def orphaned(self) -> str:
        if self.first is None:
            return ""
        return "stage one is untrained, and stays so; give the run of a finished model=stackgan, init_from=RUN"

    def train(self, mode: bool = True) -> Self:
        """Stage one paints as it did when it was done: its batch norm learns nothing more."""
        super().train(mode)
        if self.first is not None:
            self.first.eval()
        return self

    def deal(self, batch: Captioned, playing: frozenset[str], clock: Clock) -> CaptionRound:
        self.remember(batch.caption)
        noise = self.prior.draw(len(batch), device=batch.image.device)
        with torch.no_grad():
            text = self.text_encoder(batch.caption)
        with torch.set_grad_enabled("generator" in playing):
            fake = self.painting(noise, text)
        return CaptionRound(batch.image, batch.caption, text, fake, clock)

    def painting(self, noise: Tensor, text: Tensor) -> Painting:
        """Through all stages; only the last one with a graph."""
        if self.first is None:
            return self.generator(noise, text)
        own = self.first.noise_size
        with torch.no_grad():
            sketch = self.first(noise[:, :own], text).image
        return self.generator(noise[:, own:], text, sketch)

    def discriminator_loss(self, round: CaptionRound) -> Outcome:
        due = [penalty for penalty in self.penalties if penalty.due(round.clock.plays("discriminator"))]
        needs_gradient = any(penalty.needs_gradient for penalty in due)
        with full_precision(round.real.device) if needs_gradient else nullcontext():
            text = self.text_encoder(round.caption)  # once more: now with a graph, where it learns
            critique = self.contest.critique(round.real, round.fake.image, round.clock, needs_gradient, text)
            self.augment.observe(critique.real_score.detach())
            real, fake = critique.real_score, critique.fake_score
            own, other = mismatched(round.caption)
            wrong = self.contest.score(critique.real_features[own], text[other])
            loss = self.adversarial.discriminator(real, fake)
            if len(wrong):
                loss = (loss + self.adversarial.discriminator(real[own], wrong)) / 2
            terms = {"adversarial": loss, **{type(penalty).__name__: penalty(critique) for penalty in due}}
        watched = {"real": real.detach().mean(), "fake": fake.detach().mean()}
        if len(wrong):
            watched |= {"wrong": wrong.detach().mean(), "matches": (real[own] > wrong).float().mean()}
        watched["wins"] = (real > fake).float().mean()
        return Outcome(terms, watched | self.augment.watched())

    def generator_loss(self, round: CaptionRound) -> Outcome:
        adversarial = self.contest.pass_off(round.fake.image, round.real, round.text)
        return Outcome({"adversarial": adversarial, "kl": self.kl * divergence(round.fake)})

    def advance(self, clock: Clock) -> None:
        self.augment.advance(clock.images_seen)

    def remember(self, caption: Tensor) -> None:
        """Keep the captions of this batch, at most so many and so long."""
        kept = caption[:REMEMBERED, :LONGEST].to(torch.uint8)
        self.remembered[: len(kept)] = nn.functional.pad(kept, (0, LONGEST - kept.shape[1]))

    def captions(self, wish: Wish) -> Tensor:
        """[count, L] as wished for; without a wish, remembered ones in turn."""
        if wish.text is None:
            return self.remembered.cpu().long()[torch.arange(wish.count) % REMEMBERED]
        texts = [wish.text] * wish.count if isinstance(wish.text, str) else list(wish.text)
        if len(texts) != wish.count:
            raise ValueError(f"text: {len(texts)} captions for {wish.count} pictures; give one, or one for each")
        if not all(text.strip() for text in texts):
            raise ValueError("text: an empty caption; say what to paint, e.g. text='a red triangle'")
        return as_bytes(texts)

    def request(self, wish: Wish, generator: torch.Generator) -> CaptionInputs:
        refused = [name for name in ("label", "style_mix", "code") if getattr(wish, name) is not None]
        if refused:
            raise ValueError(f"{refused[0]}: this model paints captions; leave {refused[0]} out and write text=...")
        noise = self.prior.draw(wish.count, generator=generator, truncation=wish.truncation)
        return CaptionInputs(noise, self.captions(wish))

    def paint(self, inputs: CaptionInputs) -> Tensor:
        return self.painting(inputs.noise, self.text_encoder(inputs.caption)).image.float().clamp(-1, 1)

    def preview(self, batch: Captioned, count: int, generator: torch.Generator) -> CaptionInputs:
        """Rows of one caption each: the batch's, no two the same while there are others."""
        rows = torch.arange(count) // COLUMNS
        chosen = distinct(batch.caption.cpu())
        noise = self.prior.draw(count, generator=generator)
        return CaptionInputs(noise, batch.caption.cpu()[chosen[rows % len(chosen)]])

    def sheet_columns(self) -> int | None:
        return COLUMNS

    def legend(self, inputs: CaptionInputs) -> list[str]:
        return as_texts(inputs.caption[::COLUMNS])


def divergence(painting: Painting) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of the conditions, the mean over all numbers (Zhang et al. 2017, eq. 2)."""
    mean, log_variance = painting.mean, painting.log_variance
    return (mean.square() + log_variance.exp() - 1 - log_variance).mean() / 2


def refuse_other_texts(
    text_size: int, generator: CaptionPainter, discriminator: Discriminator, first: CaptionPainter | None
) -> None:
    """Raise ValueError unless everybody takes the encoder's vectors."""
    takes = {"generator": generator.text_size, "discriminator": discriminator.classes}
    takes |= {} if first is None else {"first": first.text_size}
    for name, size in takes.items():
        if size != text_size:
            given = f"takes a text of {size} numbers" if size else "takes no text"
            raise ValueError(f"{name}: {given}; the text encoder gives {text_size}; set {name}.text_size={text_size}")


def refuse_other_sketches(generator: CaptionPainter, first: CaptionPainter | None) -> None:
    """Raise ValueError unless the generator paints over what the first stage gives, or from nothing without one."""
    needs, gives = generator.sketch, None if first is None else first.shape
    if needs != gives:
        shown = ["nothing" if shape is None else "x".join(map(str, shape)) for shape in (needs, gives)]
        raise ValueError(f"first: the generator paints over {shown[0]}, and the first stage gives {shown[1]}")
