"""Where the noise comes from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

SWEEP = torch.linspace(-2, 2, 10)  # values of a number that a sheet shows, beyond those trained on (Chen et al. 2016)


@dataclass(frozen=True)
class Code:
    """One named part of a noise vector, which a network is asked to recover."""

    name: str
    place: slice  # of the vector
    ways: int  # categories, of which one is 1 and the others 0; 0: a single number in [-1, 1]

    @property
    def width(self) -> int:
        return self.ways or 1

    def values(self) -> Tensor:
        """What a sheet shows of it, one column of the sheet each, [columns, width]."""
        return torch.eye(self.ways) if self.ways else SWEEP[:, None]


class Prior(ABC):
    """A distribution over noise vectors. With a generator of its own a draw is the same on every device."""

    codes: tuple[Code, ...] = ()  # named parts of the vector; most priors have none

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: {size}; must be 1 or more")
        self.size = size

    @abstractmethod
    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        """Noise [count, size]. `truncation`: how far from the middle a draw may lie; ValueError where meaningless."""

    def code(self, name: str) -> Code:
        """The code of that name, or ValueError in words."""
        found = next((code for code in self.codes if code.name == name), None)
        if found is None:
            known = ", ".join(code.name for code in self.codes)
            told = f"no such code; known are {known}" if known else "this model has no latent codes; leave code out"
            raise ValueError(f"code={name}: {told}")
        return found

    def sweep(
        self, name: str, count: int, *, generator: torch.Generator | None = None, truncation: float | None = None
    ) -> Tensor:
        """Noise [count, size] for a sheet, row by row: one draw a row, one value of the code a column."""
        code = self.code(name)
        values = code.values()
        rows = -(-count // len(values))
        noise = self.draw(rows, generator=generator, truncation=truncation).repeat_interleave(len(values), 0)
        noise[:, code.place] = values.repeat(rows, 1)
        return noise[:count]


class Gaussian(Prior):
    """Standard normal. Truncated, each coordinate beyond it is drawn again (Brock et al. 2018, section 3.1)."""

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        noise = torch.randn(count, self.size, generator=generator, device=device)
        if truncation is None:
            return noise
        if truncation <= 0:
            raise ValueError(f"truncation: {truncation}; must be more than 0")
        while (outside := noise.abs() > truncation).any():
            noise = torch.where(outside, torch.randn(noise.shape, generator=generator, device=device), noise)
        return noise


class Uniform(Prior):
    """Uniform in [-1, 1]; truncated to a narrower interval."""

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        noise = torch.rand(count, self.size, generator=generator, device=device) * 2 - 1
        return noise if truncation is None else noise * min(truncation, 1.0)


class InfoCode(Prior):
    """Gaussian noise, then one-hot codes, then numbers uniform in [-1, 1] (InfoGAN, Chen et al. 2016, section 7).

    noise: size of the noise; categorical: name -> number of categories; continuous: names of the numbers.
    Truncation narrows the noise and leaves the codes alone.
    """

    def __init__(
        self, noise: int = 62, categorical: Mapping[str, int] | None = None, continuous: Sequence[str] = ()
    ) -> None:
        ways = dict(categorical or {}) | dict.fromkeys(continuous, 0)
        few = [name for name, count in (categorical or {}).items() if count < 2]
        if few or not ways or len(ways) < len(categorical or {}) + len(continuous):
            raise ValueError(f"codes: {ways}; give at least one, names once each, and 2 or more categories")
        super().__init__(noise + sum(count or 1 for count in ways.values()))
        self.noise = Gaussian(noise)
        places: list[Code] = []
        start = noise
        for name, count in ways.items():
            places.append(Code(name, slice(start, start + (count or 1)), count))
            start += count or 1
        self.codes = tuple(places)

    def draw(
        self,
        count: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
        truncation: float | None = None,
    ) -> Tensor:
        parts = [self.noise.draw(count, generator=generator, device=device, truncation=truncation)]
        for code in self.codes:
            if code.ways:
                category = torch.randint(code.ways, (count,), generator=generator, device=device)
                parts.append(one_hot(category, code.ways).float())
            else:
                parts.append(torch.rand(count, 1, generator=generator, device=device) * 2 - 1)
        return torch.cat(parts, 1)
