"""Where `ganctl sample` writes, and how: one sheet, a folder of files, or one array."""

import os
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
MOST_ON_A_SHEET = 10_000  # its pixels are held at once, several times
ENDINGS = {"grid": ".png", "npz": ".npz", "files": ""}


def demand_fit(count: int, format: Format) -> None:
    """Raise UserError for more pictures than a sheet can hold."""
    if format == "grid" and count > MOST_ON_A_SHEET:
        most = f"a sheet holds {MOST_ON_A_SHEET:,} at most"
        raise UserError(f"n: {count:,} pictures in all; {most}; choose format=files or format=npz for more")


def asked_place(out: str, format: Format) -> Path:
    """The place that `out=` names, with its ending. Raises UserError: nothing is ever written over."""
    path, ending = Path(os.path.expanduser(out)), ENDINGS[format]
    if ending and os.path.isdir(path):
        raise UserError(f"out: {out} is a folder; name the file, such as {path / f'first{ending}'}")
    if not ending and path.suffix and path.suffix.lower() in ENDINGS.values():
        raise UserError(f"out: {out}: format=files makes a folder; leave {path.suffix} out, or choose another format")
    if ending and path.suffix.lower() != ending:
        if path.suffix:
            raise UserError(f"out: {out}: format={format} writes {ending}; end the name so, or choose another format")
        path = path.with_name(path.name + ending)
    if os.path.lexists(path):
        raise UserError(f"out: {path} exists already; choose another name, or leave out= away")
    return path


def free_place(checkpoint: Path, title: str, format: Format) -> Path:
    """A name in drawn/ of the checkpoint's run (or beside a checkpoint outside any run) that nothing has yet."""
    folder = checkpoint.parent
    run = next((place for place in (folder, folder.parent) if Run(place).exists()), folder)
    numbers = ("" if number == 1 else f"-{number}" for number in range(1, 1_000_000))
    names = (run / "drawn" / f"{title}{number}{ENDINGS[format]}" for number in numbers)
    return next(path for path in names if not os.path.lexists(path))


def write(batches: Iterable[Tensor], labels: Tensor | None, path: Path, format: Format, columns: int | None) -> None:
    """Write pictures [B, C, H, W] in [-1, 1] as they come. Raises OSError."""
    if format == "files":
        write_files(batches, path)
    elif format == "npz":
        write_array(batches, labels, path)
    else:
        sheet = grid(torch.cat(list(batches)), columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_picture(sheet, path)


def as_arrays(pictures: Tensor) -> np.ndarray:
    """[B, C, H, W] in [-1, 1] -> [B, H, W, C] uint8."""
    return to_bytes(pictures).permute(0, 2, 3, 1).contiguous().numpy()


def write_files(batches: Iterable[Tensor], folder: Path) -> None:
    """One PNG a picture: 000000.png, 000001.png, ..."""
    every: Iterator[np.ndarray] = (picture for batch in batches for picture in as_arrays(batch))
    for number, picture in enumerate(every):
        if number == 0:
            folder.mkdir(parents=True)  # now that there is something to put into it
        save_picture(picture, folder / f"{number:06d}.png")


def write_array(batches: Iterable[Tensor], labels: Tensor | None, path: Path) -> None:
    """`images` [N, H, W, C] uint8 and, where they were asked for, `labels`; written whole or not at all."""
    arrays = {"images": np.concatenate([as_arrays(batch) for batch in batches])}
    if labels is not None:
        arrays["labels"] = labels.numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
