"""What every run of a sweep must know, in the sweep's folder, where any process can read it."""

import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ganctl.errors import UserError
from ganctl.runs.atomic import remove_leftovers, write_text
from ganctl.runs.lock import Held, hold, last_holder
from ganctl.sweeps.space import Dimension

PLAN, STOP, LOCK = ".plan.json", ".stop", ".lock"


@dataclass(frozen=True)
class Search:
    """What a search looks for, and where."""

    score: str  # key
    lower_is_better: bool
    trials: int
    space: list[Dimension]
    fixed: list[str]  # overrides that all trials share


@dataclass(frozen=True)
class Plan:
    """The runs of a sweep, and where they look for YAML."""

    folder: str
    titles: list[str]  # of the runs, in order; empty where a sweeper makes them up as it goes
    swept: list[str]  # the keys whose values differ
    config_dirs: list[str]
    settings: list[dict[str, Any]] = field(default_factory=list)  # checked, one for each title
    gpus: list[str] = field(default_factory=list)  # that the runs share out
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)  # the process that counts the runs
    search: Search | None = None  # None: the runs are counted, not searched
    hydras: list[str] = field(default_factory=list)  # overrides of Hydra's launcher

    @property
    def place(self) -> Path:
        """The sweep's folder."""
        return Path(self.folder)

    @property
    def count(self) -> int:
        """How many runs there will be; 0 where a sweeper decides as it goes."""
        return self.search.trials if self.search else len(self.titles)

    def save(self) -> None:
        """Write it down before the first run starts."""
        write_text(self.place / PLAN, json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The plan of the sweep in this folder."""
        stored = json.loads((folder / PLAN).read_text(encoding="utf-8"))
        if found := stored.get("search"):
            space = [Dimension(**{**each, "choices": tuple(each["choices"])}) for each in found["space"]]
            stored["search"] = Search(**{**found, "space": space})
        return cls(**stored)

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Count the runs alone, from a clean start. Raises UserError naming the process that does so already."""
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.place / LOCK))
            except Held as other:
                raise UserError(f"resume: {self.folder} is being played by {other}; wait for it") from None
            (self.place / STOP).unlink(missing_ok=True)
            remove_leftovers(self.place)
            self.save()
            yield

    def hand_on(self, signal_number: int) -> None:
        """Tell all runs of a signal that the sweep got, whichever process they play in."""
        with (self.place / STOP).open("a", encoding="utf-8") as file:
            file.write(f"{signal_number}\n")

    def signals(self) -> list[int]:
        """The signals that the sweep has got so far; SIGTERM, if it was killed without a word."""
        stop = self.place / STOP
        if stop.exists():
            return [int(line) for line in stop.read_text(encoding="utf-8").split()]
        return [] if self.is_alive() else [signal.SIGTERM]

    def is_alive(self) -> bool:
        """Whether the process that counts the runs still lives and does so; from another machine it is taken to."""
        if self.host != socket.gethostname():
            return True
        if last_holder(self.place / LOCK) not in (None, self.pid):  # the sweep was killed, and another goes on with it
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def swept_keys(jobs: Sequence[Sequence[str]]) -> list[str]:
    """The keys whose values differ from run to run; jobs list the same keys in the same order."""
    columns = zip(*jobs, strict=True)
    return [column[0].partition("=")[0] for column in columns if len(set(column)) > 1]


def title(overrides: Sequence[str], swept: Sequence[str]) -> str:
    """What makes a run what it is, in short: `model=dcgan,lr=1e-4`; all its overrides if nothing is known to differ."""
    pairs = [word.partition("=")[::2] for word in overrides]
    shown = [(key, value) for key, value in pairs if key in swept or not swept]
    keys = [key for key, _ in shown]
    return ",".join(f"{shortest(key, keys)}={value}" for key, value in shown)


def shortest(key: str, keys: Sequence[str]) -> str:
    """The end of a dotted key that no other one shares: `lr`, or `generator.lr` beside `discriminator.lr`."""
    parts = key.split(".")
    ends = (".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1))
    return next((end for end in ends if sum(f".{each}".endswith(f".{end}") for each in keys) == 1), key)
