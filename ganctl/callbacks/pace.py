"""When something is due, counted in images seen."""

import time
from collections.abc import Callable, Sequence


def crossed(before: int, after: int, interval: int | None) -> bool:
    """Whether a multiple of `interval` lies in (before, after]; never, without an interval."""
    return interval is not None and interval > 0 and after // interval > before // interval


class Stretches:
    """After which rounds the callbacks are told. Telling them costs a small network more than its round does.

    After every round in which something is due, so that all happens when it would if they were told each time; and
    otherwise after a stretch of so many seconds, for what goes by the clock: the progress line, `minutes=`.

    rounds: the interval of what is counted in rounds; images: the intervals of what is counted in images; asked:
    whether somebody wants training to end.
    """

    def __init__(
        self, seconds: float, rounds: int, images: Sequence[int | None], length: int, asked: Callable[[], bool]
    ) -> None:
        self.seconds, self.rounds, self.length, self.asked = seconds, rounds, length, asked
        self.intervals = [interval for interval in images if interval is not None]
        self.began = 0.0

    def begin(self) -> None:
        """A stretch begins."""
        self.began = time.monotonic()

    def due(self, before: int, after: int, rounds: int) -> bool:
        """Whether it ends with this round: images seen before and after it, rounds played."""
        return (
            rounds % self.rounds == 0
            or after >= self.length
            or time.monotonic() - self.began >= self.seconds
            or self.asked()
            or any(crossed(before, after, interval) for interval in self.intervals)
        )
