"""Pictures from pictures by a trained game. Needs no training data and no Lightning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.errors import UserError
from ganctl.games.game import Task, Translating
from ganctl.loading import load_game, repeatable

Target = int | str | Sequence[int | str] | Tensor | None


@dataclass(frozen=True)
class Interpreter:
    """A trained game, ready to make pictures from pictures.

    outputs = ganctl.load_translator("outputs/facades").translate(inputs)     # [B, C, H, W] in [-1, 1], both
    """

    game: Translating
    config: Mapping[str, Any]  # the run's own, resolved
    path: Path  # the checkpoint
    images_seen: int
    device: torch.device

    @property
    def channels(self) -> int:
        """Of the pictures it takes: 1, 3, or 4 where alpha counts."""
        facts = self.config["description"]
        return int((facts.get("source") or facts["shape"])[0])

    @property
    def trained_size(self) -> tuple[int, int]:
        """Height and width of the sources it was trained with."""
        facts = self.config["description"]
        _, height, width = facts.get("source") or facts["shape"]
        return int(height), int(width)

    def translate(
        self, image: Tensor, direction: str | None = None, target: Target = None, batch_size: int = 16
    ) -> Tensor:
        """image [B, C, H, W] in [-1, 1], as the run's sources are -> pictures [B, C', H', W'] in [-1, 1] on the CPU.

        direction: of models that know two, such as b2a. target: class or attributes the pictures shall show, by number
        or name, or a tensor [B] or [B, K]. Raises UserError for what this model cannot do.
        """
        if image.dim() != 4 or image.shape[1] != self.channels:
            raise UserError(f"image: {list(image.shape)}; must be [B, {self.channels}, H, W]")
        label = self.label(target, len(image))
        if not self.game.any_size:
            return through(self.trained_size, lambda small: self._translated(small, direction, label, batch_size))(
                image
            )
        return self._translated(image, direction, label, batch_size)

    def _translated(self, image: Tensor, direction: str | None, label: Tensor | None, batch_size: int) -> Tensor:
        """Batch by batch."""
        labels = [None] * len(image) if label is None else label.split(batch_size)
        pieces = zip(image.split(batch_size), labels, strict=False)
        return torch.cat([self._made(piece, direction, label) for piece, label in pieces])

    def _made(self, image: Tensor, direction: str | None, label: Tensor | None) -> Tensor:
        """One batch."""
        task = Task(direction, None if label is None else label.to(self.device))
        try:
            with torch.inference_mode(), repeatable():
                made = self.game.translate(image.to(self.device, torch.float32), task).clamp(-1, 1).cpu()
        except ValueError as error:
            raise UserError(str(error)) from error
        if not made.isfinite().all():
            raise UserError(f"{self.path}: makes pictures that are not finite; take an earlier one with ckpt=")
        return made

    def label(self, target: Target, count: int) -> Tensor | None:
        """One label for each of `count` pictures: classes, or attributes where the run was trained on those."""
        if target is None or isinstance(target, Tensor):
            return target
        wanted = [target] if isinstance(target, int) else target.split(",") if isinstance(target, str) else target
        numbers = [self.number(each) for each in wanted]
        if self.config["description"].get("attributes"):
            return torch.zeros(self.classes).index_fill(0, torch.tensor(numbers), 1.0).expand(count, -1)
        if len(numbers) > 1:
            raise UserError(f"target: {target}; a picture has one class here; name one")
        return torch.full((count,), numbers[0])

    @property
    def classes(self) -> int:
        """Classes or attributes that can be asked for; 0 where there are none."""
        return int(self.config["description"].get("classes") or 0)

    def number(self, target: int | str) -> int:
        """A class or attribute by its name or its number. Raises UserError."""
        names = tuple(self.config["description"].get("names") or ())
        if target in names:
            return names.index(str(target))
        if str(target).isdigit() and int(target) < self.classes:
            return int(target)
        if not self.classes:
            raise UserError(f"target: {target} was given, and this run was trained without labels; leave target out")
        raise UserError(f"target: no {target!r}; accepted are {', '.join(names) or f'0 to {self.classes - 1}'}")


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
    return Interpreter(loaded.game, loaded.config, loaded.path, loaded.images_seen, loaded.device)
