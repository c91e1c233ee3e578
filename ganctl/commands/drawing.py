"""Where `ganctl sample` writes, and how: one sheet, a folder of files, or one array."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganctl.errors import UserError
from ganctl.pictures import grid, save_picture, to_bytes
from ganctl.runs.atomic import whole_file
from ganctl.runs.store import Run

Format = Literal["grid", "files", "npz"]
ENDINGS = {"grid": ".png", "npz": ".npz", "files": ""}


def asked_place(out: str, format: Format) -> Path:
    """The place that `out=` names, with its ending. Raises UserError: nothing is ever written over."""
    path, ending = Path(out).expanduser(), ENDINGS[format]
    if ending and path.suffix.lower() != ending:
        if path.suffix:
            raise UserError(f"out: {out}: format={format} writes {ending}; end the name so, or choose another format")
        path = path.with_name(path.name + ending)
    if path.exists():
        raise UserError(f"out: {path} exists already; choose another name, or leave out= away")
    return path


def free_place(checkpoint: Path, title: str, format: Format) -> Path:
    """A name in drawn/ of the checkpoint's run (or beside a checkpoint outside any run) that nothing has yet."""
    folder = checkpoint.parent
    run = next((place for place in (folder, folder.parent) if Run(place).exists()), folder)
    numbers = ("" if number == 1 else f"-{number}" for number in range(1, 1_000_000))
    names = (run / "drawn" / f"{title}{number}{ENDINGS[format]}" for number in numbers)
    return next(path for path in names if not path.exists())


def write(batches: Iterable[Tensor], labels: Tensor | None, path: Path, format: Format, columns: int | None) -> None:
    """Write pictures [B, C, H, W] in [-1, 1] as they come. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if format == "files":
        write_files(batches, path)
    elif format == "npz":
        write_array(batches, labels, path)
    else:
        save_picture(grid(torch.cat(list(batches)), columns), path)


def as_arrays(pictures: Tensor) -> np.ndarray:
    """[B, C, H, W] in [-1, 1] -> [B, H, W, C] uint8."""
    return to_bytes(pictures).permute(0, 2, 3, 1).contiguous().numpy()


def write_files(batches: Iterable[Tensor], folder: Path) -> None:
    """One PNG a picture: 000000.png, 000001.png, ..."""
    folder.mkdir()
    every: Iterator[np.ndarray] = (picture for batch in batches for picture in as_arrays(batch))
    for number, picture in enumerate(every):
        save_picture(picture, folder / f"{number:06d}.png")


def write_array(batches: Iterable[Tensor], labels: Tensor | None, path: Path) -> None:
    """`images` [N, H, W, C] uint8 and, where they were asked for, `labels`; written whole or not at all."""
    arrays = {"images": np.concatenate([as_arrays(batch) for batch in batches])}
    if labels is not None:
        arrays["labels"] = labels.numpy()
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
