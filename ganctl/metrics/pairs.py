"""A picture against the one that it should be: PSNR, SSIM, L1 and LPIPS."""

import logging
from math import log10
from pathlib import Path
from typing import Literal
from urllib.error import URLError

import torch
from torch import Tensor

from ganctl.errors import UserError
from ganctl.metrics.isolation import isolated

logger = logging.getLogger("ganctl")

Channel = Literal["rgb", "y"]
SIDE_FOR_LPIPS = 32  # AlexNet halves the side five times
SIDE_FOR_SSIM = 11  # the Gaussian window
ALEXNET = "alexnet-owt-7be5be79.pth"
MOST_PSNR = 10 * log10(12 * 255**2)  # dB: the error of rounding to 8 bits, 1/12 grey level squared
LUMA = (65.481, 128.553, 24.966)  # BT.601, for R, G, B in [0, 1]


def luma(image: Tensor) -> Tensor:
    """[B, 3, H, W] in [0, 1] -> Y of YCbCr [B, 1, H, W] in [16/255, 235/255] (ITU-R BT.601); grey stays as it is."""
    if image.shape[1] == 1:
        return image
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device)
    return (16 + (image * weights[:, None, None]).sum(1, keepdim=True)) / 255


def prepare_pair(image: Tensor, channel: Channel, border: int) -> Tensor:
    """What is compared: all channels or Y, without `border` pixels on each side."""
    image = luma(image) if channel == "y" else image
    height, width = image.shape[2:]
    if min(height, width) <= 2 * border:
        raise ValueError(f"border: {border} pixels on each side leave nothing of a {height}x{width} picture")
    return image[:, :, border : height - border, border : width - border]


def l1(output: Tensor, target: Tensor) -> float:
    """Mean absolute difference of pictures [B, C, H, W] in [0, 1]."""
    return float((output - target).abs().mean())


def ssim(output: Tensor, target: Tensor) -> float:
    """Mean structural similarity (Wang et al. 2004) of pictures [B, C, H, W] in [0, 1], window of 11, sigma 1.5.

    Raises ValueError for pictures smaller than the window.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    if min(output.shape[2:]) < SIDE_FOR_SSIM:
        raise ValueError(f"pairs: SSIM needs {SIDE_FOR_SSIM} pixels a side, not {output.shape[2]}x{output.shape[3]}")
    return float(structural_similarity_index_measure(output, target, data_range=1.0))  # type: ignore[arg-type]


def psnr(output: Tensor, target: Tensor) -> float:
    """Mean over pictures [B, C, H, W] in [0, 1] of 10 log10(1 / mean squared difference), in dB.

    Each counts 58.9 dB at most, which is what rounding to 8 bits costs: one pair of equal pictures (a grey one in a set
    to be coloured) would make the mean infinite.
    """
    from torchmetrics.functional.image import peak_signal_noise_ratio

    values = peak_signal_noise_ratio(output, target, data_range=(0.0, 1.0), dim=(1, 2, 3), reduction="none")
    return float(values.clamp(max=MOST_PSNR).mean())


def find_alexnet() -> Path | None:
    """The backbone of LPIPS where PyTorch keeps downloads, if it is there."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET
    return path if path.is_file() else None


def lacks(side: int | None, channels: int, fetching: bool, border: int = 0) -> dict[str, str]:
    """Metric -> what it needs that pictures or machine lack; side: the smaller one, None where it is not known.

    fetching: whether weights that are not here may be downloaded. border: pixels taken off each end of `side`.
    """
    found = {}
    cut = f", and {side} are left without {border} at each border" if border else ""
    if side is not None and side < SIDE_FOR_SSIM:
        found["ssim"] = f"needs pictures of {SIDE_FOR_SSIM} pixels a side{cut}"
    if side is not None and side < SIDE_FOR_LPIPS:
        found["lpips"] = f"needs pictures of {SIDE_FOR_LPIPS} pixels a side{cut}"
    elif channels not in (1, 3):
        found["lpips"] = "needs grey or coloured pictures"
    elif find_alexnet() is None and not fetching:
        where = f"{torch.hub.get_dir()}/checkpoints"
        found["lpips"] = f"needs {ALEXNET}, which is not in {where} (ganctl evaluate download=true fetches it)"
    return found


def lpips(output: Tensor, target: Tensor, download: bool = False) -> float:
    """Zhang et al. 2018 on AlexNet; output, target: [B, 3, H, W] in [0, 1]. Raises UserError where the weights lack."""
    from torchmetrics.functional.image import learned_perceptual_image_patch_similarity

    if min(output.shape[2:]) < SIDE_FOR_LPIPS:
        raise ValueError(f"pairs: LPIPS needs {SIDE_FOR_LPIPS} pixels a side, not {output.shape[2]}x{output.shape[3]}")
    if find_alexnet() is None and not download:
        where = Path(torch.hub.get_dir()) / "checkpoints"
        raise UserError(
            f"metrics: lpips needs {ALEXNET}, which is not here; put it into {where} "
            f"(from https://download.pytorch.org/models/{ALEXNET}), or set download=true"
        )
    first, second = (image.expand(-1, 3, -1, -1).float().contiguous() for image in (output, target))
    try:
        with isolated():  # the backbone's layers are drawn at random before the weights are read
            return float(learned_perceptual_image_patch_similarity(first, second, net_type="alex", normalize=True))
    except (URLError, OSError) as error:
        raise UserError(f"download: {ALEXNET} cannot be reached ({error}); leave lpips out of metrics=") from None
