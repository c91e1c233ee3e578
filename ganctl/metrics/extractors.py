"""Pictures to features: the one contract of everything that scores pictures, and which one to take."""

import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ganctl.data.batch import Tensors
from ganctl.errors import NotFinite, UserError
from ganctl.metrics.keys import ExtractorName

logger = logging.getLogger("ganctl")


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


Labelled = Callable[[], Iterator[tuple[Tensor, Tensor]]]
"""Makes batches of training pictures ([B, C, H, W] uint8) and their classes ([B] int64)."""


def choose(
    name: ExtractorName = "auto",
    *,
    channels: int,
    labelled: Labelled | None = None,
    classes: int = 0,
    parts: int = 1,
    weights: Path | None = None,
    download: bool = False,
    device: torch.device | str = "cpu",
) -> Extractor:
    """The extractor of that name; `auto` takes Inception where it is at hand and fast, else a classifier, else random.

    channels: of the pictures. labelled, classes: training pictures and the number of their classes, where there are
    labels. parts: 3 for pictures of three stacked digits. weights: Inception's weights in a file; download: fetch them.
    Raises UserError where the named one cannot be had.
    """
    from ganctl.metrics.inception import DinoExtractor, InceptionExtractor, find_weights
    from ganctl.metrics.random_features import RandomExtractor

    if name == "inception" or (name == "auto" and (weights or download or (_quick(device) and find_weights()))):
        return InceptionExtractor(weights, download=download)
    if name == "dinov2":
        return DinoExtractor(download=download)
    if name == "random":
        return RandomExtractor(channels)
    return _classifier(name, channels, labelled, classes, parts)


def _quick(device: torch.device | str) -> bool:
    """Whether Inception at 299 pixels is a matter of seconds there."""
    return torch.device(device).type == "cuda"


def _classifier(name: str, channels: int, labelled: Labelled | None, classes: int, parts: int) -> Extractor:
    """The data's own classifier; where `auto` cannot have one, the random network and a sentence why."""
    from ganctl.metrics.classifier import prepare
    from ganctl.metrics.random_features import RandomExtractor

    try:
        if labelled is None or classes < 2:
            have = "has one class" if classes == 1 else "has no classes"
            raise UserError(f"extractor: a classifier needs labels of two classes or more, and the data {have}")
        return prepare(labelled, channels, classes, parts)
    except UserError as error:
        if name == "classifier":
            raise
        if labelled is not None:
            logger.info("%s; scored on a random network instead", str(error).removeprefix("extractor: "))
        return RandomExtractor(channels)
