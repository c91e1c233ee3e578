"""Grids of fixed inputs while training, so that pictures compare in time; a progress.gif at the end."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from ganctl.callbacks.pace import crossed
from ganctl.chance import kept
from ganctl.data.batch import Tensors
from ganctl.errors import NotFinite
from ganctl.module import GameModule
from ganctl.pictures import captioned, grid, save_animation, save_picture
from ganctl.precision import full_precision


class Gallery(pl.Callback):
    """Saves `folder/<images>.png` every `every` images, drawn by the averaged networks."""

    def __init__(self, folder: Path, inputs: Tensors, every: int | None, columns: int) -> None:
        self.folder, self.inputs, self.every, self.columns = folder, inputs, every, columns

    def on_train_start(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        for path in self.folder.glob("*.png"):  # drawn after the checkpoint that is resumed
            if path.stem.isdigit() and int(path.stem) > module.images_seen:
                path.unlink(missing_ok=True)
        if module.rounds == 0:
            self.explain(trainer, module)
            self.save(trainer, module)

    def on_train_batch_end(self, trainer: pl.Trainer, module: GameModule, *_: Any) -> None:  # type: ignore[override]
        if crossed(module.told_at, module.images_seen, self.every) or trainer.should_stop:
            self.save(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: GameModule) -> None:  # type: ignore[override]
        if trainer.is_global_zero:
            save_animation(sorted(self.folder.glob("[0-9]*.png")), self.folder / "progress.gif")

    def explain(self, trainer: pl.Trainer, module: GameModule) -> None:
        """captions.txt: what each row of the sheets is made from, where the game says so."""
        legend = module.game.legend(self.inputs)
        if legend and trainer.is_global_zero:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "captions.txt").write_text("".join(f"{line}\n" for line in legend), encoding="utf-8")

    def save(self, trainer: pl.Trainer, module: GameModule) -> Path | None:
        """Draw and write one sheet, with what the game says of its stage; NotFinite if a picture is not."""
        if not trainer.is_global_zero:
            return None
        images = draw(module, self.inputs)
        if not images.isfinite().all():
            raise NotFinite(
                f"round {module.rounds}: a sample is not finite; training stopped; the last good "
                "checkpoint, if one was saved, is kept. Try lower learning rates or precision=32"
            )
        picture = captioned(grid(images, self.columns), module.game.status())
        path = self.folder / f"{module.images_seen:09d}.png"
        save_picture(picture, path)
        for logger in trainer.loggers:
            if isinstance(logger, pl.loggers.TensorBoardLogger):
                logger.experiment.add_image("samples", picture, module.images_seen, dataformats="HWC")
        return path


@torch.no_grad()
def draw(module: GameModule, inputs: Tensors) -> Tensor:
    """The sheet of the averaged networks [N, C, H, W], in fp32; random states are left as they were."""
    with kept(module.device), full_precision(module.device), module.average.sampled(module.game):
        return module.game.sheet(inputs.map(lambda value: value.to(module.device)))
