"""A progress bar for work on many files, and how many threads may share it."""

import os
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
WORTH_A_BAR = 200  # files


def shown(title: str, work: Iterable[T], total: int) -> Iterator[T]:
    """`work`, with a bar on the terminal while it is drawn; silent where there is no terminal or little to do."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    quiet = total < WORTH_A_BAR or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        yield from bar.track(work, total=total, description=title)


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
