"""Some classes of a labelled dataset: to train on normal pictures only, or to hold a class out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.data.dataset import Description
from ganctl.errors import UserError
from ganctl.nearest import hint

Classes = Sequence[int | str]  # by number or name


@dataclass(frozen=True)
class Selection:
    """only: the classes that stay, None for all; without: those that do not. What stays is numbered anew from 0."""

    only: Classes | None = None
    without: Classes = ()

    def __post_init__(self) -> None:
        if self.only is not None and (self.without or not self.only):
            raise ValueError(f"only: {list(self.only)}; name a class or more, and leave without= away")

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.only is None and not self.without

    @property
    def given(self) -> str:
        """The setting that a user wrote."""
        return "dataset.without" if self.only is None else "dataset.only"

    def kept(self, names: Sequence[str]) -> list[int]:
        """Numbers of the classes that stay, of those called `names`. Raises UserError."""
        named = {self.number(each, names) for each in (self.without if self.only is None else self.only)}
        kept = [number for number in range(len(names)) if (number in named) == (self.only is not None)]
        if not kept:
            raise UserError(f"{self.given}: {list(self.without)} are all classes; leave one to train on")
        return kept

    def number(self, wanted: int | str, names: Sequence[str]) -> int:
        """A class by its name, else by its number. Raises UserError."""
        if str(wanted) in names:
            return list(names).index(str(wanted))
        if str(wanted).isdecimal() and int(wanted) < len(names):
            return int(wanted)
        known = hint(str(wanted), names) or f"; there are: {', '.join(names)}"
        raise UserError(f"{self.given}: no class {str(wanted)!r}{known}")

    def described(self, whole: Description) -> Description:
        """What stays of a dataset; the count stays that of all, for only the labels tell. One class is none."""
        names = tuple(whole.names[number] for number in self.kept(whole.names))
        names = names if len(names) > 1 else ()
        return replace(whole, classes=len(names), names=names)

    def taken(self, images: Tensor, labels: Tensor, names: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """The pictures that stay, [N, ...], with their new labels [N], or None where one class stays."""
        if self.is_all:
            return images, labels
        kept = torch.tensor(self.kept(names))
        rows = torch.isin(labels, kept).nonzero().squeeze(1)
        return images[rows], torch.searchsorted(kept, labels[rows]) if len(kept) > 1 else None
