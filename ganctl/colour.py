"""Colours in numbers that people see evenly: sRGB, light, CIE Lab. Differentiable; pictures are [B, 3, H, W]."""

import torch
from torch import Tensor

from ganctl.transfer import constant

TO_XYZ = (  # linear sRGB to CIE XYZ under D65 (IEC 61966-2-1)
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
FROM_XYZ = (  # its inverse
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)
WHITE = (0.95047, 1.0, 1.08883)  # D65
KNEE = 6 / 29  # of Lab's cube root: below it a straight line


def light_of(picture: Tensor) -> Tensor:
    """sRGB in [-1, 1] to light, 0 to 1 (IEC 61966-2-1)."""
    value = (picture + 1) / 2
    return torch.where(value > 0.04045, ((value.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, value / 12.92)


def picture_of(light: Tensor) -> Tensor:
    """Light to sRGB in [-1, 1]; what lies outside 0 to 1, no screen can show, and goes on smoothly."""
    value = torch.where(light > 0.0031308, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * light)
    return value * 2 - 1


def mixed(picture: Tensor, rows: tuple[tuple[float, ...], ...]) -> Tensor:
    """A matrix times each pixel's channels; no matrix product, which autocast would round."""
    matrix = constant(rows, picture.dtype, picture.device)
    return (matrix[:, :, None, None] * picture[:, None]).sum(2)


def lab_of(picture: Tensor) -> Tensor:
    """sRGB in [-1, 1] to CIE Lab: L 0 to 100, a and b about -110 to 110."""
    ratio = mixed(light_of(picture), TO_XYZ) / white_beside(picture)
    x, y, z = cube_root(ratio).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)


def rgb_of(lab: Tensor) -> Tensor:
    """CIE Lab to sRGB; colours that no screen can show lie outside [-1, 1]."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    ratio = cube(torch.stack((y + a / 500, y, y - b / 200), 1))
    return picture_of(mixed(ratio * white_beside(lab), FROM_XYZ))


def grey_of(picture: Tensor) -> Tensor:
    """The grey of each pixel's lightness, [B, 1, H, W] in [-1, 1]; a grey picture stays as it is."""
    return picture_of(mixed(light_of(picture), TO_XYZ[1:2]))


def cube_root(ratio: Tensor) -> Tensor:
    """Lab's f."""
    return torch.where(ratio > KNEE**3, ratio.clamp(min=KNEE**3) ** (1 / 3), ratio / (3 * KNEE**2) + 4 / 29)


def cube(root: Tensor) -> Tensor:
    """The inverse of Lab's f."""
    return torch.where(root > KNEE, root**3, 3 * KNEE**2 * (root - 4 / 29))


def white_beside(picture: Tensor) -> Tensor:
    """The white point [3, 1, 1] in a picture's precision, where it lies."""
    return constant(WHITE, picture.dtype, picture.device)[:, None, None]
