"""Parts that make a training fail on purpose: plugins of the doctor's harness."""

import torch
from torch import Tensor

from ganctl.data.dataset import Table, TensorTable
from ganctl.data.small import MNIST, Digits
from ganctl.games.prior import Gaussian

FEW = 48  # pictures


class OneDraw(Gaussian):
    """One noise vector for the whole batch: whatever the generator learns, it paints one picture at a time."""

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        return super().draw(1, generator=generator, device=device, truncation=truncation).expand(count, -1).clone()


def part(table: Table, start: int, end: int, device: torch.device) -> TensorTable:
    """Some of the table's pictures."""
    assert isinstance(table, TensorTable)
    rows = torch.arange(start, end)
    labels = None if table.labels is None else table.labels[rows.to(table.labels.device)]
    return TensorTable(table.pixels(rows.to(table.rows.device)), labels, device)


class FewDigits(Digits):
    """48 digits."""

    def open(self, device: torch.device) -> Table:
        return part(super().open(device), 0, FEW, device)


class FewMNIST(MNIST):
    """48 digits of MNIST."""

    def open(self, device: torch.device) -> Table:
        return part(super().open(device), 0, FEW, device)


class SomeMNIST(MNIST):
    """200 digits of MNIST, none held out."""

    def open(self, device: torch.device) -> Table:
        return part(super().open(device), 0, 200, device)


class Split(TensorTable):
    """A table's first pictures to train on, others held out, as a folder with a test/ folder has them."""

    def __init__(self, table: Table, count: int, held: int, device: torch.device) -> None:
        own, self.others = part(table, 0, count, device), part(table, count, count + held, device)
        super().__init__(own.pixels(torch.arange(count)), own.labels, device)

    def held_out(self) -> Table:
        return self.others


class SplitDigits(Digits):
    """150 digits to train on, 500 held out."""

    def open(self, device: torch.device) -> Table:
        return Split(super().open(device), 150, 500, device)


class SplitMNIST(MNIST):
    """150 digits of MNIST to train on, 500 held out."""

    def open(self, device: torch.device) -> Table:
        return Split(super().open(device), 150, 500, device)


def black(table: Table, device: torch.device) -> Table:
    """As many pictures, all black."""
    assert isinstance(table, TensorTable)
    count = min(len(table), 2_000)
    return TensorTable(torch.zeros(count, *table.shape, dtype=torch.uint8), None, device)


class BlackDigits(Digits):
    """A dataset whose pictures were lost."""

    def open(self, device: torch.device) -> Table:
        return black(super().open(device), device)


class BlackMNIST(MNIST):
    """A dataset whose pictures were lost."""

    def open(self, device: torch.device) -> Table:
        return black(super().open(device), device)


class EnoughDigits(Digits):
    """1,000 digits to train on, 400 held out: nothing is wrong with that."""

    def open(self, device: torch.device) -> Table:
        return Split(super().open(device), 1_000, 400, device)
