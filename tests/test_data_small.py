"""The small datasets: exact pixels, files found or told where to put, roots that are only read."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
from contextlib import nullcontext
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor

from ganctl.data.dataset import Dataset, TensorTable
from ganctl.data.originals import roots, writable
from ganctl.data.published import resized
from ganctl.data.small import CIFAR10, IDX, MNIST, Digits, FashionMNIST, Random
from ganctl.errors import UserError

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def stored(dataset: Dataset) -> tuple[Tensor, Tensor]:
    """All pixels [N, C, H, W] and labels."""
    table = dataset.open(CPU)
    assert isinstance(table, TensorTable)
    description = dataset.describe()
    assert table.shape == description.shape
    if table.labels is not None:
        assert table.labels.max() < description.classes == len(description.names)
    return table.pixels(torch.arange(len(table))), table.labels


def idx(values: np.ndarray) -> bytes:
    """MNIST's own file format: 0, 0, type, number of dimensions, sizes, bytes."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.astype(np.uint8).tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
FILES = dict(zip(IDX, (idx(PIXELS), idx(np.array([7, 0, 9])), idx(PIXELS[:1]), idx(np.array([4]))), strict=True))


def place_mnist(root: str, packed: bool, folder: str = "MNIST") -> Path:
    """A tiny MNIST of three training pictures and one to test."""
    raw = Path(root, folder, "raw")
    raw.mkdir(parents=True)
    for name, content in FILES.items():
        (raw / f"{name}.gz" if packed else raw / name).write_bytes(
            gzip.compress(content, mtime=0) if packed else content
        )
    return raw


@pytest.fixture
def published_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny files are the published ones."""
    sums = [(f"{name}.gz", hashlib.md5(gzip.compress(content, mtime=0)).hexdigest()) for name, content in FILES.items()]
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", sums)


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}


@pytest.mark.parametrize("packed", [True, False])
def test_mnist_is_read_exactly_and_its_root_only_read(packed: bool, published_here: None) -> None:
    place_mnist("root", packed)
    before = contents(Path("root"))
    pixels, labels = stored(MNIST("root", size=28))
    assert pixels[:, 0].equal(torch.from_numpy(PIXELS))
    assert labels.tolist() == [7, 0, 9]
    assert stored(MNIST("root", size=28, split="test"))[1].tolist() == [4]
    assert stored(MNIST("root", size=[96, 32]))[0].shape == (3, 1, 96, 32)
    assert contents(Path("root")) == before


def test_changed_files_are_noticed() -> None:
    raw = place_mnist("root", packed=False)
    assert stored(MNIST("root"))[1].tolist() == [7, 0, 9]
    (raw / IDX[1]).write_bytes(idx(np.array([1, 2, 3])))
    assert stored(MNIST("root"))[1].tolist() == [1, 2, 3]


def test_a_damaged_archive_is_named_and_left_alone(published_here: None) -> None:
    raw = place_mnist("root", packed=True)
    good = (raw / "train-labels-idx1-ubyte.gz").read_bytes()
    (raw / "train-labels-idx1-ubyte.gz").write_bytes(good[:-3])
    words = (
        r"^dataset.root: 'root/MNIST/raw/train-labels-idx1-ubyte.gz' is damaged \(its md5 is not [0-9a-f]{32}\); "
        "delete it and run again, or put a whole copy there$"
    )
    with pytest.raises(UserError, match=words):
        MNIST("root").open(CPU)
    assert (raw / "train-labels-idx1-ubyte.gz").read_bytes() == good[:-3]


def test_damaged_unpacked_files_are_told() -> None:
    raw = place_mnist("root", packed=False)
    (raw / IDX[0]).write_bytes(FILES[IDX[0]][:500])
    with pytest.raises(UserError, match=r"^dataset.root: MNIST in 'root' is damaged \(.*\); put whole files there$"):
        MNIST("root").open(CPU)


OFFLINE = URLError("Name or service not known")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, root: str, *_args, **_settings):
        Path(root).mkdir(parents=True, exist_ok=True)  # as torchvision does before it asks the server
        raise OFFLINE

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", refuse)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (
            MNIST("root"),
            "MNIST is not in 'root' and cannot be downloaded (Name or service not known); put "
            "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
            "t10k-labels-idx1-ubyte.gz into root/MNIST/raw, "
            "or set dataset.root or GANCTL_DATA to the folder that has them so",
        ),
        (
            CIFAR10("root"),
            "CIFAR-10 is not in 'root' and cannot be downloaded (Name or service not known); put "
            "cifar-10-python.tar.gz into root, or set dataset.root or GANCTL_DATA to the folder that has them so",
        ),
    ],
)
def test_offline_one_sentence_says_what_to_put_where(dataset: Dataset, words: str, offline: None) -> None:
    with pytest.raises(UserError) as caught:
        dataset.open(CPU)
    assert str(caught.value) == f"dataset.root: {words}"
    assert not Path("root").exists()


def serve(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers downloads with the tiny files; the addresses asked for."""
    asked: list[str] = []

    def download_url(url: str, root: str, filename: str, md5: str) -> None:
        asked.append(url)
        if "ossci" in url and "t10k" in url:
            raise OFFLINE  # the other server must be asked
        Path(root).mkdir(parents=True, exist_ok=True)
        Path(root, filename).write_bytes(gzip.compress(FILES[filename.removesuffix(".gz")], mtime=0))

    monkeypatch.setattr(torchvision.datasets.utils, "download_url", download_url)
    return asked


