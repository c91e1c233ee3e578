"""Pictures from pictures by a trained game. Needs no training data and no Lightning."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.errors import UserError
from ganctl.games.game import Task, Translating
from ganctl.precision import repeatable
from ganctl.trained.loading import Loaded, load_game
from ganctl.trained.tiling import tiled

Target = int | str | Sequence[int | str] | Tensor | None


@dataclass(frozen=True)
class Interpreter(Loaded):
    """A trained game, ready to make pictures from pictures.

    outputs = ganctl.load_translator("outputs/facades").translate(inputs)     # [B, C, H, W] in [-1, 1], both
    """

    game: Translating  # type: ignore[assignment]  # which every one is beside Game

    @property
    def channels(self) -> int:
        """Of the pictures it takes: 1 or 3, one more where alpha counts."""
        facts = self.config["description"]
        return int((facts.get("source") or facts["shape"])[0])

    @property
    def trained_size(self) -> tuple[int, int]:
        """Height and width of the sources it was trained with."""
        facts = self.config["description"]
        _, height, width = facts.get("source") or facts["shape"]
        return int(height), int(width)

    @property
    def factor(self) -> int:
        """How many times as large its pictures are."""
        facts = self.config["description"]
        return int(facts["shape"][1]) // self.trained_size[0]

    def translate(
        self,
        image: Tensor,
        direction: str | None = None,
        target: Target = None,
        batch_size: int = 16,
        tile: int | None = None,
    ) -> Tensor:
        """image [B, C, H, W] in [-1, 1], as the run's sources are -> pictures [B, C', H', W'] in [-1, 1] on the CPU.

        direction: of models that know two, such as b2a. target: class or attributes the pictures shall show, by number
        or name, or a tensor [B] or [B, K]. tile: make larger pictures in pieces of so many pixels a side, where the
        model looks only a certain way; they come out the same (to one grey level), in less memory. Raises UserError
        for what this model cannot do.
        """
        if image.dim() != 4 or image.shape[1] != self.channels:
            raise UserError(f"image: {list(image.shape)}; must be [B, {self.channels}, H, W]")
        label = self.label(target, len(image))
        if not self.game.any_size:
            return through(
                self.trained_size, lambda small: self._translated(small, direction, label, batch_size, None)
            )(image)
        return self._translated(image, direction, label, batch_size, tile)

    def _translated(
        self, image: Tensor, direction: str | None, label: Tensor | None, batch_size: int, tile: int | None
    ) -> Tensor:
        """Batch by batch."""
        labels = [None] * len(image) if label is None else label.split(batch_size)
        pieces = zip(image.split(batch_size), labels, strict=False)
        return torch.cat([self._made(piece, direction, label, tile) for piece, label in pieces])

    def _made(self, image: Tensor, direction: str | None, label: Tensor | None, tile: int | None) -> Tensor:
        """One batch."""
        task = Task(direction, None if label is None else label.to(self.device))

        def make(image: Tensor) -> Tensor:
            return self.game.translate(image.to(self.device, torch.float32), task).clamp(-1, 1).cpu()

        reach = self.game.reach
        try:
            with torch.inference_mode(), repeatable():
                made = make(image) if tile is None or reach is None else tiled(image, make, tile, reach)
        except ValueError as error:
            raise UserError(str(error)) from error
        if not made.isfinite().all():
            raise UserError(f"{self.path}: makes pictures that are not finite; take an earlier one with ckpt=")
        return made

    def label(self, target: Target, count: int) -> Tensor | None:
        """One label for each of `count` pictures: classes, or attributes where the run was trained on those."""
        if target is None or isinstance(target, Tensor):
            return target
        listed = [target] if isinstance(target, int) else target.split(",") if isinstance(target, str) else target
        wanted = [str(each).strip() for each in listed]
        if self.config["description"].get("attributes"):
            return self.attributes(wanted).expand(count, -1)
        numbers = [self.number(each) for each in wanted]
        if len(numbers) > 1:
            raise UserError(f"target: {target}; a picture has one class here; name one")
        return torch.full((count,), numbers[0])

    def attributes(self, wanted: Sequence[str]) -> Tensor:
        """[K]: 1 for those named, 0 for those named with a minus and those that the named exclude, else NaN."""
        on = [self.number(each) for each in wanted if not self.is_off(each)]
        values = torch.full((self.classes,), torch.nan)
        for number in on:
            values[self.rivals(number)] = 0.0
        values[on] = 1.0
        values[[self.number(each[1:]) for each in wanted if self.is_off(each)]] = 0.0
        if any(values[self.rivals(number)].sum() != 1 for number in on):
            raise UserError(f"target: {','.join(wanted)}; these exclude each other; name one of them")
        return values

    def is_off(self, wanted: str) -> bool:
        """Whether a minus before an attribute's name asks for pictures without it."""
        return wanted.startswith("-") and wanted not in self.names

    def rivals(self, number: int) -> list[int]:
        """An attribute and those that exclude it."""
        sizes = self.config["description"].get("groups") or [1] * self.classes
        ends = list(accumulate(sizes))
        return next(list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True) if number < end)

    def number(self, target: int | str) -> int:
        """A class or attribute by its name or its number. Raises UserError."""
        if target in self.names:
            return self.names.index(str(target))
        if str(target).isdecimal() and int(target) < self.classes:
            return int(target)
        if not self.classes:
            raise UserError(f"target: {target} was given, and this run was trained without labels; leave target out")
        raise UserError(f"target: no {target!r}; accepted are {', '.join(self.names) or f'0 to {self.classes - 1}'}")


def through(size: tuple[int, int], make: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`make`, for pictures brought to `size` and back: what is larger or smaller than in training looks strange."""

    def made(image: Tensor) -> Tensor:
        small = interpolate(image, size, mode="bicubic", antialias=True).clamp(-1, 1)
        output = make(small)
        height, width = (
            round(own * after / before)
            for own, before, after in zip(image.shape[2:], size, output.shape[2:], strict=True)
        )
        return interpolate(output, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)

    return made


def load_translator(
    run: str | Path | None = None,
    ckpt: str | int = "last",
    *,
    ema: bool = True,
    device: Any = "auto",
    plugins: Sequence[str] = (),
) -> Interpreter:
    """The run's game, ready to make pictures from pictures; arguments are those of `ganctl.load`. Raises UserError."""
    loaded = load_game(run, ckpt, ema=ema, device=device, plugins=plugins)
    if not isinstance(loaded.game, Translating):
        name = type(loaded.game).__name__
        raise UserError(f"{loaded.path}: {name} makes no pictures from pictures; draw from it with ganctl sample")
    return Interpreter(**vars(loaded))
