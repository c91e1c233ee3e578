"""What a search may choose: from `key=interval(1e-5,1e-3)`, `key=a,b` and their like on the command line."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganctl.config.overrides import parsed

WHOLE = re.compile(r"interval\(\s*-?\d+\s*,\s*-?\d+\s*\)")
FAR = 10.0  # times: ends so far apart are searched by their logarithm
MOST_CHECKED = 8  # choices of one key that are checked before the search begins


@dataclass(frozen=True)
class Dimension:
    """One key: either `choices`, or every number from `low` to `high`."""

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def corners(self) -> list[str]:
        """Overrides that show whether the values fit."""
        if self.choices:
            return [f"{self.key}={value}" for value in self.choices[:MOST_CHECKED]]
        return [self.written(self.low), self.written(self.high)]

    def written(self, value: float) -> str:
        """A number as an override."""
        return f"{self.key}={int(value)}" if self.whole else f"{self.key}={value:.6g}"

    def suggested(self, trial: Any) -> str:
        """What Optuna's trial takes of it, as an override."""
        if self.choices:
            return f"{self.key}={trial.suggest_categorical(self.key, list(self.choices))}"
        if self.whole:
            return self.written(trial.suggest_int(self.key, int(self.low), int(self.high), log=self.log))
        return self.written(trial.suggest_float(self.key, self.low, self.high, log=self.log))


def space_of(words: Sequence[str], mistakes: list[str]) -> tuple[list[Dimension], list[str]]:
    """The dimensions that overrides open, and the overrides that are fixed."""
    space, fixed = [], []
    for word in words:
        override = parsed(word, mistakes)
        if override is None:
            continue
        if not override.is_sweep_override():
            fixed.append(word)
        elif override.is_discrete_sweep():
            space.append(Dimension(override.get_key_element().lstrip("+"), tuple(override.sweep_string_iterator())))
        elif (found := between(override, word, mistakes)) is not None:
            space.append(found)
    return space, fixed


def between(override: Any, word: str, mistakes: list[str]) -> Dimension | None:
    """An interval; by the logarithm if it is tagged so, or far and positive and not tagged `linear`."""
    interval = override.value()
    low, high, tags = float(interval.start), float(interval.end), set(interval.tags)
    if not low < high:
        mistakes.append(f"{word}: the first end must be the lower one")
        return None
    if "log" in tags and low <= 0:
        mistakes.append(f"{word}: a logarithm needs ends above 0")
        return None
    log = "log" in tags or ("linear" not in tags and low > 0 and high / low >= FAR)
    return Dimension(override.key_or_group, (), low, high, log, WHOLE.search(word) is not None)
