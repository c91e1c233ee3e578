"""Pictures to features: the one contract of everything that looks at pictures."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganctl.data.batch import Tensors
from ganctl.errors import NotFinite

Labelled = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""Makes batches of training pictures ([B, C, H, W] uint8) and their classes ([B] int64)."""


@dataclass(frozen=True)
class Features(Tensors):
    """What an extractor sees in N pictures."""

    values: Tensor  # [N, K] float32
    logits: Tensor | None = None  # [N, classes] float32, where the extractor tells classes apart


class Extractor(nn.Module, ABC):
    """Pictures [B, C, H, W] uint8 -> Features. `identity` changes whenever a score could."""

    name: str  # part of the names of its scores
    feature_size: int  # K
    classes: int = 0  # 0: it tells no classes apart
    resizer: str  # how a picture is brought to the size that it looks at
    identity: str  # hash of the weights

    @abstractmethod
    def forward(self, pixels: Tensor) -> Features:
        """pixels [B, C, H, W] uint8 -> features of the same B pictures."""

    def title(self, measure: str) -> str:
        """What a score is called: `FD` on the classifier's features is `FD-classifier`, never `FID`."""
        return f"{measure}-{self.name}"


def finite(values: Tensor) -> Tensor:
    """The same values; raises NotFinite where one is not a number, which would stop the library inside LAPACK."""
    bad = int((~values.isfinite()).flatten(1).any(1).sum())
    if bad:
        raise NotFinite(f"features: those of {bad:,} of {len(values):,} pictures are not finite; nothing was scored")
    return values


def fingerprint(*parts: Tensor | str | bytes) -> str:
    """SHA-256 of tensors and texts, shortened to 16 digits."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        else:
            digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()[:16]


def weights_identity(module: nn.Module) -> str:
    """Fingerprint of all weights and buffers."""
    parts: list[Tensor | str] = []
    for name, value in sorted(module.state_dict().items()):
        parts += [name, value]
    return fingerprint(*parts)
