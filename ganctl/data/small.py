"""Datasets that fit any machine: digits without a download, MNIST, Fashion-MNIST, CIFAR-10, random pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ganctl.data.cache import Draft, entry, key_of
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width, picture_shape
from ganctl.data.originals import Download, Originals
from ganctl.data.published import Published, Split, check_split, resized
from ganctl.data.selection import Classes, Selection

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DIGITS = tuple("0123456789")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def idx_files(title: str, folder: str) -> Originals:
    """The four files of a dataset in MNIST's format."""
    unpacked = tuple(f"{folder}/raw/{name}" for name in IDX)
    return Originals(title, tuple(f"{name}.gz" for name in unpacked), unpacked)


class MNIST(Published):
    """Handwritten digits, 28x28 grey (LeCun et al. 1998)."""

    originals = idx_files("MNIST", "MNIST")
    counts = {"train": 60_000, "test": 10_000}
    channels = 1
    names = DIGITS

    def loader(self) -> Any:
        from torchvision.datasets import MNIST

        return MNIST

    def downloads(self) -> Mapping[str, Download]:
        loader = self.loader()
        return {
            file: Download(tuple(mirror + name for mirror in loader.mirrors), md5)
            for file, (name, md5) in zip(self.originals.packed, loader.resources, strict=True)
        }


class FashionMNIST(MNIST):
    """Clothing, 28x28 grey (Xiao et al. 2017)."""

    originals = idx_files("Fashion-MNIST", "FashionMNIST")
    names = FASHION

    def loader(self) -> Any:
        from torchvision.datasets import FashionMNIST

        return FashionMNIST


class CIFAR10(Published):
    """Ten kinds of things, 32x32 colour (Krizhevsky 2009)."""

    originals = Originals(
        "CIFAR-10",
        ("cifar-10-python.tar.gz",),
        tuple(f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")),
    )
    counts = {"train": 50_000, "test": 10_000}
    channels = 3
    names = THINGS

    def loader(self) -> Any:
        from torchvision.datasets import CIFAR10

        return CIFAR10

    def downloads(self) -> Mapping[str, Download]:
        loader = self.loader()
        return {loader.filename: Download((loader.url,), loader.tgz_md5)}


class Digits(Dataset):
    """Handwritten digits that scikit-learn carries, 8x8 grey, resized; every fifth picture is for testing.

    only, without: some of the classes, see `Selection`.
    """

    counts: Mapping[Split, int] = {"train": 1438, "test": 359}

    def __init__(
        self,
        size: int | Sequence[int] = 16,
        split: Split = "train",
        flip: bool = False,
        only: Classes | None = None,
        without: Classes = (),
    ) -> None:
        check_split(split)
        self.selection = Selection(only, without)
        self.size, self.split, self.flip = height_width(size), split, flip

    def describe(self) -> Description:
        return self.selection.described(Description((1, *self.size), len(DIGITS), self.counts[self.split], DIGITS))

    def open(self, device: torch.device) -> Table:
        made = entry("published", key_of("digits", self.split, self.size), self.build)
        images, labels = self.selection.taken(made.tensor("images"), made.tensor("labels"), DIGITS)
        return TensorTable(images.permute(0, 3, 1, 2), labels, device, self.flip)

    def build(self, draft: Draft) -> Mapping[str, Any]:
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        images = torch.from_numpy(pixels).mul(255 / 16).round().to(torch.uint8).view(-1, 8, 8, 1)
        chosen = (torch.arange(len(images)) % 5 == 4) == (self.split == "test")
        draft.save("images", resized(images[chosen], self.size))
        draft.save("labels", torch.from_numpy(labels)[chosen].long())
        return {}


class Random(Dataset):
    """Noise of any shape, the same each time: for smoke tests and for measuring speed."""

    def __init__(
        self, shape: Sequence[int] = (3, 32, 32), classes: int = 0, count: int = 1024, flip: bool = False
    ) -> None:
        self.shape = picture_shape("shape", shape)
        if classes < 0:
            raise ValueError(f"classes: {classes}; must be 0 (no labels) or more")
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        self.classes, self.count, self.flip = classes, count, flip

    def describe(self) -> Description:
        return Description(self.shape, self.classes, self.count, tuple(map(str, range(self.classes))))

    def open(self, device: torch.device) -> TensorTable:
        chance = torch.Generator().manual_seed(0)
        images = torch.randint(256, (self.count, *self.shape), dtype=torch.uint8, generator=chance)
        labels: Tensor | None = torch.arange(self.count) % self.classes if self.classes else None
        return TensorTable(images, labels, device, self.flip)
