"""Pairs from files and made of pictures: which half is which, what chance does to both, each mistake in words."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo, plain, put, ramp
from PIL import Image
from torch import Tensor

from ganctl.colour import grey_of, lab_of, rgb_of
from ganctl.data.batch import Pairs
from ganctl.data.made_pairs import Colorize, Holed, Inpaint, RandomColorize, RandomInpaint
from ganctl.data.paired import Paired
from ganctl.data.pairs import PairTable, RandomPairs
from ganctl.data.splits import apart
from ganctl.data.stream import fixed
from ganctl.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")
CPU = torch.device("cpu")
RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def halves(left: tuple[int, ...] = RED, right: tuple[int, ...] = BLUE, width: int = 16) -> bytes:
    """One file: a colour on the left, another on the right."""
    picture = plain(right, (width, 8))
    picture.paste(left, (0, 0, width // 2, 8))
    return encoded(picture)


def whole(table, count: int | None = None) -> Pairs:
    return table.batch(torch.arange(count or len(table)), torch.Generator().manual_seed(0))


def colour(picture: Tensor) -> list[tuple[int, ...]]:
    """Of each picture's middle pixel; asserts that the picture has no other."""
    height, width = picture.shape[2:]
    middle = picture[:, :, height // 2, width // 2]
    assert torch.equal(picture, middle[:, :, None, None].expand_as(picture))
    return [tuple(each) for each in ((middle + 1) * 127.5).round().int().tolist()]


def mistake(**settings) -> str:
    with pytest.raises(UserError) as raised:
        Paired(**{"root": "set", "size": 8, **settings}).open(CPU)
    (only,) = raised.value.mistakes
    return only


def test_left_is_a_and_right_is_b_and_no_colour_crosses_the_middle() -> None:
    put("set", {"1.png": halves(RED, BLUE), "2.png": halves(GREEN, RED)})
    dataset = Paired("set", size=5, held_out=0)
    assert dataset.describe().shape == dataset.describe().source == (3, 5, 5)
    assert dataset.describe().count == 2
    batch = whole(dataset.open(CPU))
    assert colour(batch.source) == [RED, GREEN]
    assert colour(batch.target) == [BLUE, RED]
    back = whole(Paired("set", size=5, direction="b2a", held_out=0).open(CPU))
    assert colour(back.source) == [BLUE, RED]


def test_two_folders_meet_by_names_whatever_their_formats() -> None:
    put("a", {"x/1.png": encoded(plain(RED)), "x/2.png": encoded(plain(GREEN))})
    put("b", {"x/2.bmp": encoded(plain(BLUE), "BMP"), "x/1.png": encoded(plain((9, 9, 9)))})
    batch = whole(Paired("a", "b", size=8, held_out=0).open(CPU))
    assert colour(batch.source) == [RED, GREEN]
    assert colour(batch.target) == [(9, 9, 9), BLUE]


def test_test_folders_are_held_out_and_else_the_end_of_each_folder() -> None:
    assert apart(["s/test/1", "s/train/1", "s/train/2"], 0.5) == (("s/train/1", "s/train/2"), ("s/test/1",))
    assert apart(["test/1", "test/2"], 0) == (("test/1", "test/2"), ())  # all are test pictures: all are trained
    assert apart(["a/1", "a/2", "b/1", "b/2", "b/3", "b/4"], 0.5) == (("a/1", "b/1", "b/2"), ("a/2", "b/3", "b/4"))
    assert apart(["1", "2", "3"], 0.05) == (("1", "2"), ("3",))  # at least one
    assert apart(["1"], 0.05) == (("1",), ())  # never all
    assert apart(["test.png", "1.png"], 0) == (("test.png", "1.png"), ())  # a file is no folder


def test_held_out_pairs_are_not_dealt() -> None:
    put("set", {"train/1.png": halves(RED), "train/2.png": halves(RED), "test/1.png": halves(GREEN)})
    table = Paired("set", size=8).open(CPU)
    assert len(table) == 2
    rest = table.held_out()
    assert rest is not None
    assert len(rest) == 1
    assert colour(whole(rest).source) == [GREEN]
    assert colour(fixed(rest, 3).source) == [GREEN] * 3
    assert Paired("set", size=8).describe().count == 2


def test_both_of_a_pair_are_mirrored_or_neither() -> None:
    table = PairTable(*(numbered(64, start) for start in (0, 100)), CPU, flip=True)
    batch = whole(table)
    assert torch.equal(((batch.target - batch.source) * 127.5).round(), torch.full_like(batch.source, 100.0))
    mirrored = (batch.source[:, 0, 0, 0] > batch.source[:, 0, 0, 1]).sum()
    assert 16 < mirrored < 48  # of 64 about half
    assert torch.equal(whole(table).source, batch.source)  # the same generator, the same chance


def numbered(count: int, start: int, height: int = 3, width: int = 4) -> Tensor:
    """Each pixel another value: start, start + 1, ... along the rows."""
    return (
        torch.arange(start, start + height * width, dtype=torch.uint8).view(1, 1, height, width).repeat(count, 1, 1, 1)
    )


def test_jitter_cuts_the_same_place_of_both() -> None:
    table = PairTable(numbered(200, 0), numbered(200, 100), CPU, crop=(2, 2))
    batch = whole(table)
    assert batch.source.shape == (200, 1, 2, 2)
    values = ((batch.source + 1) * 127.5).round().int()
    assert torch.equal(((batch.target + 1) * 127.5).round().int(), values + 100)
    corners = values[:, 0, 0, 0]
    assert sorted(corners.unique().tolist()) == [0, 1, 2, 4, 5, 6]  # 2 rows x 3 columns of places
    assert torch.equal(values[:, 0], corners[:, None, None] + torch.tensor([[0, 1], [4, 5]]))


def test_jitter_keeps_the_promised_size_and_previews_uncut() -> None:
    put("set", {f"{number}.png": halves() for number in range(4)})
    table = Paired("set", size=[8, 6], jitter=2).open(CPU)
    assert whole(table).target.shape == (3, 3, 8, 6)
    assert table.held_out() is not None
    assert whole(table.held_out()).target.shape == (1, 3, 8, 6)


def test_halves_of_different_size() -> None:
    put("set", {"1.png": halves(), "odd.png": encoded(plain(RED, (15, 8)))})
    told = mistake(held_out=0)
    assert told.startswith("dataset.root: 1 of 2 pictures in 'set' cannot be read: ")
    assert "'odd.png' (15 pixels wide: its halves would differ in size)" in told
    assert told.endswith("replace them or set dataset.on_error=skip")
    assert len(Paired("set", size=8, held_out=0, on_error="skip").open(CPU)) == 1


def test_twins_of_different_size() -> None:
    put("a", {"1.png": encoded(plain(RED, (16, 8))), "2.png": encoded(plain(RED))})
    put("b", {"1.png": encoded(plain(RED, (8, 16))), "2.png": encoded(plain(RED))})
    told = mistake(root="a", root_b="b", held_out=0)
    assert "'1.png' (its pictures differ in size: A has 16x8 pixels, B 8x16)" in told


def test_files_without_a_partner(caplog: pytest.LogCaptureFixture) -> None:
    put("a", {"1.png": encoded(plain(RED)), "2.png": encoded(plain(RED))})
    put("b", {"1.png": encoded(plain(BLUE)), "3.png": encoded(plain(BLUE))})
    assert mistake(root="a", root_b="b") == (
        "dataset.root_b: 2 files of 'a' and 'b' without a partner of the same name: '2.png' (not in 'b'), "
        "'3.png' (not in 'a'); add the partners or set dataset.on_error=skip"
    )
    assert len(Paired("a", "b", size=8, on_error="skip").open(CPU)) == 1
    assert "2 files of 'a' and 'b' without a partner of the same name: '2.png' (not in 'b'), " in caplog.text
    assert "'3.png' (not in 'a'); left out" in caplog.text


def test_bad_pictures_that_are_all_of_those_held_out(caplog: pytest.LogCaptureFixture) -> None:
    """The last of seven is held out, and cannot be read: told as it is, and left out where that is asked for."""
    good = {f"{number}.png": encoded(plain(RED, (16, 8))) for number in range(6)}
    put("ab", {**good, "z.png": b"no picture"})
    told = mistake(root="ab", held_out=0.1)
    assert told.startswith("dataset.root: none of the 1 pictures held out of 'ab' can be read: 'z.png' (")
    assert told.endswith("; replace them or set dataset.on_error=skip")
    table = Paired("ab", size=8, held_out=0.1, on_error="skip").open(CPU)
    assert (len(table), table.held_out()) == (6, None)
    assert "so that none is held out: 'z.png' (" in caplog.text


def test_no_file_has_a_partner() -> None:
    put("a", {"1.png": encoded(plain(RED))})
    put("b", {"2.png": encoded(plain(BLUE))})
    assert mistake(root="a", root_b="b", on_error="skip") == (
        "dataset.root_b: no file in 'a' and 'b' has a partner of the same name; give both pictures of a pair one"
    )


def test_two_files_of_one_name() -> None:
    put("a", {"1.png": encoded(plain(RED)), "1.bmp": encoded(plain(RED), "BMP")})
    put("b", {"1.png": encoded(plain(BLUE))})
    assert "'1.bmp' and '1.png' in 'a' have one name" in mistake(root="a", root_b="b")


def test_a_missing_second_folder() -> None:
    put("a", {"1.png": encoded(plain(RED))})
    assert mistake(root="a", root_b="b") == (
        "dataset.root_b: no such folder 'b'; put pictures there or set dataset.root_b=PATH"
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"direction": "left"}, "direction: 'left'; must be a2b or b2a"),
        ({"jitter": 9}, "jitter: 9; must be 0 to 8 pixels, the shorter side"),
        ({"held_out": 1.0}, "held_out: 1.0; must be 0 or more and less than 0.9"),
    ],
)
def test_impossible_settings(settings, words) -> None:
    with pytest.raises(ValueError, match=words):
        Paired("set", size=8, **settings)


