"""Two domains without pairs: which pictures meet, what is held out, and each mistake in its exact words."""

import zipfile
from pathlib import Path

import pytest
import torch
from picture_samples import encoded, plain
from torch import Tensor

from ganctl.data.batch import Unpaired
from ganctl.data.dataset import TensorTable
from ganctl.data.stream import Stream, fixed
from ganctl.data.unpaired import RandomUnpaired, UnpairedFolders, UnpairedTable, crops
from ganctl.errors import UserError

pytestmark = pytest.mark.usefixtures("alone")
CPU = torch.device("cpu")
RED, BLUE, GREY = encoded(plain("red")), encoded(plain("blue")), encoded(plain(128, mode="L"))
FORMATS = "PNG, JPEG, WEBP, AVIF, GIF, BMP, TIFF, PPM, JPEG2000, QOI"


def put(files: dict[str, bytes], root: str = "set") -> None:
    for name, content in files.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def numbered(count: int) -> TensorTable:
    """Pictures of one pixel whose value is their number."""
    return TensorTable(torch.arange(count, dtype=torch.uint8).view(-1, 1, 1, 1), None, CPU)


def numbers(image: Tensor) -> list[int]:
    return ((image + 1) * 127.5).round().int().flatten().tolist()


@pytest.mark.parametrize(("a", "b"), [(7, 3), (3, 7), (5, 5)])
def test_an_epoch_shows_each_picture_of_the_larger_domain_once(a: int, b: int) -> None:
    table = UnpairedTable(numbered(a), numbered(b))
    assert len(table) == max(a, b)
    batch = next(iter(Stream(table, lambda seen: max(a, b), seed=1)))
    assert isinstance(batch, Unpaired)
    larger, other = (batch.a, batch.b) if a >= b else (batch.b, batch.a)
    assert sorted(numbers(larger)) == list(range(max(a, b)))
    assert set(numbers(other)) <= set(range(min(a, b)))


def test_pictures_of_equal_domains_meet_others_in_every_epoch() -> None:
    stream = iter(Stream(UnpairedTable(numbered(50), numbered(50)), lambda seen: 50, seed=0))
    meetings = [dict(zip(numbers(batch.a), numbers(batch.b), strict=True)) for batch in (next(stream), next(stream))]
    same = sum(meetings[0][picture] == meetings[1][picture] for picture in range(50))
    assert same < 10  # by chance 1 of 50


def test_the_order_is_a_function_of_seed_and_images_seen() -> None:
    table = UnpairedTable(numbered(7), numbered(3))
    whole = iter(Stream(table, lambda seen: 2, seed=3))
    passed = [next(whole) for _ in range(9)]
    resumed = iter(Stream(table, lambda seen: 2, seed=3, images_seen=12))
    for before in passed[6:]:
        after = next(resumed)
        assert torch.equal(before.a, after.a)
        assert torch.equal(before.b, after.b)


def test_crops_are_windows_of_their_own_picture() -> None:
    """Value 100 * picture + 10 * row + column tells where each pixel came from."""
    grid = torch.arange(6)[:, None] * 10 + torch.arange(6)
    image = (grid + torch.arange(40)[:, None, None] * 100).view(40, 1, 6, 6).float()
    cut = crops(image, (4, 5), torch.Generator().manual_seed(0))
    assert cut.shape == (40, 1, 4, 5)
    corners = cut[:, 0, 0, 0] - torch.arange(40) * 100
    assert torch.equal(cut - cut[:, :, :1, :1], (grid[:4, :5]).expand(40, 1, 4, 5).float())
    assert set(corners.tolist()) == {10.0 * row + column for row in range(3) for column in range(2)}


def test_folders_of_any_counts_with_tests_held_out() -> None:
    put({"trainA/0.png": RED, "trainA/1.png": RED, "trainB/0.png": BLUE, "testA/0.png": RED, "testB/0.png": BLUE})
    dataset = UnpairedFolders("set", size=8, jitter=2, flip=True)
    assert dataset.describe().shape == (3, 8, 8)
    assert (dataset.describe().count, dataset.describe().classes) == (2, 0)
    table = dataset.open(CPU)
    held_out = table.held_out()
    assert held_out is not None
    for each, count in ((table, 2), (held_out, 1)):
        shown = fixed(each, count)
        assert isinstance(shown, Unpaired)
        assert shown.a.shape == shown.b.shape == (count, 3, 8, 8)
        assert shown.a[:, :, 4, 4].tolist() == [[1, -1, -1]] * count
        assert shown.b[:, :, 4, 4].tolist() == [[-1, -1, 1]] * count


