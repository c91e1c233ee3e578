"""Tensors to pictures: grids, files, animations."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
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


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write [H, W, C] uint8 whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).save(part, format="PNG")
    part.replace(path)


def save_animation(frames: Sequence[Path], path: Path, milliseconds: int = 300) -> None:
    """A GIF of the pictures in order; the last one stays longer. Nothing is written for fewer than two."""
    if len(frames) < 2:
        return
    pictures = [Image.open(frame).convert("P", palette=Image.Palette.ADAPTIVE) for frame in frames]
    durations = [milliseconds] * (len(pictures) - 1) + [8 * milliseconds]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True)
