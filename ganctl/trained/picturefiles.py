"""Picture files through anything that makes pictures of pictures: names and sizes stay, nothing is overwritten."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import groupby, islice
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ganctl.data.folder import listed
from ganctl.data.pictures import Unreadable, decode_whole
from ganctl.data.progress import shown
from ganctl.data.roots import instead_of_root, is_zip, places, source_at
from ganctl.errors import GanctlError, UserError
from ganctl.pictures import save_picture, to_bytes

PIPE = "-"
HALF = 128  # of alpha: what is less opaque counts as transparent
Make = Callable[[Tensor], Tensor]  # [B, C, H, W] in [-1, 1], of one size -> [B, C', H', W'] in [-1, 1]


@dataclass(frozen=True)
class Inputs:
    """Where the pictures come from."""

    names: Sequence[str]  # relative, with /
    read: Callable[[str], bytes]  # a name's bytes; raises Unreadable
    folder: Path | None  # that holds them; None for a single picture

    @property
    def single(self) -> bool:
        return self.folder is None


@dataclass(frozen=True)
class Picture:
    """A file as a model takes it."""

    name: str
    image: Tensor  # [C, H, W] in [-1, 1]
    alpha: NDArray[np.uint8] | None = None  # [H, W], where the file has some and the model does not look at it


@dataclass
class Report:
    """What became of the files."""

    written: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # name -> why


def inputs_at(where: str) -> Inputs:
    """A folder, a zip, a folder inside a zip, one file, or `-` for standard input. Raises UserError."""
    if where == PIPE:
        return Inputs(("stdin",), lambda _: sys.stdin.buffer.read(), None)
    file = next((place for place in places(where) if os.path.isfile(place) and not is_zip(place)), None)
    if file is not None:
        return Inputs((file.name,), lambda _: read_file(file), None)
    with instead_of_root("in"):
        source = source_at(where)
        listing = listed(source)

    def read(name: str) -> bytes:
        if reason := listing.refused.get(name):
            raise Unreadable(reason)
        return source.read(name)

    return Inputs(listing.names, read, source.path)


def read_file(file: Path) -> bytes:
    """The bytes of one file. Raises Unreadable."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Unreadable((error.strerror or type(error).__name__).lower()) from None


def outputs_at(where: str, inputs: Inputs, *, overwrite: bool) -> dict[str, Path | None]:
    """For each name the PNG to write; None: to standard output. Raises UserError, before anything is made."""
    if where == PIPE:
        if not inputs.single:
            raise UserError(
                f"out: {PIPE}: only one picture can be written there, and in= names a folder; set out=FOLDER"
            )
        return dict.fromkeys(inputs.names)
    path = Path(os.path.expanduser(where))
    if inputs.single and path.suffix and not os.path.isdir(path):
        if path.suffix.lower() != ".png":
            raise UserError(f"out: {where}: pictures are written as PNG; end the name in .png, or name a folder")
        targets = {inputs.names[0]: path}
    elif path.suffix.lower() == ".png" and not os.path.isdir(path):
        raise UserError(f"out: {where} names one picture, and in= many; name a folder")
    else:
        targets = {name: path / png for name, png in png_names(inputs.names).items()}
    refuse_places(path, inputs, list(targets.values()), overwrite=overwrite)
    return dict(targets)


def png_names(names: Sequence[str]) -> dict[str, str]:
    """Each name with .png for its suffix; behind it, where another would be called the same."""
    found = {name: str(PurePosixPath(name).with_suffix(".png")) for name in names}
    while clashing := {png for png, times in Counter(found.values()).items() if times > 1}:
        found |= {name: f"{name}.png" for name, png in found.items() if png in clashing}
    return found


def refuse_places(path: Path, inputs: Inputs, targets: Sequence[Path], *, overwrite: bool) -> None:
    """Raise UserError where something would be written over."""
    folder = path if path.suffix.lower() != ".png" else path.parent
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UserError(f"out: {folder} is a file; name a folder for the pictures")
    if inputs.folder is not None and same(folder, inputs.folder):
        raise UserError(f"out: {folder} is also in=; choose another folder, so that the originals stay")
    there = [target for target in targets if os.path.lexists(target)]
    if there and not overwrite:
        count = f"{len(there):,} of {len(targets):,} pictures exist" if len(targets) > 1 else f"{there[0]} exists"
        such = f", such as {there[0]}" if len(targets) > 1 else ""
        raise UserError(f"out: {count} already{such}; set overwrite=true, or choose another place")


