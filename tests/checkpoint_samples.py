"""What the tests of checkpoints share."""

import os
import random
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganctl.runs import Run


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


def in_child(work: Callable[[], None]) -> int:
    """Run in a forked child; the wait status, 0 when it ended well."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error))
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]
