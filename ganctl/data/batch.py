"""What travels from the data to a game: typed batches, never dicts of strings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar, Self

from torch import Tensor

AT_ONCE = 2**22  # pixels, in all pictures together


def at_once(picture: Sequence[int], most: int) -> int:
    """How many pictures of a shape [C, H, W] are painted or looked at together: `most`, of large ones fewer."""
    return max(1, min(most, AT_ONCE // (picture[-2] * picture[-1])))


@dataclass(frozen=True)
class Tensors:
    """A dataclass whose tensor fields share their first dimension; fields that are None stay None."""

    called: ClassVar[str] = "tensors"  # in messages
    dataset: ClassVar[str] = "..."  # that a user would choose for it

    def map(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same fields, each tensor changed."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(self, **{name: change(value) for name, value in values.items() if isinstance(value, Tensor)})

    def __len__(self) -> int:
        """The shared first dimension: how many images (or inputs) this holds."""
        return next(len(value) for each in fields(self) if isinstance(value := getattr(self, each.name), Tensor))

    def split(self, size: int) -> Iterator[Self]:
        """Consecutive pieces of at most `size`."""
        for start in range(0, len(self), size):
            yield self.map(lambda value, start=start: value[start : start + size])  # type: ignore[misc]


@dataclass(frozen=True)
class Images(Tensors):
    """Pictures of one kind, perhaps labelled."""

    called, dataset = "single pictures", "folder"

    image: Tensor  # [B, C, H, W] in [-1, 1]
    label: Tensor | None = None  # [B] class as int64, or [B, K] attributes as float 0/1


@dataclass(frozen=True)
class Pairs(Tensors):
    """A picture and the picture it should become."""

    called, dataset = "pairs of pictures", "pairs"

    source: Tensor  # [B, C, H, W] in [-1, 1]
    target: Tensor  # [B, C', H', W'] in [-1, 1]


@dataclass(frozen=True)
class Unpaired(Tensors):
    """One picture of each domain; they have nothing to do with each other."""

    called, dataset = "two domains without pairs", "unpaired"

    a: Tensor  # [B, C, H, W] in [-1, 1]
    b: Tensor  # [B, C, H, W] in [-1, 1]


@dataclass(frozen=True)
class Captioned(Images):
    """Pictures and words that describe them."""

    called, dataset = "captioned pictures", "captions"

    caption: Tensor = field(kw_only=True)  # [B, L] int64: UTF-8 bytes, padded with 0 (ganctl.text)
