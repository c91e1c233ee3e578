"""Tensors to pictures: rounding, and where each pixel of a sheet lies."""

import numpy as np
import torch
from PIL import Image

from ganctl.pictures import grid, save_picture, to_bytes


def test_bytes_are_the_nearest_of_256_levels():
    assert to_bytes(torch.tensor([-2.0, -1.0, 0.0, 1 / 127.5 - 1, 1.0, 3.0])).tolist() == [0, 0, 128, 1, 255, 255]


def test_a_sheet_row_by_row_on_white():
    # Three 1 x 2 pictures, two a row: black, grey-level 51 and 255, with 2 white pixels between and around.
    levels = torch.tensor([0.0, 51.0, 255.0]) / 127.5 - 1
    sheet = grid(levels[:, None, None, None].expand(3, 1, 1, 2), columns=2, enlarge=False)
    white = np.full((8, 10, 3), 255)
    white[2, 2:4] = 0
    white[2, 6:8] = 51
    assert sheet.shape == (2 + 1 + 2 + 1 + 2, 2 + 2 + 2 + 2 + 2, 3)
    assert (sheet == white).all()


def test_small_pictures_are_enlarged_by_whole_pixels():
    sheet = grid(torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2), enlarge=True)
    assert sheet.shape[1] == 250 * (2 + 2 + 2)  # 1000 // (2 + 2) times
    assert (sheet[600, 500:750] == 0).all()
    assert (sheet[600, 750:1000] == 255).all()


def test_two_channels_are_red_and_green_and_alpha_is_left_out():
    assert grid(torch.tensor([1.0, -1.0]).view(1, 2, 1, 1), enlarge=False)[2, 2].tolist() == [255, 0, 0]
    assert grid(torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 4, 1, 1), enlarge=False)[2, 2].tolist() == [255, 0, 255]


def test_a_picture_is_saved_as_it_is(tmp_path):
    for channels in (1, 3, 4):
        picture = np.arange(6 * channels, dtype=np.uint8).reshape(2, 3, channels)
        save_picture(picture, tmp_path / "new" / f"{channels}.png")
        assert (np.asarray(Image.open(tmp_path / "new" / f"{channels}.png")).reshape(2, 3, channels) == picture).all()
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".png"}
