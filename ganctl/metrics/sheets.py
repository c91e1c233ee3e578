"""A set of pictures as the metrics see it: features, classes, thumbnails; the pictures themselves are not kept."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Captioned, Tensors, at_once
from ganctl.errors import NotFinite
from ganctl.games.game import Generative, Wish
from ganctl.metrics.extractors import Extractor, Features, finite
from ganctl.metrics.isolation import isolated
from ganctl.metrics.random_features import SIDE, shrink
from ganctl.pictures import to_bytes
from ganctl.precision import repeatable

BATCH = 250  # samples drawn at once, unless they are large
Batches = Iterable[tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Sheet:
    """N pictures. `seen` holds one entry for each extractor that looked at them."""

    seen: tuple[Features, ...]  # N rows each
    thumbnails: Tensor  # [N, C, h, w] uint8, at most 32x32
    label: Tensor | None  # [N] or [N, K]; wished for, or the data's own
    identity: str  # fingerprint of all pixels

    def __len__(self) -> int:
        return len(self.thumbnails)

    def part(self, start: int, end: int | None = None) -> "Sheet":
        """Some of the pictures."""
        chosen = slice(start, end)
        seen = tuple(features.map(lambda value: value[chosen]) for features in self.seen)
        return Sheet(seen, self.thumbnails[chosen], None if self.label is None else self.label[chosen], self.identity)


def sheet(batches: Batches, extractors: Sequence[Extractor], device: torch.device | str = "cpu") -> Sheet:
    """Look at all pictures ([B, C, H, W] uint8) once. Random states are left as they were."""
    device = torch.device(device)
    seen: list[list[Features]] = [[] for _ in extractors]
    thumbnails, labels, digest = [], [], hashlib.sha256()
    with isolated(), torch.no_grad(), repeatable(), torch.autocast(device.type, enabled=False):
        for pixels, label in batches:
            here = pixels.to(device)
            for extractor, found in zip(extractors, seen, strict=True):
                found.append(extractor.to(device).eval()(here).map(lambda value: value.float().cpu()))
            thumbnails.append(thumbnail(here).cpu())
            labels += [] if label is None else [label.cpu()]
            digest.update(pixels.cpu().contiguous().numpy().data)
    features = tuple(join(found) for found in seen)
    return Sheet(features, torch.cat(thumbnails), torch.cat(labels) if labels else None, digest.hexdigest()[:16])


def join(found: list[Features]) -> Features:
    """Consecutive features as one; NotFinite where a value is not a number."""
    logits = [each.logits for each in found if each.logits is not None]
    return Features(finite(torch.cat([each.values for each in found])), torch.cat(logits) if logits else None)


def thumbnail(pixels: Tensor) -> Tensor:
    """As it is up to 32 pixels a side, else shrunk to 32x32: enough to tell copies and variety."""
    return pixels if max(pixels.shape[2:]) <= SIDE else shrink(pixels).to(torch.uint8)


def request(
    game: Generative, count: int, label: Tensor | None, seed: int, texts: Sequence[str] | None = None
) -> tuple[Tensors, Tensor | None]:
    """Inputs of `count` pictures with these labels, or captions that say so; without where the game takes none."""
    if texts is not None and issubclass(game.batches, Captioned):
        return game.request(Wish(count, text=texts), torch.Generator().manual_seed(seed)), label
    if label is not None:
        try:
            return game.request(Wish(count, label=label), torch.Generator().manual_seed(seed)), label
        except ValueError:  # a game says in this way that it cannot grant a wish
            pass
    return game.request(Wish(count), torch.Generator().manual_seed(seed)), None


def drawn(
    game: Generative,
    count: int,
    label: Tensor | None,
    seed: int,
    device: torch.device,
    texts: Sequence[str] | None = None,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Samples as bytes with the labels wished for. Raises NotFinite at the end, with the number of bad ones."""
    inputs, wished = request(game, count, label, seed, texts)
    done = bad = 0
    for piece in pieces(game, inputs, device):
        images = painted(game, piece, device)
        bad += count_bad(images)
        if not bad:
            yield to_bytes(images), None if wished is None else wished[done : done + len(images)]
        done += len(images)
    if bad:
        raise NotFinite(f"{bad:,} of {count:,} samples are not finite; nothing was scored")


def pieces(game: Generative, inputs: Tensors, device: torch.device) -> Iterator[Tensors]:
    """Inputs of as many pictures as are painted at once; the first one tells how large they are."""
    one = painted(game, inputs.map(lambda value: value[:1]), device)
    return inputs.split(at_once(one.shape[1:], BATCH))


def head(batches: Batches, count: int) -> Tensor:
    """The first `count` pictures, on the CPU."""
    found: list[Tensor] = []
    for pixels, _ in batches:
        found.append(pixels.cpu())
        if sum(map(len, found)) >= count:
            break
    return torch.cat(found)[:count]


def painted(game: Generative, inputs: Tensors, device: torch.device) -> Tensor:
    """Pictures of the game as it stands, of inputs brought to its device; in full precision, without a graph."""
    with torch.no_grad(), repeatable(), torch.autocast(device.type, enabled=False):
        return game.paint(inputs.map(lambda value: value.to(device)))


def count_bad(images: Tensor) -> int:
    """How many of the pictures hold a value that is not finite."""
    return int((~images.isfinite()).flatten(1).any(1).sum())
