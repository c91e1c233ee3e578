"""A public dataset of small pictures, read by torchvision's loader and kept resized in the cache."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.data.cache import Draft, entry, key_of
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width
from ganctl.data.digests import UNREADABLE, digests
from ganctl.data.originals import Download, Originals, unpack
from ganctl.data.selection import Classes, Selection
from ganctl.errors import UserError

Split = Literal["train", "test"]
CHUNK = 4096  # pictures resized at a time


class Published(Dataset):
    """A public dataset with two splits.

    root: the folder with the files; None: GANCTL_DATA, ./data or ../shared/data. Only a download writes into it.
    size: one number of pixels or [height, width], reached by bicubic resizing.
    flip: mirror left to right at random.
    only, without: some of the classes, see `Selection`.
    """

    originals: ClassVar[Originals]
    counts: ClassVar[Mapping[Split, int]]
    channels: ClassVar[int]
    names: ClassVar[tuple[str, ...]]  # of the classes

    def __init__(
        self,
        root: str | None = None,
        size: int | Sequence[int] = 32,
        split: Split = "train",
        flip: bool = False,
        only: Classes | None = None,
        without: Classes = (),
    ) -> None:
        check_split(split)
        self.selection = Selection(only, without)
        self.root, self.size, self.split, self.flip = root, height_width(size), split, flip

    def describe(self) -> Description:
        whole = Description((self.channels, *self.size), len(self.names), self.counts[self.split], self.names)
        return self.selection.described(whole)

    def awaited(self) -> str:
        if self.originals.find(self.root):
            return ""
        self.originals.demand_servers(self.root, self.downloads())
        return self.originals.title

    def open(self, device: torch.device) -> Table:
        place, files = self.originals.find(self.root) or self.originals.fetch(self.root, self.downloads())
        contents = digests([place / file for file in files])
        if UNREADABLE in contents:
            unreadable = str(place / files[contents.index(UNREADABLE)])
            raise UserError(f"dataset.root: cannot read {unreadable!r}; give yourself access or set dataset.root=PATH")

        def build(draft: Draft) -> Mapping[str, Any]:
            images, labels = self.load(place, files, draft.folder)
            draft.save("images", resized(images, self.size))
            draft.save("labels", labels)
            return {}

        made = entry("published", key_of(self.originals.title, self.split, self.size, contents), build)
        images, labels = self.selection.taken(made.tensor("images"), made.tensor("labels"), self.names)
        return TensorTable(images.permute(0, 3, 1, 2), labels, device, self.flip)

    def load(self, place: Path, files: tuple[str, ...], beside: Path) -> tuple[Tensor, Tensor]:
        """uint8 [N, H, W, C] and int64 [N] by torchvision, unpacked in a temporary folder. Raises UserError."""
        loader = self.loader()
        with TemporaryDirectory(dir=beside) as folder:
            if files == self.originals.packed:
                unpack(place, files, self.downloads(), Path(folder))
            try:
                data = loader(folder if files == self.originals.packed else str(place), train=self.split == "train")
                images, labels = torch.as_tensor(data.data), torch.as_tensor(data.targets)
            except Exception as error:  # torchvision has no kind of its own for damaged files
                title = self.originals.title
                raise UserError(
                    f"dataset.root: {title} in {str(place)!r} is damaged ({error}); put whole files there"
                ) from None
        return images.reshape(*images.shape[:3], self.channels), labels

    @abstractmethod
    def loader(self) -> Any:
        """torchvision's class; imported only when there is something to load."""

    @abstractmethod
    def downloads(self) -> Mapping[str, Download]:
        """Where each packed file can be had."""


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """uint8 [N, H, W, C] to [N, *size, C], bicubic with antialiasing."""
    if tuple(images.shape[1:3]) == size:
        return images
    pieces = []
    for piece in images.permute(0, 3, 1, 2).split(CHUNK):
        larger = interpolate(piece.float(), size, mode="bicubic", align_corners=False, antialias=True)
        pieces.append(larger.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1))
    return torch.cat(pieces)


def check_split(split: str) -> None:
    """Raises ValueError in words."""
    if split not in ("train", "test"):
        raise ValueError(f"split: {split!r}; must be train or test")