def test_odd_files_become_pairs_and_are_told(caplog) -> None:
    """16-bit grey, CMYK, a palette, transparency, and a pair smaller than asked for."""
    deep = Image.fromarray(np.full((8, 16), 257 * 100, np.uint16))
    palette = Image.open(Path(put("other", {"p.png": halves()}), "p.png")).convert("P")
    put(
        "set",
        {
            "cmyk.jpg": encoded(plain((0, 255, 255, 0), (16, 8), "CMYK"), "JPEG"),
            "deep.png": encoded(deep),
            "palette.png": encoded(palette),
            "small.png": halves(width=4),
            "through.png": encoded(plain((0, 0, 0, 0), (16, 8), "RGBA")),
        },
    )
    with caplog.at_level(logging.INFO):
        batch = whole(Paired("set", size=8, held_out=0).open(CPU))
    middle = (((batch.source + 1) * 127.5).round().int()[:, :, 4, 4]).tolist()
    assert middle[1] == [100, 100, 100]
    assert middle[2] == list(RED)
    assert middle[4] == [255, 255, 255]  # laid over white
    for words in ("1 16-bit grey scaled to 8 bits", "1 converted from CMYK", "1 enlarged", "1 transparency laid over"):
        assert words in caplog.text


def test_random_pairs_say_what_they_deal() -> None:
    dataset = RandomPairs(shape=[3, 8, 8], source=[4, 4, 4], count=5)
    assert dataset.describe().source == (4, 4, 4)
    batch = whole(dataset.open(CPU))
    assert batch.source.shape == (5, 4, 4, 4)
    assert batch.target.shape == (5, 3, 8, 8)
    assert torch.equal(batch.target, whole(dataset.open(CPU)).target)
    blank = dataset.blank(7)
    assert isinstance(blank, Pairs)
    assert blank.source.shape == (7, 4, 4, 4)
    with pytest.raises(ValueError, match=r"source: \[3, 8\]; must be \[channels, height, width\]"):
        RandomPairs(source=[3, 8])


