"""Games without networks that make pictures from pictures, for tests whose numbers are derived by hand."""

from typing import Any

from torch import Tensor

from ganctl.data.batch import Pairs
from ganctl.games.game import Game, Task, Translating, Turn


class Shift(Game, Translating):
    """Adds so much to every source; enlarges by whole pixels."""

    batches = Pairs

    def __init__(self, by: float, factor: int = 1) -> None:
        super().__init__()
        self.by, self.factor = by, factor

    def translate(self, image: Tensor, task: Task) -> Tensor:
        return (image + self.by).repeat_interleave(self.factor, 2).repeat_interleave(self.factor, 3)

    def turns(self) -> tuple[Turn, ...]:
        return ()

    def deal(self, *_: Any) -> None: ...

    def averaged(self) -> tuple[str, ...]:
        return ()

    def preview(self, *_: Any) -> Any: ...

    def sheet(self, inputs: Any) -> Any: ...
