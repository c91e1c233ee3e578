"""Folders and zips as users have them: each oddity with its exact outcome and words."""

import os
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo, plain, put

from ganctl.data import archive, tree
from ganctl.data.dataset import TensorTable
from ganctl.data.folder import Folder, classes_of
from ganctl.data.stream import Stream, fixed
from ganctl.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")
CPU = torch.device("cpu")
RED, BLUE = encoded(plain("red")), encoded(plain("blue"))
FORMATS = "PNG, JPEG, WEBP, AVIF, GIF, BMP, TIFF, PPM, JPEG2000, QOI"


def opened(root: str, **settings) -> TensorTable:
    table = Folder(root, **{"size": 8, **settings}).open(CPU)
    assert isinstance(table, TensorTable)
    return table


def colours(table: TensorTable) -> list[list[int]]:
    """The middle pixel of each picture as stored."""
    return table.pixels(torch.arange(len(table)))[:, :, 4, 4].tolist()


def zipped(name: str, files: dict[str, bytes]) -> Path:
    """A zip with files."""
    with zipfile.ZipFile(name, "w") as target:
        for member, content in files.items():
            target.writestr(member, content)
    return Path(name)


# ---- folders that cannot be used


def subfolders_only() -> None:
    Path("d/a/b").mkdir(parents=True)