def test_known_colours_in_lab() -> None:
    """Red, green and blue of sRGB under D65, as colour tables give them."""
    known = {RED: (53.24, 80.09, 67.20), GREEN: (87.73, -86.18, 83.18), BLUE: (32.30, 79.19, -107.86)}
    for rgb, lab in known.items():
        pixel = torch.tensor(rgb).div(127.5).sub(1).view(1, 3, 1, 1)
        assert torch.allclose(lab_of(pixel).flatten(), torch.tensor(lab), atol=0.01)
        assert torch.allclose(rgb_of(lab_of(pixel)), pixel, atol=1e-4)
    grey = torch.full((1, 3, 1, 1), 0.3)
    assert torch.allclose(grey_of(grey), grey[:, :1], atol=1e-5)


def test_colorize_gives_the_grey_of_the_same_lightness() -> None:
    put("set", {"1.png": encoded(photo((8, 8)))})
    dataset = Colorize("set", size=8)
    assert dataset.describe().source == dataset.describe().shape == (3, 8, 8)
    batch = whole(dataset.open(CPU))
    assert torch.equal(batch.source[:, 0], batch.source[:, 1])
    assert torch.equal(batch.source[:, 0], batch.source[:, 2])
    assert torch.allclose(lab_of(batch.source)[:, 0], lab_of(batch.target)[:, 0], atol=0.01)
    assert lab_of(batch.source)[:, 1:].abs().max() < 0.01


