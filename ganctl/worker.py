"""A run in a process of its own: `python -m ganctl.worker RUN_FOLDER [--leashed] [--together]`."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganctl.cli import guarded

if TYPE_CHECKING:
    from ganctl.runs.store import Run


def main(argv: list[str]) -> int:
    """Train by the config that lies in the run's folder; the exit code of `ganctl train`.

    --leashed: end as by SIGTERM when standard input closes, which it does when the starting process dies.
    --together: as one of several processes that share the run.
    """
    if "--leashed" in argv:
        from ganctl.sweeps.process import stop_with_parent

        stop_with_parent()
    work = play_share if "--together" in argv else play
    return guarded("train", lambda: work(Path(argv[0])))


def play(folder: Path) -> None:
    """Train from the first image on, or from the checkpoint that is there (a search that is continued)."""
    from ganctl.runs import store

    run = store.Run(folder)
    train(run, store.read_config(run), bool(store.available(run)))


def play_share(folder: Path) -> None:
    """This process's share of a run on several devices."""
    from ganctl.runs import store
    from ganctl.training import group

    run = store.Run(folder)
    group.play_share(run, partial(train, run))


def train(run: "Run", settings: dict[str, Any], resuming: bool) -> None:
    """From the first image on, or from the last good checkpoint."""
    from ganctl.training import start

    if resuming:
        start.resume(run, settings)
    else:
        start.train(settings, run=run)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
