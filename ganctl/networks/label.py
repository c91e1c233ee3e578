"""Labels for networks: a class number or many 0/1 attributes, through one table."""

import torch
from torch import Tensor, nn


class LabelEmbedding(nn.Embedding):
    """Label to vector: [B] int64 picks a row, [B, K] attributes sum theirs."""

    def __init__(self, classes: int, size: int) -> None:
        if classes < 1:
            raise ValueError(f"classes: {classes}; a conditional network needs 1 or more, so the dataset needs labels")
        super().__init__(classes, size)

    def forward(self, label: Tensor) -> Tensor:
        """label [B] int64 or [B, K] float -> [B, size]."""
        return label @ self.weight if label.is_floating_point() else super().forward(label)


def demand(label: Tensor | None) -> Tensor:
    """The label that a conditional network cannot do without."""
    if label is None:
        raise ValueError("this network is conditional and was given no label")
    return label


def as_attributes(label: Tensor, classes: int) -> Tensor:
    """[B] int64 classes or [B, K] attributes -> [B, K] float of 0 and 1."""
    if label.is_floating_point():
        return label
    return (label[:, None] == torch.arange(classes, device=label.device)).float()
