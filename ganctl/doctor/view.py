"""The checks of a run as the rules look at them: medians of the last ones, trends, comparisons with their own past."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Literal

from ganctl.doctor import thresholds as at
from ganctl.doctor.normal import missing
from ganctl.doctor.signals import Facts, Signals

Name = Literal["wins", "diversity", "neighbours", "duplicates", "nearest", "contrast", "gap"]
SHOWN = 6  # classes that a sentence lists


@dataclass(frozen=True)
class View:
    """history: at least one check, oldest first. images: length of the training."""

    history: Sequence[Signals]
    facts: Facts
    images: int
    alone: bool = False  # samples were looked at once only, so that no trend can be told

    @property
    def last(self) -> Signals:
        return self.history[-1]

    @cached_property
    def warm(self) -> list[Signals]:
        """The checks that count; before, every recipe looks ill."""
        return [each for each in self.history if each.finite]

    def values(self, name: Name, checks: Sequence[Signals]) -> list[float]:
        """What was measured of a signal."""
        found = (getattr(each, name) for each in checks)
        return [value for value in found if value is not None]

    def recent(self, name: Name) -> float | None:
        """Median of the last checks; None where the last one has none."""
        found = self.values(name, self.warm[-at.RECENT :])
        return median(found) if found and getattr(self.last, name) is not None else None

    def below(self, name: Name, limit: float) -> bool:
        """Whether that median is known and less."""
        value = self.recent(name)
        return value is not None and value < limit

    def above(self, name: Name, limit: float) -> bool:
        """Whether that median is known and more."""
        value = self.recent(name)
        return value is not None and value > limit

    @cached_property
    def improving(self) -> bool:
        """Whether the gap is clearly smaller than RECENT checks before; with too few checks to tell, yes."""
        now, before = self.recent("gap"), self.values("gap", self.warm[-2 * at.RECENT : -at.RECENT])
        if now is None or not before:
            return now is not None and not self.alone
        last = self.values("gap", self.warm[-at.RECENT :])
        return now < at.IMPROVING * median(before) and (now < at.BAD_GAP or last[-1] < at.STILL * last[0])

    @property
    def stuck(self) -> bool:
        """Far from the data and not coming nearer."""
        return self.above("gap", at.BAD_GAP) and not self.improving

    @property
    def stuck_for_long(self) -> bool:
        """At each of the last checks, and no nearer than long before; or where there is no past to look at."""
        if self.alone:
            return self.stuck
        ends = range(len(self.history), len(self.history) - at.RECENT, -1)
        return not self.creeping and all(end > 0 and replace(self, history=self.history[:end]).stuck for end in ends)

    @property
    def creeping(self) -> bool:
        """Whether the gap is clearly smaller than long before: slow progress is progress."""
        now, before = self.recent("gap"), self.values("gap", self.warm[-3 * at.RECENT : -2 * at.RECENT])
        return now is not None and len(before) == at.RECENT and now < at.IMPROVING * median(before)

    @property
    def gap_at_the_end(self) -> float | None:
        """What the gap will be when the training ends, if it goes on falling by the same part; None: no trend known."""
        now, before = self.recent("gap"), self.values("gap", self.warm[-2 * at.RECENT : -at.RECENT])
        if now is None or len(before) < at.RECENT or median(before) <= 0:
            return None
        passed = self.last.images_seen - self.warm[-at.RECENT - 1].images_seen  # while it fell from `before` to `now`
        left = max(self.images - self.last.images_seen, 0)
        return now * float(min(now / median(before), 1.0) ** (left / max(passed, 1)))

    @property
    def too_slow(self) -> bool:
        """Far from the data, half of the training over, and at this pace still far from it at the end."""
        end = self.gap_at_the_end
        return end is not None and end > at.BAD_GAP and self.last.images_seen >= at.LATE * self.images

    @cached_property
    def _medians(self) -> list[tuple[float, int]]:
        """Of each run of RECENT checks: the gap, and the images seen at its end."""
        known = [each for each in self.warm if each.gap is not None]
        ends = range(at.RECENT, len(known) + 1)
        return [(median(self.values("gap", known[end - at.RECENT : end])), known[end - 1].images_seen) for end in ends]

    @property
    def best_gap(self) -> float | None:
        """The smallest so far, of medians."""
        return max(min(self._medians)[0], 1e-3) if self._medians else None

    @property
    def best_at(self) -> int:
        """Images seen when the gap was smallest."""
        return min(self._medians)[1] if self._medians else 0

    @property
    def since_best(self) -> float:
        """Part of the whole training that passed since."""
        return (self.last.images_seen - self.best_at) / max(self.images, 1)

    def gradients(self, turn: str) -> list[float]:
        """All known norms of a turn's gradient; a turn that rests has none in some checks."""
        found = (each.gradients.get(turn) for each in self.warm)
        return [value for value in found if value is not None]

    def growth_of_gradients(self, since_the_first: bool = False) -> dict[str, float]:
        """Turn -> least of its last norms over the median of those before; only where there are enough of both.

        since_the_first: over that of the first ones, for an explosion that is the larger part of the past.
        """
        found = {}
        for turn in self.last.gradients:
            norms = self.gradients(turn)
            past, now = norms[: -at.RECENT], norms[-at.RECENT :]
            before = past[: at.RECENT] if since_the_first else past
            if len(past) >= at.RECENT and median(before) > 0:
                found[turn] = min(now) / median(before)
        return found

    def fading_of(self, turn: str) -> float | None:
        """Median of a turn's last gradients over its largest; None while there are too few."""
        norms = self.gradients(turn)
        return median(norms[-at.RECENT :]) / max(norms) if len(norms) > at.RECENT and max(norms) > 0 else None

    def certainty(self) -> float | None:
        """The discriminator's gradient over the generator's: next to nothing once the loss leaves it nothing to do."""
        ours, theirs = (self.gradients(turn)[-at.RECENT :] for turn in ("discriminator", "generator"))
        return median(ours) / max(median(theirs), 1e-12) if ours and theirs else None

    @property
    def seen_better(self) -> float | None:
        """How much more often the discriminator wins on training pictures than on held-out ones."""
        recent = self.warm[-at.RECENT :]
        pairs = [(each.seen_wins, each.unseen_wins) for each in recent]
        return median([seen - unseen for seen, unseen in pairs if seen is not None and unseen is not None] or [0.0])

    @cached_property
    def missing(self) -> list[str]:
        """Classes that were missing in each of the last checks."""
        found = [missing(each, self.facts) for each in self.warm[-at.RECENT :] if each.shares]
        return [name for name in found[-1] if all(name in each for each in found)] if found else []

    @property
    def missing_share(self) -> float:
        """Of all classes."""
        return len(self.missing) / len(self.facts.names) if self.facts.names else 0.0

    def missing_words(self) -> str:
        """The end of a sentence, naming the classes that are missing."""
        names = self.missing
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"; not drawn: {', '.join(names[:SHOWN])}{more}" if names else ""
