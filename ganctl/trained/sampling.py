"""Pictures from a checkpoint: needs no training data, no flag of the training, and no Lightning."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganctl.data.batch import Tensors
from ganctl.errors import UserError, noted, together
from ganctl.games.game import Generative, Wish
from ganctl.pictures import grid, save_picture
from ganctl.precision import repeatable
from ganctl.trained.loading import Loaded, load_game, use_of

EACH = "each"
Label = int | str | Sequence[int | str] | Tensor | None


@dataclass(frozen=True)
class Sampler(Loaded):
    """A trained game, ready to paint.

    pictures = ganctl.load("outputs/first").sample(64, seed=0)     # [64, C, H, W] in [-1, 1]
    """

    game: Generative

    def sample(self, n: int = 64, seed: int = 0, label: Label = None, batch_size: int = 64, **wishes: Any) -> Tensor:
        """Pictures [n, C, H, W] in [-1, 1] on the CPU, the same for any `batch_size` (in fp32: to one grey level).

        label: a class by number or name, or attributes with commas; a list of one for each picture; `each` (n of every
        class, class by class); or None. wishes: truncation, style_mix, code, text (a caption; several, in a list or
        parted by |: n of each, caption by caption). Raises UserError for what this game cannot grant.
        """
        return torch.cat(list(self.batches(n, seed, label, batch_size, **wishes)))

    def batches(
        self, n: int = 64, seed: int = 0, label: Label = None, batch_size: int = 64, **wishes: Any
    ) -> Iterator[Tensor]:
        """The pictures of `sample`, a batch at a time. All inputs are drawn now, so batching cannot change them."""
        texts = texts_of(wishes.pop("text", None), n)
        with together() as mistakes:
            labels = None
            with noted(mistakes):
                labels = self.labels(label, n)
            count = next((len(asked) for asked in (labels, texts) if asked is not None), n)
            wish = Wish(count, label=labels, text=texts, **wishes)
            try:
                inputs = self.game.request(wish, torch.Generator().manual_seed(seed))
            except ValueError as error:
                mistakes += self._refusals(wish) or [str(error)]
        return self._painted(inputs, batch_size)

    def _refusals(self, wish: Wish) -> list[str]:
        """What the game says against each wish alone: of several that it cannot grant it names the first."""
        found = []
        for field in fields(Wish):
            value = getattr(wish, field.name)
            if field.name != "count" and value is not None:
                try:
                    self.game.request(Wish(wish.count, **{field.name: value}), torch.Generator())
                except ValueError as error:
                    found.append(str(error))
        return found

    def _painted(self, inputs: Tensors, batch_size: int) -> Iterator[Tensor]:
        for piece in inputs.split(batch_size):
            with torch.inference_mode(), repeatable():
                pictures = self.game.paint(piece.map(lambda value: value.to(self.device))).cpu()
            if not pictures.isfinite().all():
                raise UserError(f"{self.path}: draws pictures that are not finite; take an earlier one with ckpt=")
            yield pictures

    def columns(self, n: int, **wishes: Any) -> int | None:
        """Pictures in a row of the sheet, where a row means something, e.g. with `code`. Raises UserError."""
        texts = texts_of(wishes.pop("text", None), n)
        if texts is not None and len(texts) > n:
            return n
        try:
            return self.game.columns(Wish(n, **wishes))
        except ValueError as error:
            raise UserError(str(error)) from error

    def labels(self, label: Label, n: int) -> Tensor | None:
        """A label for each picture, from the ways `sample` takes one. Raises UserError."""
        if label is None or isinstance(label, Tensor):
            return label
        if not self.classes:
            raise UserError(f"label: {label} was given, and this run was trained without labels; leave label out")
        listed = range(self.classes) if label == EACH else [label] if isinstance(label, int | str) else label
        found = torch.stack([self.one_label(each) for each in listed])
        return found.repeat_interleave(n, 0) if label == EACH or isinstance(label, int | str) else found

    def one_label(self, label: int | str) -> Tensor:
        """A class as a number []; of a run trained on attributes those named, with commas, as [K] of 0 and 1."""
        if not self.config["description"].get("attributes"):
            return torch.tensor(self.class_number(label))
        row = torch.zeros(self.classes)
        row[[self.class_number(each.strip()) for each in str(label).split(",")]] = 1.0
        return row

    def class_number(self, label: int | str) -> int:
        """A class by its name or its number. Raises UserError."""
        if label in self.names:
            return self.names.index(str(label))
        if str(label).isdecimal() and int(label) < self.classes:
            return int(label)
        known = "" if all(name.isdigit() for name in self.names) else f" ({', '.join(self.names)})"
        accepted = f"accepted are 0 to {self.classes - 1}{known}, and each"
        raise UserError(self._against_labels() or f"label: no class {label!r}; {accepted}")

    def _against_labels(self) -> str | None:
        """What a game says that draws no class, whichever it is asked for; None where it draws some."""
        attributes = self.config["description"].get("attributes")
        label = torch.zeros(1, self.classes) if attributes else torch.zeros(1, dtype=torch.int64)
        try:
            self.game.request(Wish(1, label=label), torch.Generator())
        except ValueError as error:
            return str(error)
        return None


def load(
    run: str | Path | None = None,
    ckpt: str | int = "last",
    *,
    ema: bool = True,
    device: Any = "auto",
    plugins: Sequence[str] = (),
) -> Sampler:
    """The generator of a run (its folder, its name, a checkpoint file; None: the newest run), ready to sample.

    ckpt: `last`, `best` or a number of images. ema: with the averaged weights, where the run kept them.
    plugins: modules of your own that the run's classes come from. Raises UserError in words.
    """
    loaded = load_game(run, ckpt, ema=ema, device=device, plugins=plugins)
    if not isinstance(loaded.game, Generative):
        name, use = type(loaded.game).__name__, use_of(loaded.game, loaded.config["description"])
        what = f"{name} makes pictures from pictures; it cannot draw from noise alone"
        raise UserError(f"{loaded.path}: {what}; give it some with ganctl {use} in=PATH out=PATH")
    return Sampler(**vars(loaded))


def save_grid(pictures: Tensor, path: str | Path, columns: int | None = None) -> Path:
    """Pictures [N, C, H, W] in [-1, 1] as one PNG sheet, row by row; small ones are enlarged by whole pixels."""
    save_picture(grid(pictures, columns), Path(path))
    return Path(path)


def texts_of(text: str | Sequence[str] | None, n: int) -> list[str] | None:
    """A caption for each picture: one for all n, or n of each of several, in a list or parted by |."""
    if text is None:
        return None
    captions = text.split("|") if isinstance(text, str) else list(text)
    return [caption.strip() for caption in captions for _ in range(n)]