def test_colorize_takes_grey_and_deep_pictures() -> None:
    put("set", {"1.png": encoded(ramp("uint16", 65535)), "2.png": encoded(plain(77, mode="L"))})
    batch = whole(Colorize("set", size=8, held_out=0).open(CPU))
    assert torch.allclose(batch.source, batch.target, atol=1e-4)


def test_a_hole_in_the_middle() -> None:
    target = torch.rand(2, 1, 6, 8, generator=torch.Generator().manual_seed(0))
    batch = Holed((6, 8))(target, torch.Generator())
    hole = torch.zeros(6, 8, dtype=torch.bool)
    hole[1:4, 2:6] = True  # 3 of 6 rows, 4 of 8 columns
    assert torch.equal(batch.source[:, 1] < 0, hole.expand(2, -1, -1))
    assert torch.equal(batch.source[:, 1].abs(), torch.ones(2, 6, 8))
    assert torch.equal(batch.source[:, 0], target[:, 0].masked_fill(hole, 0.0))
    assert torch.equal(batch.target, target)


def test_random_holes_stay_inside_and_within_their_share() -> None:
    batch = Holed((8, 8), "random", 0.5)(torch.ones(500, 1, 8, 8), torch.Generator().manual_seed(0))
    hole = batch.source[:, 1] < 0
    rows, columns = hole.any(2).sum(1), hole.any(1).sum(1)
    assert set(rows.tolist()) == set(columns.tolist()) == {2, 3, 4}
    assert torch.equal(hole.sum((1, 2)), rows * columns)  # one rectangle each
    assert hole.any(0).all()  # every place is taken at times


@pytest.mark.parametrize("share", [0.0, 1.0, 0.99, 0.01])
def test_a_mask_that_covers_everything_or_nothing(share: float) -> None:
    with pytest.raises(ValueError) as raised:
        Inpaint("set", size=8, share=share)
    assert str(raised.value) == (
        f"share: {share}; a hole must take something of a picture of 8x8 pixels and leave something of each side; "
        "must be more than 0 and less than 1, such as 0.5"
    )


def test_transparency_marks_the_hole_and_is_not_painted() -> None:
    with pytest.raises(ValueError, match=r"channels: 4; must be 1 \(grey\) or 3 \(colour\): transparency marks"):
        Inpaint("set", channels=4)


def test_inpaint_describes_its_mask_and_holds_out_the_end() -> None:
    put("set", {f"{number}.png": encoded(plain(RED)) for number in range(20)})
    dataset = Inpaint("set", size=8, channels=1, held_out=0.1)
    assert dataset.describe().shape == (1, 8, 8)
    assert dataset.describe().source == (2, 8, 8)
    assert dataset.describe().count == 18
    table = dataset.open(CPU)
    assert len(table) == 18
    assert len(table.held_out() or ()) == 2


def test_random_forms() -> None:
    assert RandomInpaint([2, 8, 8]).describe().source == (3, 8, 8)
    assert whole(RandomInpaint([2, 8, 8], count=3).open(CPU)).source.shape == (3, 3, 8, 8)
    assert whole(RandomColorize([3, 8, 8], count=3).open(CPU)).source.shape == (3, 3, 8, 8)
    with pytest.raises(ValueError, match=r"shape: \[1, 8, 8\]; must have 3 channels"):
        RandomColorize([1, 8, 8])


def test_facades(data_root: Path) -> None:
    root = data_root / "facades256.zip"
    if not root.is_file():
        pytest.skip("no facades256.zip")
    dataset = Paired(str(root), size=16, direction="b2a")
    assert dataset.describe().count == 240
    table = dataset.open(CPU)
    assert len(table.held_out() or ()) == 40
    source = whole(table, 8).source
    blue = (source[:, 2] - source[:, :2].amax(1)).mean()
    assert blue > 0.3  # the label maps' ground is blue
