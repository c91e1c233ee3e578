"""Tensors to pictures: rounding, and where each pixel of a sheet lies."""

import numpy as np
import torch
from PIL import Image

from ganctl.pictures import captioned, grid, save_animation, save_picture, strip, to_bytes


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


def test_words_stand_on_a_strip_of_white_below_a_sheet():
    sheet = np.full((40, 320, 3), 77, np.uint8)
    whole = captioned(sheet, "8x8 faded in by 40%")
    assert whole.shape == (40 + strip(320), 320, 3)
    assert (whole[:40] == sheet).all()
    words = whole[40:]
    assert words[[0, -1]].min() == 255  # nothing is cut off above or below
    assert words.min() < 50
    assert not (captioned(sheet, "16x16")[40:] == words).all()
    assert captioned(sheet, "") is sheet


def test_an_animation_of_sheets_with_and_without_words(tmp_path):
    sheet = np.full((40, 320, 3), 77, np.uint8)
    for name, picture in (("1", sheet), ("2", captioned(sheet, "16x16"))):
        save_picture(picture, tmp_path / f"{name}.png")
    save_animation([tmp_path / "1.png", tmp_path / "2.png"], tmp_path / "progress.gif")
    with Image.open(tmp_path / "progress.gif") as film:
        frames = [np.asarray((film.seek(number), film.convert("RGB"))[1]) for number in range(film.n_frames)]
    assert [frame.shape for frame in frames] == [(40 + strip(320), 320, 3)] * 2
    assert frames[0][40:].min() == 255
    assert frames[1][40:].min() < 50


def test_what_is_no_picture_is_left_out_of_the_animation(tmp_path):
    """As a power cut leaves it: an empty file, and one that ends too early."""
    for name in ("1", "2", "3", "4"):
        save_picture(np.full((40, 320, 3), 9 * int(name), np.uint8), tmp_path / f"{name}.png")
    (tmp_path / "2.png").write_bytes(b"")
    (tmp_path / "3.png").write_bytes((tmp_path / "3.png").read_bytes()[:60])
    save_animation(sorted(tmp_path.glob("*.png")), tmp_path / "progress.gif")
    with Image.open(tmp_path / "progress.gif") as film:
        assert film.n_frames == 2