def unreadable_folder() -> None:
    Path("d").mkdir(mode=0)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "1 missing": (lambda: None, "no such folder 'd'; put pictures there or set dataset.root=PATH"),
    "2 a file instead": (
        lambda: Path("d").write_text("x"),
        "'d' is a file; must be a folder or a zip of pictures",
    ),
    "3 empty": (
        lambda: Path("d").mkdir(),
        f"no pictures in 'd', it is empty; put pictures there ({FORMATS}) or set dataset.root=PATH",
    ),
    "4 only subfolders": (
        subfolders_only,
        f"no pictures in 'd', it is empty; put pictures there ({FORMATS}) or set dataset.root=PATH",
    ),
    "5 only other files": (
        lambda: put("d", {"a.txt": b"", "b.heic": b"", "c.heic": b"", "README": b"", "d.svg": b"<svg/>"}),
        "no pictures in 'd', it holds 2 .heic, 1 .svg, 1 .txt, 1 without suffix; "
        f"put pictures there ({FORMATS}) or set dataset.root=PATH",
    ),
    "17 only hidden and system files": (
        lambda: put("d", {"__MACOSX/a.png": RED, ".hidden.png": RED, ".hidden/b.png": RED}),
        f"no pictures in 'd', it is empty; put pictures there ({FORMATS}) or set dataset.root=PATH",
    ),
    "not one readable": (
        lambda: put("d", {"a.png": b"", "b.jpg": b"<html>"}),
        "not one readable picture in 'd': 'a.png' (empty), 'b.jpg' (a web page); set dataset.root=PATH",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_folders_that_cannot_be_used(name: str) -> None:
    arrange, words = REFUSED[name]
    arrange()
    with pytest.raises(UserError) as caught:
        opened("d")
    assert sorted_words(str(caught.value)) == sorted_words(f"dataset.root: {words}")
    assert caught.value.exit_code == 2


def sorted_words(sentence: str) -> list[str]:
    """File kinds of equal number come in the order in which the disk lists them."""
    return sorted(sentence.replace(",", "").replace(";", "").split())


@pytest.mark.parametrize("where", ["d", "d/sub"])
def test_6_no_permission(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put("d", {"sub/a.png": RED})
    listed = os.scandir

    def scandir(folder):
        if Path(folder) == Path(where):
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(tree.os, "scandir", scandir)
    words = f"^dataset.root: cannot read '{where}' .permission denied.; set dataset.root to a folder that can be$"
    with pytest.raises(UserError, match=words):
        Folder("d").describe()


def test_missing_folders_are_found_before_anything_is_opened() -> None:
    with pytest.raises(UserError, match="no such folder"):
        Folder("d").describe()
    assert not Path("cache").exists()


# ---- folders that work


def test_7_one_picture_and_8_fewer_than_a_batch() -> None:
    table = opened(put("d", {"a.png": RED}))
    assert len(table) == 1
    assert next(iter(Stream(table, lambda _: 4, seed=0))).image.shape == (4, 3, 8, 8)
    assert len(fixed(table, 5)) == 5


def test_9_10_links_are_followed_but_not_in_circles() -> None:
    put("d", {"sub/a.png": RED})
    put("elsewhere", {"b.png": BLUE})
    Path("d/sub/loop").symlink_to(Path("d").absolute())
    Path("d/itself").symlink_to("itself")
    Path("d/outside").symlink_to(Path("elsewhere").absolute())
    Path("d/single.png").symlink_to(Path("elsewhere/b.png").absolute())
    assert Folder("d").describe().count == 3
    assert colours(opened("d")) == [[0, 0, 255], [0, 0, 255], [255, 0, 0]]


def test_11_23_what_is_no_file_is_named_and_never_opened() -> None:
    put("d", {"good.png": RED})
    Path("d/broken.png").symlink_to("nowhere")
    Path("d/itself.png").symlink_to("itself.png")
    Path("d/with suffix.png").mkdir()
    os.mkfifo("d/pipe.png")
    os.mkfifo("d/pipe")
    words = (
        r"^dataset.root: 3 of 4 pictures in 'd' cannot be read: 'broken.png' \(a broken link\), "
        r"'itself.png' \(a broken link\), 'pipe.png' \(not a regular file\); "
        "replace them or set dataset.on_error=skip$"
    )
    with pytest.raises(UserError, match=words):
        opened("d")
    assert colours(opened("d", on_error="skip")) == [[255, 0, 0]]


def test_12_to_19_odd_names() -> None:
    names = [
        "with space.png",
        "a=b,[c]{d}.png",
        unicodedata.normalize("NFC", "é.png"),
        unicodedata.normalize("NFD", "é.png"),
        os.fsdecode(b"latin-\xe9.png"),
        "new\nline.png",
        "x" * 246 + ".png",
        "UPPER.PNG",
        "upper.png",
        "Upper.Jpeg",
        "without-suffix",
    ]
    Path("d").mkdir()
    for name in names:
        Path("d", name).write_bytes(RED)
    assert len(opened("d")) == len(names)
    Path("d", "bad\n" + os.fsdecode(b"\xe9.png")).write_bytes(b"")
    with pytest.raises(UserError, match=r"'bad\\n\\udce9.png' \(empty\)"):
        opened("d")


def test_17_hidden_and_system_files_are_left_out() -> None:
    put(
        "d",
        {"a.png": RED, "__MACOSX/b.png": b"", "Thumbs.db": b"", ".DS_Store": b"", "._a.png": b"", ".git/c.png": b""},
    )
    assert len(opened("d")) == 1


def test_20_many_files_are_listed_in_little_time() -> None:
    Path("d").mkdir()
    for number in range(3000):
        Path(f"d/{number}.png").touch()
    assert Folder("d").describe().count == 3000


def test_21_22_files_gone_or_changed_during_training_do_no_harm() -> None:
    table = opened(put("d", {"a.png": RED, "b.png": RED}))
    Path("d/a.png").unlink()
    Path("d/b.png").write_bytes(encoded(photo((2000, 2000))))
    assert colours(table) == [[255, 0, 0], [255, 0, 0]]


def test_59_mixed_sizes_modes_and_formats() -> None:
    put(
        "d",
        {
            "a.png": encoded(photo((10, 90))),
            "b.jpg": encoded(photo((300, 20)), "JPEG"),
            "c.webp": encoded(plain((0, 0, 0, 0), mode="RGBA"), "WEBP"),
            "d.gif": encoded(plain(3, mode="L"), "GIF"),
            "e.tiff": encoded(plain((0, 0, 0, 0), mode="CMYK"), "TIFF"),
        },
    )
    for size in ([100, 100], [96, 32]):
        table = opened("d", size=size, channels=4)
        assert table.batch(torch.arange(5), torch.Generator()).image.shape == (5, 4, *size)


def test_60_copies_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    opened(put("d", {"a.png": RED, "b.png": RED, "c.png": RED, "d.png": encoded(plain((1, 2, 3, 4), (4, 4), "RGBA"))}))
    assert caplog.messages[-1] == (
        "d: 4 pictures; 1 enlarged, 1 transparency laid over white, 2 exact copies of another"
    )


def test_other_files_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    opened(put("d", {"a.png": RED, "b.heic": b"", "c.heic": b"", "credits.csv": b""}))
    assert "d: other files left aside: 1 .csv, 2 .heic" in caplog.messages


# ---- unreadable pictures among good ones


def test_unreadable_pictures_are_all_named_or_skipped(caplog: pytest.LogCaptureFixture) -> None:
    put("d", {"a.png": RED, "b.png": encoded(photo())[:900], "c.png": BLUE, "d.jpg": b"hello"})
    words = (
        "2 of 4 pictures in 'd' cannot be read: 'b.png' (cut off: the file ends too early), "
        "'d.jpg' (not a picture of a known format)"
    )
    with pytest.raises(UserError) as caught:
        opened("d")
    assert str(caught.value) == f"dataset.root: {words}; replace them or set dataset.on_error=skip"
    assert colours(opened("d", on_error="skip")) == [[255, 0, 0], [0, 0, 255]]
    assert words.replace(" cannot be read:", " cannot be read and are skipped:") in caplog.messages


def test_of_many_unreadable_ten_are_named_and_all_listed() -> None:
    put("d", {"good.png": RED, **{f"bad{number:02}.png": b"" for number in range(14)}})
    with pytest.raises(UserError) as caught:
        opened("d")
    message = str(caught.value)
    assert message.startswith("dataset.root: 14 of 15 pictures in 'd' cannot be read: 'bad00.png' (empty), ")
    assert "'bad09.png' (empty) and 4 more (all in " in message
    assert "bad10" not in message
    complete = Path(message.split("(all in ")[1].split(")")[0])
    assert complete.read_text().splitlines() == [f"'bad{number:02}.png' (empty)" for number in range(14)]


def test_skipping_keeps_the_numbers_of_the_classes() -> None:
    """The only picture of class b is damaged: c stays class 2."""
    put("d", {"a/x.png": RED, "b/x.png": b"", "c/x.png": BLUE})
    folder = Folder("d", size=8, on_error="skip")
    table = folder.open(CPU)
    assert folder.describe().names == ("a", "b", "c")
    assert table.batch(torch.arange(2), torch.Generator()).label.tolist() == [0, 2]


def test_files_too_large_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MAX_BYTES", 100)
    put("d", {"a.png": bytes(101), "b.png": b""})
    with pytest.raises(UserError, match=r"'a.png' \(larger than 512 MiB\), 'b.png' \(empty\)"):
        opened("d")


# ---- labels


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["1.png", "2.png"], None),
        (["a/1.png", "b/1.png"], ["a", "b"]),
        (["top/a/1.png", "top/b/1.png"], ["a", "b"]),
        (["a/x/1.png", "a/y/1.png", "b/1.png"], ["a", "a", "b"]),
        (["1.png", "a/1.png", "b/1.png"], None),
        (["a/1.png", "a/2.png"], None),
        (["a/1.png", "a/sub/2.png"], None),
        (["train/a/1.png", "test/b/1.png"], ["a", "b"]),
        (["d/train/a/1.png", "d/test/a/1.png", "d/test/b/2.png"], ["a", "a", "b"]),
        (["train/1.png", "test/1.png"], None),
        (["train/images/1.png", "test/images/1.png"], None),
        (["a\\1.png", "b\\1.png"], ["a", "b"]),
    ],
)
def test_classes_are_the_outermost_folders_that_differ(names: list[str], classes: list[str] | None) -> None:
    assert classes_of(names) == classes