def same(first: Path, second: Path) -> bool:
    """Whether both are there, and one place."""
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def process(
    inputs: Inputs,
    outputs: dict[str, Path | None],
    make: Make,
    channels: int,
    *,
    batch_size: int = 16,
    background: str = "white",
) -> Report:
    """Make each picture and write it as it comes; what cannot be read is skipped and told in the report.

    channels: of the pictures that `make` takes; with 2 or 4 it sees their alpha, else alpha is laid over the background
    and kept for the output. Pictures of one size that follow each other are made together.
    """
    report = Report()
    pictures = shown("translating", opened(inputs, channels, background, report), len(inputs.names))
    for batch in batches(pictures, batch_size):
        try:
            made = make(torch.stack([picture.image for picture in batch]))
        except (torch.OutOfMemoryError, MemoryError):
            report.skipped |= {picture.name: "needs more memory than there is" for picture in batch}
            continue
        for picture, output in zip(batch, made, strict=True):
            path = outputs[picture.name]
            write(with_alpha(output, picture.alpha), path)
            report.written += [] if path is None else [path]
    return report


def opened(inputs: Inputs, channels: int, background: str, report: Report) -> Iterator[Picture]:
    """The pictures that can be read."""
    for name in inputs.names:
        try:
            yield picture_of(name, inputs.read(name), channels, background)
        except Unreadable as unreadable:
            report.skipped[name] = str(unreadable)


def picture_of(name: str, data: bytes, channels: int, background: str) -> Picture:
    """A file's bytes as a model takes them. Raises Unreadable."""
    pixels, _ = decode_whole(data, 4)
    alpha = pixels[..., 3]
    if channels in (2, 4):  # grey or colour, and alpha
        if alpha.max() < HALF:
            raise Unreadable("transparent everywhere: nothing of it is known")
        colours = pixels[..., :3] if channels == 4 else decode_whole(data, 1, background)[0]
        return Picture(name, tensor_of(np.concatenate((colours, alpha[..., None]), axis=2)))
    opaque = bool(alpha.min() == 255)
    if not (opaque and channels == 3):
        pixels, _ = decode_whole(data, channels, background)
    return Picture(name, tensor_of(pixels[..., :channels]), None if opaque else alpha)


def tensor_of(pixels: NDArray[np.uint8]) -> Tensor:
    """[H, W, C] -> [C, H, W] in [-1, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)).div_(127.5).sub_(1).permute(2, 0, 1)


def batches(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    """Neighbours of one size, at most `size` together."""
    for _, alike in groupby(pictures, key=lambda picture: picture.image.shape):
        while batch := list(islice(alike, size)):
            yield batch


def with_alpha(output: Tensor, alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """[C, H, W] in [-1, 1] -> pixels [H, W, C], with the file's alpha in the output's size where it has none."""
    pixels: NDArray[np.uint8] = to_bytes(output).permute(1, 2, 0).contiguous().numpy()
    if alpha is None or pixels.shape[2] == 4:
        return pixels
    height, width, channels = pixels.shape
    sized = np.asarray(Image.fromarray(alpha).resize((width, height), Image.Resampling.BICUBIC))
    colours = np.broadcast_to(pixels, (height, width, 3)) if channels == 1 else pixels
    return np.concatenate((colours, sized[..., None]), axis=2)


def write(pixels: NDArray[np.uint8], path: Path | None) -> None:
    """As PNG into a file, or to standard output. Raises GanctlError where it cannot be written."""
    try:
        if path is not None:
            save_picture(pixels, path)
            return
        data = BytesIO()
        Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(data, "PNG")
        sys.stdout.buffer.write(data.getvalue())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise GanctlError(f"out: {path or 'standard output'}: cannot be written: {error.strerror or error}") from error
