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


def first(table: Table, count: int, device: torch.device) -> Table:
    """The table's first pictures only."""
    assert isinstance(table, TensorTable)
    rows = torch.arange(count)
    labels = None if table.labels is None else table.labels[rows.to(table.labels.device)]
    return TensorTable(table.pixels(rows.to(table.rows.device)), labels, device)


class FewDigits(Digits):
    """48 digits."""

    def open(self, device: torch.device) -> Table:
        return first(super().open(device), FEW, device)


class FewMNIST(MNIST):
    """48 digits of MNIST."""

    def open(self, device: torch.device) -> Table:
        return first(super().open(device), FEW, device)


class SomeDigits(Digits):
    """200 digits: enough to begin with, few enough to be learned by heart."""

    def open(self, device: torch.device) -> Table:
        return first(super().open(device), 200, device)


class SomeMNIST(MNIST):
    """200 digits of MNIST."""

    def open(self, device: torch.device) -> Table:
        return first(super().open(device), 200, device)


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