def test_labels_follow_the_sorted_names_of_classes() -> None:
    put("d", {"zebra/1.png": RED, "ant/1.png": BLUE, "ant/2.png": BLUE})
    folder = Folder("d", size=8)
    assert folder.describe().names == ("ant", "zebra")
    assert folder.describe().classes == 2
    table = folder.open(CPU)
    batch = table.batch(torch.arange(3), torch.Generator())
    assert batch.label.tolist() == [0, 0, 1]
    assert batch.image[:, 2, 0, 0].tolist() == [1, 1, -1]  # blue: the ants


def test_labels_can_be_refused_or_demanded() -> None:
    put("d", {"a/1.png": RED, "b/1.png": BLUE})
    assert Folder("d", labels="none").describe().classes == 0
    assert opened("d", labels="none").labels is None
    words = (
        "^dataset.labels: 'folders', and 'd/a' has no class subfolders that hold all pictures; "
        r"give each class one subfolder \(two or more in all\) or set dataset.labels=none$"
    )
    with pytest.raises(UserError, match=words):
        Folder("d/a", labels="folders").describe()


# ---- zips


def test_a_zip_reads_as_the_folder_that_it_holds() -> None:
    put("d", {"a/1.png": RED, "b/1.png": BLUE, "notes.txt": b""})
    zipped("cars.zip", {"a/1.png": RED, "b/1.png": BLUE, "__MACOSX/a/1.png": b"", "notes.txt": b""})
    first, second = opened("d"), opened("cars.zip")
    assert first.rows.equal(second.rows)
    assert first.labels.equal(second.labels)
    assert colours(opened("cars.zip/b")) == [[0, 0, 255]]
    assert Folder("cars.zip/b").describe().count == 1
    assert {path.name for path in Path().iterdir()} == {"d", "cars.zip", "cache"}


