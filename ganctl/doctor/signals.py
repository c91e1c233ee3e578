"""What the doctor looks at: numbers of one check, and facts about the data that never change."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

WATCHED = ("real", "fake", "wins", "gradient")  # in the recorder's rows, beside the losses; also real_a, real_b


@dataclass(frozen=True)
class Facts:
    """Of the training data and the players; None where a kind of data has no such number."""

    pictures: int  # to train on
    spread: float | None = None  # mean distance of two real pictures over the root of their size; 0: all the same
    names: tuple[str, ...] = ()  # of the classes that samples are sorted into; none without labels
    expected: tuple[float, ...] = ()  # share of each class among the real pictures
    weights: Mapping[str, int] = field(default_factory=dict)  # turn -> parameters of its players


@dataclass(frozen=True)
class Signals:
    """One check. Ratios are to real pictures: 1 means as the data; None: not measured in this game."""

    images_seen: int
    rounds: int
    finite: bool = True  # losses, gradients and samples
    wins: float | None = None  # share of pairs in which the discriminator scores the real picture above the fake one
    unseen_wins: float | None = None  # the same with held-out pictures, right at the check ...
    seen_wins: float | None = None  # ... beside training pictures at the same moment
    gradients: Mapping[str, float] = field(default_factory=dict)  # turn -> norm of its gradient
    losses: Mapping[str, float] = field(default_factory=dict)  # shown, never judged
    diversity: float | None = None  # mean distance of two samples over that of two real pictures
    neighbours: float | None = None  # median distance of a sample to the nearest other, over that of real pictures
    duplicates: float | None = None  # share of the samples that have a near copy among the samples
    nearest: float | None = None  # median distance of a sample to the nearest real picture, over that of real ones
    contrast: float | None = None  # spread of brightness within a sample, over that within a real picture
    gap: float | None = None  # energy distance of samples and data; 0: none, about 1: nothing in common
    shares: tuple[float, ...] = ()  # of the samples, class by class, each counted with its nearest real picture

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON; what is not finite becomes null."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Signals":
        """Unknown fields are passed over, so that later versions can read earlier files."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in stored.items() if name in known}
        return cls(**{**values, "shares": tuple(values.get("shares") or ())})


def from_window(images_seen: int, rounds: int, window: Mapping[str, float], **measured: Any) -> Signals:
    """The losses' window `turn/name` -> mean, as the recorder keeps it, and what was measured beside it."""
    parts = {name: name.rpartition("/") for name in window}
    return Signals(
        images_seen,
        rounds,
        wins=window.get("discriminator/wins"),
        gradients={turn: window[name] for name, (turn, _, what) in parts.items() if what == "gradient"},
        losses={name: window[name] for name, (_, _, what) in parts.items() if what.split("_")[0] not in WATCHED},
        **measured,
    )


def plain(value: Any) -> Any:
    """Six digits are plenty."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, tuple) else value
