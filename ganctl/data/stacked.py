"""Three digits in the three colour channels: a thousand modes that can be counted (Metz et al. 2017)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganctl.data.batch import Images
from ganctl.data.dataset import Dataset, Description, Table, TensorTable
from ganctl.data.published import Split
from ganctl.data.small import MNIST, Digits
from ganctl.transfer import handed

CLASSES = 1_000
COUNT = 128_000  # pictures, as in the papers that count modes (Srivastava et al. 2017)


class Stacked(Dataset):
    """Pictures drawn once, with a fixed seed, from all triples of digits; the class is 100 red + 10 green + blue."""

    def __init__(self, single: Dataset, count: int) -> None:
        """single: where one digit comes from."""
        if count < CLASSES:
            raise ValueError(f"count: {count}; must be {CLASSES} or more, one picture for each mode")
        self.single, self.count = single, count

    def describe(self) -> Description:
        _, height, width = self.single.describe().shape
        return Description((3, height, width), CLASSES, self.count, tuple(f"{mode:03d}" for mode in range(CLASSES)))

    def awaited(self) -> str:
        return self.single.awaited()

    def open(self, device: torch.device) -> Table:
        digits = self.single.open(device)
        if not isinstance(digits, TensorTable):
            raise TypeError(f"{type(digits).__name__} deals no uint8 digits")
        chance = torch.Generator().manual_seed(0)
        return StackedTable(digits, torch.randint(len(digits), (self.count, 3), generator=chance))


class StackedDigits(Stacked):
    """From scikit-learn's digits: no download."""

    def __init__(self, size: int | Sequence[int] = 16, split: Split = "train", count: int = COUNT) -> None:
        super().__init__(Digits(size, split), count)


class StackedMNIST(Stacked):
    """From MNIST: the benchmark of mode-collapse papers."""

    def __init__(
        self, root: str | None = None, size: int | Sequence[int] = 32, split: Split = "train", count: int = COUNT
    ) -> None:
        super().__init__(MNIST(root=root, size=size, split=split), count)


class StackedTable(Table):
    """Puts three digits together when a batch is dealt, so only the single ones are kept."""

    def __init__(self, digits: TensorTable, triples: Tensor) -> None:
        """triples: [N, 3] rows of `digits`, one a channel."""
        if digits.labels is None:
            raise ValueError("stacked digits need the digits' labels")
        self.digits, self.triples = digits, triples
        red, green, blue = digits.labels[triples.to(digits.labels.device)].unbind(1)
        self.labels = 100 * red + 10 * green + blue  # [N]

    def __len__(self) -> int:
        return len(self.triples)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Images:
        rows = handed(self.triples[indices], self.digits.rows.device)
        pixels = self.digits.pixels(rows.flatten())  # [3 B, 1, H, W]
        image = pixels.reshape(-1, 3, *pixels.shape[2:]).contiguous(memory_format=torch.channels_last)
        return Images(image.float().div_(127.5).sub_(1), self.labels[handed(indices, self.labels.device)])
