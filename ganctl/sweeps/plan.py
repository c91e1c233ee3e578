"""What every run of a sweep must know, in the sweep's folder, where any process can read it."""

import json
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ganctl.atomic import write_text

PLAN, STOP = ".plan.json", ".stop"


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

    @property
    def place(self) -> Path:
        """The sweep's folder."""
        return Path(self.folder)

    def save(self) -> None:
        """Write it down before the first run starts."""
        write_text(self.place / PLAN, json.dumps(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The plan of the sweep in this folder."""
        return cls(**json.loads((folder / PLAN).read_text(encoding="utf-8")))

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
        """Whether the process that counts the runs still lives; from another machine it is taken to."""
        if self.host != socket.gethostname():
            return True
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
    ends = [key.split(".")[-1] for key, _ in shown]
    short = [end if ends.count(end) == 1 else key for end, (key, _) in zip(ends, shown, strict=True)]
    return ",".join(f"{name}={value}" for name, (_, value) in zip(short, shown, strict=True))
