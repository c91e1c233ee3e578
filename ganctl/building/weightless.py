"""Networks without numbers: built for their sizes alone, in no memory and little time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import normalize
from torch.overrides import TorchFunctionMode


class SizesAlone(TorchFunctionMode):
    """Passes over spectral norm's beginning, 30 products and vectors of unit length a layer, each slow on meta."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function is normalize:
            out = (kwargs or {}).get("out")
            return args[0] if out is None else out
        if function is torch.mv:
            return args[0].new_empty(len(args[0]))
        return function(*args, **(kwargs or {}))


@contextmanager
def weightless() -> Iterator[None]:
    """Inside, tensors are made on the meta device: they have sizes and no values."""
    with torch.device("meta"), SizesAlone():
        yield
