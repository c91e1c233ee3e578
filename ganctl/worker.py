"""A run in a process of its own: `python -m ganctl.worker RUN_FOLDER [--leashed] [--together]`."""

import sys
from pathlib import Path

from ganctl.cli import guarded


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
    from ganctl import runs, training

    run = runs.Run(folder)
    settings = runs.read_config(run)
    if runs.available(run):
        training.resume(run, settings)
    else:
        training.train(settings, run=run)


def play_share(folder: Path) -> None:
    """This process's share of a run on several devices."""
    from ganctl import group, runs

    group.play_share(runs.Run(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