def test_relative_roots_are_also_looked_for_in_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    put("data/cars", {"a.png": RED})
    monkeypatch.setenv("GANCTL_DATA", str(Path("data").absolute()))
    assert len(opened("cars")) == 1
    with pytest.raises(UserError, match="no such folder 'trucks'"):
        opened("trucks")


def test_a_folder_that_a_zip_does_not_have_is_told_with_those_it_has() -> None:
    with zipfile.ZipFile("cars.zip", "w") as target:
        for name in ("cars/train/a.png", "cars/test/b.png", "__MACOSX/cars/._a.png"):
            target.writestr(name, b"")
    words = "^dataset.root: no folder 'train' in 'cars.zip'; it has 'cars/test', 'cars/train'$"
    with pytest.raises(UserError, match=words):
        Folder("cars.zip/train").describe()
    with zipfile.ZipFile("flat.zip", "w") as target:
        target.writestr("a.png", b"")
    with pytest.raises(UserError, match=r"no folder 'train' in 'flat.zip'; it has no folders$"):
        Folder("flat.zip/train").describe()


def link_in_zip() -> None:
    member = zipfile.ZipInfo("a.png")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile("d.zip", "w") as target:
        target.writestr(member, "/etc/passwd")


def twice_in_zip() -> None:
    with zipfile.ZipFile("d.zip", "w") as target:
        target.writestr("a.png", RED)
        with pytest.warns(UserWarning, match="Duplicate"):
            target.writestr("a.png", BLUE)