def test_domains_of_other_names_and_no_tests() -> None:
    put({"horses/0.png": RED, "zebras/0.png": BLUE, "zebras/1.png": BLUE})
    table = UnpairedFolders("set", a="horses", b="zebras", size=8).open(CPU)
    assert len(table) == 2
    assert table.held_out() is None


def test_domains_in_different_places() -> None:
    put({"0.png": RED}, root="here")
    put({"0.png": BLUE}, root="there")
    dataset = UnpairedFolders(".", a="here", b=str(Path("there").absolute()), size=8)
    assert len(dataset.open(CPU)) == 1


def test_a_zip_that_wraps_everything_in_one_more_folder() -> None:
    with zipfile.ZipFile("flowers.zip", "w") as target:
        for name, content in {"f/trainA/0.png": RED, "f/trainB/0.png": BLUE, "f/credits.csv": b""}.items():
            target.writestr(name, content)
    for root in ("flowers.zip", "flowers.zip/f"):
        assert UnpairedFolders(root, size=8).describe().count == 1


def test_grey_and_colour_domains_come_with_as_many_channels() -> None:
    put({"trainA/0.png": GREY, "trainB/0.png": BLUE})
    for channels in (1, 3, 4):
        shown = fixed(UnpairedFolders("set", size=8, channels=channels).open(CPU), 1)
        assert isinstance(shown, Unpaired)
        assert shown.a.shape == shown.b.shape == (1, channels, 8, 8)


def test_tables_of_different_channels_are_refused() -> None:
    grey, colour = (TensorTable(torch.zeros(2, channels, 4, 4, dtype=torch.uint8), None, CPU) for channels in (1, 3))
    with pytest.raises(ValueError, match="a, b: pictures of 1x4x4 and 3x4x4; must be of one shape"):
        fixed(UnpairedTable(grey, colour), 2)


def refused(dataset: UnpairedFolders) -> str:
    with pytest.raises(UserError) as refusal:
        dataset.describe()
    return str(refusal.value)


def test_an_empty_domain_is_refused() -> None:
    put({"trainA/0.png": RED, "trainB/note.txt": b"soon"})
    assert refused(UnpairedFolders("set")) == (
        "dataset.b: no pictures in 'set/trainB', and both domains need some; "
        f"put pictures there ({FORMATS}) or set dataset.b=FOLDER"
    )


def test_a_missing_domain_is_refused_with_the_folders_there_are() -> None:
    put({"apples/0.png": RED, "pears/0.png": BLUE})
    assert refused(UnpairedFolders("set", a="apples")) == (
        "dataset.b: no folder 'trainB' in 'set', which holds apples, pears; "
        "set dataset.b=FOLDER, or dataset.root to the folder above it"
    )


def test_damaged_pictures_stop_or_are_skipped() -> None:
    put({"trainA/0.png": RED, "trainA/1.png": b"", "trainB/0.png": BLUE})
    with pytest.raises(UserError, match=r"1 of 2 pictures in 'set/trainA' cannot be read: '1\.png'"):
        UnpairedFolders("set", size=8).open(CPU)
    assert len(UnpairedFolders("set", size=8, on_error="skip").open(CPU)) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"jitter": -1}, "jitter: -1; must be 0 or more pixels"),
        ({"b": "trainA"}, "b: 'trainA' is a as well; name two folders"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UnpairedFolders("set", **settings)


def test_random_domains_differ_in_count_and_brightness() -> None:
    table = RandomUnpaired((1, 4, 4), count=30).open(CPU)
    assert len(table) == 30
    batch = table.batch(torch.arange(30), torch.Generator())
    assert batch.a.mean() > batch.b.mean() + 0.3  # on average 0 and -0.5
    assert batch.b.max() <= 0


def test_real_flowers(data_root: Path) -> None:
    dataset = UnpairedFolders(str(data_root / "daisy2sunflower128.zip"), size=16)
    assert dataset.describe().count == 559
    table = dataset.open(CPU)
    held_out = table.held_out()
    assert held_out is not None
    assert (len(table), len(held_out)) == (559, 140)


def test_held_out_folders_that_were_named_must_be_there() -> None:
    put({"trainA/0.png": RED, "trainB/0.png": BLUE, "testA/0.png": RED, "testB/0.png": BLUE})
    with pytest.raises(UserError, match="tsetA"):
        UnpairedFolders("set", test_a="tsetA", size=8).open(CPU)
