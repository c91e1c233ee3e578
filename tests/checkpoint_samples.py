"""What the tests of checkpoints share."""

import os
import random
import traceback
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganctl.runs.store import Run


def content(images_seen: int = 5) -> dict[str, Any]:
    """A small checkpoint with all that a real one has."""
    generator = torch.Generator().manual_seed(images_seen)
    weight = torch.randn(3, 4, generator=generator)
    return {
        "config": {"images": "300k", "betas": [0.5, 0.999], "name": None, "dry_run": False},
        "images_seen": images_seen,
        "game": OrderedDict(weight=weight, count=torch.tensor(images_seen), half=weight.bfloat16()),
        "optimizers": {"generator": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"params": [0]}]}},
        "random": {"python": random.Random(images_seen).getstate()[1][:8], "torch": generator.get_state()[:64]},
    }


def made_run(folder: Path) -> Run:
    run = Run(folder)
    run.checkpoints.mkdir(parents=True)
    return run


def forked(work: Callable[[], object]) -> int:
    """Run in a forked child, which never returns to the tests; its process id."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    return pid


def in_child(work: Callable[[], object]) -> int:
    """Run in a forked child to its end; the exit code, or the signal that killed it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(forked(work), 0)[1])