def encrypted_zip() -> None:
    """The flag in the local header and in the central directory says encrypted."""
    data = bytearray(zipped("d.zip", {"a.png": RED}).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    Path("d.zip").write_bytes(data)


def bomb_in_zip() -> None:
    with zipfile.ZipFile("d.zip", "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a.png", bytes(2**25))


def damaged_in_zip() -> None:
    data = zipped("d.zip", {"a.png": RED}).read_bytes()
    Path("d.zip").write_bytes(data.replace(RED[:50], bytes(50)))


BAD_ZIPS: dict[str, tuple[Callable[[], object], str]] = {
    "62 leads out by ..": (lambda: rename_in_zip("../../a.png"), "'../../a.png' (its path leads out of the zip)"),
    "62 absolute": (lambda: rename_in_zip("/etc/a.png"), "'/etc/a.png' (its path leads out of the zip)"),
    "62 leads out by backslashes": (
        lambda: rename_in_zip("..\\a.png"),
        r"'..\\a.png' (its path leads out of the zip)",
    ),
    "62 a link": (link_in_zip, "'a.png' (a link)"),
    "62 duplicate names": (twice_in_zip, "'a.png' (2 files have this name)"),
    "62 encrypted": (encrypted_zip, "'a.png' (encrypted)"),
    "62 bomb": (bomb_in_zip, "'a.png' (unpacks to more than 200 times its size)"),
    "62 damaged member": (damaged_in_zip, "'a.png' (damaged in the zip (Bad CRC-32 for file 'a.png'))"),
}


def rename_in_zip(name: str) -> None:
    with zipfile.ZipFile("d.zip", "w") as target:
        target.writestr(name, RED)


@pytest.mark.parametrize("name", BAD_ZIPS)
def test_dangerous_members_are_refused_by_name(name: str) -> None:
    arrange, words = BAD_ZIPS[name]
    arrange()
    with pytest.raises(UserError) as caught:
        opened("d.zip")
    assert str(caught.value) == f"dataset.root: not one readable picture in 'd.zip': {words}; set dataset.root=PATH"
    assert {path.name for path in Path().iterdir()} <= {"d.zip", "cache"}


def test_62_nested_zips_are_no_pictures() -> None:
    zipped("d.zip", {"inner.zip": zipped("inner.zip", {"a.png": RED}).read_bytes()})
    with pytest.raises(UserError, match=r"no pictures in 'd\.zip', it holds 1 \.zip; "):
        opened("d.zip")


@pytest.mark.parametrize("content", [b"", b"no zip", "truncated"])
def test_62_zips_that_are_not_whole(content: bytes | str) -> None:
    whole = zipped("d.zip", {"a.png": RED}).read_bytes()
    Path("d.zip").write_bytes(whole[:-30] if isinstance(content, str) else content)
    with pytest.raises(UserError, match=r"^dataset.root: 'd.zip' is not a whole zip; copy or download it again$"):
        opened("d.zip")


def test_zips_of_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    zipped("d.zip", {"a.png": RED, "b.png": RED})
    with pytest.raises(UserError, match=r"^dataset.root: 'd.zip' holds 2 files; at most 1$"):
        opened("d.zip")


# ---- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labels": "yes"}, "labels: 'yes'; must be auto, folders or none"),
        ({"on_error": "ignore"}, "on_error: 'ignore'; must be error or skip"),
        ({"size": 0}, r"size: 0; must be one number of pixels or \[height, width\], each 1 to 4096"),
        ({"crop": "middle"}, "crop: 'middle'; must be center, pad or none"),
    ],
)
def test_bad_settings_are_refused_in_words(settings, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        Folder("d", **settings)


# ---- real pictures


def test_real_cars(data_root: Path) -> None:
    folder = Folder(str(data_root / "cars64.zip"), size=100)
    assert folder.describe().count == 4318
    assert folder.describe().names == ("GTI_Far", "GTI_Left", "GTI_MiddleClose", "GTI_Right", "KITTI")
    table = folder.open(CPU)
    labels = table.batch(torch.arange(len(table)), torch.Generator()).label
    assert labels.bincount().tolist() == [834, 909, 419, 664, 1492]
    image = fixed(table, 64).image
    assert image.shape == (64, 3, 100, 100)
    assert 0.2 < image.std() < 1  # neither flat nor saturated


def test_real_cars_of_one_folder_inside_the_zip(data_root: Path) -> None:
    table = opened(str(data_root / "cars64.zip" / "cars64" / "GTI_MiddleClose"), size=[96, 32])
    assert len(table) == 419
    assert fixed(table, 64).image.shape == (64, 3, 96, 32)


def test_real_photos_equal_what_pillow_makes_of_them(data_root: Path) -> None:
    from PIL import Image

    with zipfile.ZipFile(data_root / "sr_test_set5_set14.zip") as source:
        name = next(name for name in sorted(source.namelist()) if name.endswith(".png"))
        with source.open(name) as file:
            image = Image.open(file).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    expected = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC, box=box))
    table = opened(str(data_root / "sr_test_set5_set14.zip"), size=32)
    assert table.pixels(torch.tensor([0]))[0].permute(1, 2, 0).numpy().tolist() == expected.tolist()


def test_folders_of_the_system_are_left_out() -> None:
    put("d", {"1.png": RED, "lost+found/2.png": BLUE, "@eaDir/1.png": BLUE, "found/3.png": RED})
    assert len(opened("d")) == 2


def test_a_home_that_nobody_has_is_a_missing_folder() -> None:
    with pytest.raises(UserError, match="no such folder '~nobody-here/photos'"):
        opened("~nobody-here/photos")
