"""The real pictures that samples are held against: bytes without augmentation, in a fixed random order."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import at_once
from ganctl.data.captions import CaptionTable
from ganctl.data.dataset import Description, Table, TensorTable
from ganctl.data.stacked import StackedTable
from ganctl.errors import UserError
from ganctl.pictures import to_bytes

BATCH = 250
SEED = 2020  # of the order: every evaluation of one dataset sees the same reference


@dataclass(frozen=True)
class Reals:
    """An opened dataset and its name."""

    name: str
    split: str
    description: Description
    table: Table

    def order(self) -> Tensor:
        """All rows of the table, shuffled the same way each time."""
        return torch.randperm(len(self.table), generator=torch.Generator().manual_seed(SEED))

    def batches(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Pictures [B, C, H, W] uint8 and their labels, never mirrored or otherwise augmented."""
        for part in rows.split(at_once(self.description.shape, BATCH)):
            yield self.look(part)

    def look(self, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """One batch. Raises UserError for data that holds no single pictures."""
        table = self.table.pictures if isinstance(self.table, CaptionTable) else self.table
        if isinstance(table, TensorTable):
            labels = table.labels
            pixels = table.pixels(rows.to(table.rows.device))
            return pixels, None if labels is None else labels[rows.to(labels.device)]
        batch = self.table.batch(rows, torch.Generator().manual_seed(0))
        image = getattr(batch, "image", None)
        if image is None:
            raise UserError(f"metrics: {self.name} holds pairs of pictures; these metrics compare single ones")
        return to_bytes(image), batch.label  # type: ignore[attr-defined]

    def labels(self, rows: Tensor) -> Tensor | None:
        """[len(rows)] classes or [len(rows), K] attributes on the CPU; None for unlabelled data."""
        if isinstance(self.table, TensorTable | StackedTable):  # they hold all labels; no picture need be made
            held = self.table.labels
            return None if held is None else held[rows.to(held.device)].cpu()
        found = [labels.cpu() for _, labels in self.batches(rows) if labels is not None]
        return torch.cat(found) if found else None

    def captions(self, rows: Tensor) -> list[str] | None:
        """A caption of each; None for data without."""
        return self.table.first_captions(rows) if isinstance(self.table, CaptionTable) else None

    @property
    def classes(self) -> int:
        """How many classes there are to tell apart; 0 for unlabelled data and for attributes."""
        _, label = self.look(torch.zeros(1, dtype=torch.int64))
        return 0 if label is None or label.dim() > 1 else self.description.classes

    def labelled(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches for training a classifier, in the fixed order; of stacked digits the single ones."""
        if isinstance(self.table, StackedTable):
            yield from Reals(self.name, self.split, self.description, self.table.digits).labelled()
            return
        for pixels, label in self.batches(self.order()):
            if label is not None:
                yield pixels, label