def test_missing_files_are_downloaded_once(published_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = serve(monkeypatch)
    assert len(MNIST("root").open(CPU)) == 3
    assert len(asked) == 6  # two files came from the second server
    assert len(MNIST("root").open(CPU)) == 3
    assert len(asked) == 6
    assert sorted(path.name for path in Path("root/MNIST/raw").iterdir()) == sorted(f"{name}.gz" for name in IDX)


def test_what_is_awaited_is_asked_for_and_not_loaded(published_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def urlopen(request):
        asked.append(request.full_url)
        if len(asked) == 1:
            raise OFFLINE  # the other server must be asked
        return nullcontext()

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    assert MNIST("root").awaited() == "MNIST"
    assert [Path(url).name for url in asked] == [f"{IDX[0]}.gz"] * 2
    assert len(set(asked)) == 2
    assert not Path("root").exists()
    place_mnist("root", packed=True)
    assert MNIST("root").awaited() == ""
    assert Digits().awaited() == ""
    assert len(asked) == 2


def test_downloads_for_a_root_that_cannot_be_written_go_to_the_cache(
    published_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch)
    Path("root").mkdir()
    monkeypatch.setattr("ganctl.data.originals.os.access", lambda *_: False)
    assert len(MNIST("root").open(CPU)) == 3
    assert list(Path("root").iterdir()) == []
    assert Path("../cache/downloads/MNIST/raw").is_dir()


def test_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_DATA", "/named")
    assert roots(None) == [Path("/named"), Path("data"), Path("../shared/data")]
    assert roots("given") == [Path("given")]
    monkeypatch.delenv("GANCTL_DATA")
    assert roots(None) == [Path("data"), Path("../shared/data")]
    assert writable(Path("not/there/yet")) == Path("not/there/yet")


def cifar_batch(name: str, seed: int) -> dict[str, object]:
    chance = np.random.default_rng(seed)
    return {"data": chance.integers(0, 256, (2, 3072), dtype=np.uint8), "labels": chance.integers(0, 10, 2).tolist()}


@pytest.mark.parametrize("packed", [True, False])
def test_cifar10_is_read_exactly(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pictures a file; published are planes of red, green and blue."""
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = {name: cifar_batch(name, seed) for seed, name in enumerate(names)}
    files = {name: pickle.dumps(batch) for name, batch in batches.items()}
    files["batches.meta"] = pickle.dumps({"label_names": list(CIFAR10.names)})
    Path("root").mkdir()
    if packed:
        with tarfile.open("root/cifar-10-python.tar.gz", "w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        md5 = hashlib.md5(Path("root/cifar-10-python.tar.gz").read_bytes()).hexdigest()
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", md5)
    else:
        Path("root/cifar-10-batches-py").mkdir()
        for name, content in files.items():
            Path("root/cifar-10-batches-py", name).write_bytes(content)
    sums = [[name, hashlib.md5(files[name]).hexdigest()] for name in names]
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", sums[5:])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": hashlib.md5(files["batches.meta"]).hexdigest()}
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "meta", meta)
    before = contents(Path("root"))
    pixels, labels = stored(CIFAR10("root"))
    assert pixels.shape == (10, 3, 32, 32)
    assert pixels[2].flatten().tolist() == batches["data_batch_2"]["data"][0].tolist()
    assert labels.tolist() == [label for name in names[:5] for label in batches[name]["labels"]]
    assert contents(Path("root")) == before


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    values, labels = load_digits(return_X_y=True)
    (train, train_labels), (test, test_labels) = (stored(Digits(size=8, split=split)) for split in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert train[0].flatten().tolist() == [round(value * 255 / 16) for value in values[0]]
    assert test[0].flatten().tolist() == [round(value * 255 / 16) for value in values[4]]
    assert [*train_labels[:4], test_labels[0], train_labels[4]] == labels[:6].tolist()
    assert len({picture.numpy().tobytes() for picture in train} & {picture.numpy().tobytes() for picture in test}) == 0


def test_describe_tells_what_open_holds() -> None:
    for dataset in (Digits(), Digits(size=[20, 12], split="test"), Random((2, 5, 6), 3, 10), Random(count=4)):
        pixels, labels = stored(dataset)
        assert len(pixels) == dataset.describe().count
        assert (labels is None) == (dataset.describe().classes == 0)


def test_random_is_the_same_each_time() -> None:
    first, second = (stored(Random((4, 9, 7), classes=2, count=6)) for _ in range(2))
    assert first[0].equal(second[0])
    assert first[1].tolist() == [0, 1, 0, 1, 0, 1]
    assert first[0].shape == (6, 4, 9, 7)


def test_resizing_keeps_constants_corners_and_the_mean() -> None:
    constant = torch.full((2, 8, 8, 3), 77, dtype=torch.uint8)
    assert (resized(constant, (96, 32)) == 77).all()
    image = torch.zeros(1, 8, 8, 1, dtype=torch.uint8)
    image[:, :4] = 255
    larger, smaller = resized(image, (32, 32)), resized(image, (4, 4))
    assert larger[0, 0, 0] == 255
    assert larger[0, -1, -1] == 0
    assert abs(larger.float().mean() - 127.5) < 1
    assert smaller[0, :, 0, 0].tolist() == pytest.approx([255, 255, 0, 0], abs=20)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: MNIST(split="all"), "split: 'all'; must be train or test"),
        (lambda: Digits(split="val"), "split: 'val'; must be train or test"),
        (lambda: Digits(size=[8]), r"size: \[8\]; must be one number of pixels or \[height, width\], each 1 to 4096"),
        (lambda: Random((3, 8)), r"shape: \[3, 8\]; must be \[channels, height, width\], each 1 or more"),
        (lambda: Random((0, 8, 8)), r"shape: \[0, 8, 8\]; must be \[channels, height, width\], each 1 or more"),
        (lambda: Random(classes=-1), r"classes: -1; must be 0 \(no labels\) or more"),
        (lambda: Random(count=0), "count: 0; must be 1 or more"),
    ],
)
def test_bad_settings_are_refused_in_words(make, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        make()


def test_real_mnist_from_a_folder_that_is_only_read(data_root: Path) -> None:
    before = contents(data_root / "MNIST")
    pixels, labels = stored(MNIST(str(data_root), split="test", size=28))
    assert pixels.shape == (10_000, 1, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert pixels.float().mean().item() == pytest.approx(33.79, abs=0.01)  # 0.1325 of 255, as published
    assert contents(data_root / "MNIST") == before


def test_real_fashion_mnist(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_DATA", str(data_root))
    pixels, labels = stored(FashionMNIST(split="test"))
    assert pixels.shape == (10_000, 1, 32, 32)
    assert labels.bincount().tolist() == [1000] * 10
    assert os.listdir() == []
