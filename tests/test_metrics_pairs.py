"""PSNR, SSIM and the bicubic reference: by hand, and against the published figure on Set5."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from ganctl.data.resizing import bicubic
from ganctl.errors import UserError
from ganctl.metrics.pairs import l1, lpips, luma, prepare_pair, psnr, ssim


def test_psnr_by_hand() -> None:
    """A difference of 0.1 everywhere: -10 log10(0.01) = 20 dB; of 0.01: 40 dB; averaged over pictures: 30 dB."""
    target = torch.full((2, 3, 16, 16), 0.5)
    output = target + torch.tensor([0.1, 0.01]).view(2, 1, 1, 1)
    assert psnr(output, target) == pytest.approx(30, abs=1e-3)
    assert l1(output, target) == pytest.approx(0.055, rel=1e-4)


def test_equal_pictures() -> None:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert psnr(picture, picture) == pytest.approx(58.92, abs=0.01)  # 10 log10(12 * 255^2): no better than 8 bits tell
    assert ssim(picture, picture) == pytest.approx(1)


def test_one_equal_pair_does_not_make_the_mean_infinite() -> None:
    """58.92 dB for the equal pair, 20 dB for the other."""
    target = torch.full((2, 3, 16, 16), 0.5)
    output = target + torch.tensor([0.0, 0.1]).view(2, 1, 1, 1)
    assert psnr(output, target) == pytest.approx((58.92 + 20) / 2, abs=0.01)


def test_ssim_of_constant_pictures_by_hand() -> None:
    """Without structure only the luminance term is left: (2 * 0.5 * 0.6 + 1e-4) / (0.25 + 0.36 + 1e-4)."""
    target = torch.full((1, 1, 24, 24), 0.5)
    assert ssim(target + 0.1, target) == pytest.approx((0.6 + 1e-4) / (0.61 + 1e-4), rel=1e-4)


def test_luma_by_hand() -> None:
    """BT.601: black is 16, white is 235, pure green 16 + 128.553."""
    colours = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 1, 0]]).view(3, 3, 1, 1)
    assert (luma(colours).flatten() * 255).tolist() == pytest.approx([16, 235.0, 144.553], rel=1e-5)
    assert luma(colours[:, :1]).shape == (3, 1, 1, 1)


def test_the_border_is_left_out() -> None:
    target = torch.zeros(1, 1, 24, 24)
    output = target.clone()
    output[:, :, :4] = 1
    inner = [prepare_pair(each, "rgb", 4) for each in (output, target)]
    assert psnr(*inner) == pytest.approx(58.92, abs=0.01)
    assert inner[1].shape == (1, 1, 16, 16)
    with pytest.raises(ValueError, match="border: 12 pixels on each side leave nothing"):
        prepare_pair(target, "rgb", 12)


def test_pictures_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="SSIM needs 11 pixels a side, not 10x16"):
        ssim(torch.zeros(1, 3, 10, 16), torch.zeros(1, 3, 10, 16))


def test_bicubic_keeps_constants_and_bytes() -> None:
    picture = torch.full((1, 3, 20, 24), 100 / 255)
    assert torch.allclose(bicubic(picture, (5, 6)), torch.full((1, 3, 5, 6), 100 / 255))
    shrunk = bicubic(torch.rand(1, 3, 20, 24), (5, 6)) * 255
    assert torch.allclose(shrunk, shrunk.round(), atol=1e-4)


def pictures(archive: Path, folder: str) -> list[Tensor]:
    """[1, 3, H, W] in [0, 1] of every PNG of that folder."""
    found = []
    with zipfile.ZipFile(archive) as zipped:
        for name in sorted(zipped.namelist()):
            if f"/{folder}/" in name and name.endswith(".png"):
                pixels = np.array(Image.open(io.BytesIO(zipped.read(name))).convert("RGB"))
                found.append(torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255)
    return found


def enlarged_again(target: Tensor) -> tuple[Tensor, Tensor]:
    """A picture shrunk and enlarged by 4, and the picture; both as they are compared: Y, without a border."""
    height, width = (side - side % 4 for side in target.shape[2:])
    target = target[:, :, :height, :width]
    output = bicubic(bicubic(target, (height // 4, width // 4)), (height, width))
    return prepare_pair(output, "y", 4), prepare_pair(target, "y", 4)


def test_bicubic_on_set5_is_what_papers_print(data_root: Path) -> None:
    """Times 4, on Y, border of 4: 28.42 dB and SSIM 0.8104 (e.g. Lim et al. 2017, table 3)."""
    pairs = [enlarged_again(picture) for picture in pictures(data_root / "sr_test_set5_set14.zip", "Set5")]
    assert len(pairs) == 5
    assert sum(psnr(*pair) for pair in pairs) / 5 == pytest.approx(28.42, abs=0.05)
    assert sum(ssim(*pair) for pair in pairs) / 5 == pytest.approx(0.8104, abs=0.002)


def test_lpips_without_weights_says_where_to_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(UserError, match=r"put it into .*checkpoints .* or set download=true"):
        lpips(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="LPIPS needs 32 pixels a side"):
        lpips(torch.zeros(1, 3, 16, 64), torch.zeros(1, 3, 16, 64))
