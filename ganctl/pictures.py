"""Tensors to pictures: grids, files, animations."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

COMFORTABLE = 1000  # pixels: grids of small pictures are enlarged up to about this width


def to_bytes(image: Tensor) -> Tensor:
    """[..., C, H, W] in [-1, 1] -> uint8, rounded to the nearest of 256 levels."""
    return ((image.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def grid(images: Tensor, columns: int | None = None, enlarge: bool = True) -> np.ndarray:
    """Pictures [N, C, H, W] in [-1, 1] -> one [H, W, 3] uint8 sheet, row by row; small ones are enlarged."""
    columns = columns or max(1, math.ceil(math.sqrt(len(images))))
    whole = max(1, COMFORTABLE // (columns * (images.shape[3] + 2))) if enlarge else 1
    pixels = to_bytes(images).cpu().repeat_interleave(whole, 2).repeat_interleave(whole, 3)
    if pixels.shape[1] == 2:  # two channels: shown as red and green
        pixels = torch.cat((pixels, torch.zeros_like(pixels[:, :1])), 1)
    colours = pixels[:, :3].expand(-1, 3, -1, -1)
    return tiled(colours, min(columns, len(images)), gap=2 * whole).permute(1, 2, 0).contiguous().numpy()


def tiled(pixels: Tensor, columns: int, gap: int) -> Tensor:
    """Pictures [N, C, H, W] -> [C, H', W'], row by row on white, `gap` pixels apart and around.

    (torchvision has this too, and takes as long to import as torch.)
    """
    count, channels, height, width = pixels.shape
    rows = math.ceil(count / columns)
    sheet = pixels.new_full((channels, rows * (height + gap) + gap, columns * (width + gap) + gap), 255)
    for number, picture in enumerate(pixels):
        top, left = gap + number // columns * (height + gap), gap + number % columns * (width + gap)
        sheet[:, top : top + height, left : left + width] = picture
    return sheet


def strip(width: int) -> int:
    """Height of the line of words below a sheet, in pixels."""
    return max(16, width // 32)


def captioned(sheet: np.ndarray, words: str) -> np.ndarray:
    """[H, W, 3] uint8 with a line of words on a strip of white below it; as it is where there are none."""
    if not words:
        return sheet
    height, width, _ = sheet.shape
    line = strip(width)
    whole = Image.new("RGB", (width, height + line), "white")
    whole.paste(Image.fromarray(sheet))
    place = (line // 4, height + line // 2)
    ImageDraw.Draw(whole).text(place, words, "black", ImageFont.load_default(0.7 * line), anchor="lm")
    return np.asarray(whole)


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write [H, W, C] uint8 whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(part, format="PNG")
    part.replace(path)


def save_animation(frames: Sequence[Path], path: Path, milliseconds: int = 300) -> None:
    """A GIF of the pictures in order; the last one stays longer. Nothing is written for fewer than two.

    Files that are no pictures (cut off by a power cut) are passed over.
    """
    opened = [picture for frame in frames if (picture := read_picture(frame))]
    if len(opened) < 2:
        return
    size = max(each.width for each in opened), max(each.height for each in opened)
    pictures = [padded(each, size).convert("P", palette=Image.Palette.ADAPTIVE) for each in opened]
    durations = [milliseconds] * (len(pictures) - 1) + [8 * milliseconds]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)


def read_picture(path: Path) -> Image.Image | None:
    """A picture in RGB; None where the file cannot be read as one."""
    try:
        with Image.open(path) as file:
            return file.convert("RGB")
    except (OSError, SyntaxError, ValueError):
        return None


def padded(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """White to the right and below, up to (width, height): a GIF has frames of one size."""
    if picture.size == size:
        return picture
    whole = Image.new("RGB", size, "white")
    whole.paste(picture)
    return whole
