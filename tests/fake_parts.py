"""Small components for the tests of building and configuration; a plugin, as a user would write one."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganctl.data.dataset import Dataset, Description, Table
from ganctl.networks.interfaces import Generator


class Wheel(ABC):
    """A contract."""

    @abstractmethod
    def turn(self) -> float: ...


class Rubber(Wheel):
    def __init__(self, radius: float = 1.0, name: str = "round") -> None:
        if radius <= 0:
            raise ValueError(f"radius: {radius}; must be more than 0")
        if name == "square":
            raise ValueError("no wheel is square")
        self.radius, self.name = radius, name

    def turn(self) -> float:
        return self.radius


class Broken(Wheel):
    def __init__(self) -> None:
        raise RuntimeError("this wheel never builds")

    def turn(self) -> float:
        return 0.0


class Car:
    """Takes one of every kind of annotation."""

    def __init__(
        self,
        front: Wheel,
        seats: int = 4,
        weight: float = 1.0,
        open: bool = False,
        colour: str = "red",
        fuel: Literal["petrol", "none"] = "petrol",
        spare: Wheel | None = None,
        others: Sequence[Wheel] = (),
        named: Mapping[str, Wheel] | None = None,
        size: tuple[int, int] = (2, 4),
        gears: list[float] | int = 5,
        load: float | Wheel = 0.0,
        papers: Path | None = None,
        anything: Any = None,
    ) -> None:
        self.arguments = {name: value for name, value in locals().items() if name != "self"}


class Trailer(Car):
    """Passes any argument on."""

    def __init__(self, front: Wheel, **rest: int) -> None:
        super().__init__(front)
        self.rest = rest


class Fake(Dataset):
    """A dataset of any description that holds no picture."""

    def __init__(self, shape: Sequence[int] = (1, 16, 16), classes: int = 0, count: int = 1000) -> None:
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        channels, height, width = shape
        self.description = Description((channels, height, width), classes, count)

    def describe(self) -> Description:
        return self.description

    def open(self, device: torch.device) -> Table:
        raise NotImplementedError


class Painter(Generator):
    """A user's own generator."""

    def __init__(self, shape: Sequence[int], noise_size: int) -> None:
        super().__init__()
        self.shape, self.noise_size = tuple(shape), noise_size
        torch.rand(1, device="cpu")  # draws a number even where only sizes are looked at
        self.layer = torch.nn.Linear(noise_size, shape[0] * shape[1] * shape[2])

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return self.layer(noise).tanh().unflatten(1, self.shape)
