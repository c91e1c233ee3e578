"""What ganctl says: on the terminal in words, in log.txt with times; Lightning's advertising is filtered."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOISY = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")


@contextmanager
def logged_to(path: Path, aloud: bool = True) -> Iterator[None]:
    """Inside, `logging.getLogger("ganctl")` writes to `path` and, aloud, to the terminal."""
    log = logging.getLogger("ganctl")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    handlers = [*([terminal()] if aloud else []), to_file(path)]
    for handler in handlers:
        log.addHandler(handler)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|lightning)\b")
            yield
    finally:
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


@contextmanager
def aloud() -> Iterator[None]:
    """Inside, what ganctl notices goes to the terminal."""
    log, handler = logging.getLogger("ganctl"), terminal()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)


@contextmanager
def untold(name: str) -> Iterator[None]:
    """Inside, the logger of that name and those below it say nothing."""
    log = logging.getLogger(name)
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(level)


def terminal() -> logging.Handler:
    """Plain words on standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setLevel(logging.INFO)
    return handler


def to_file(path: Path) -> logging.Handler:
    """Everything, with times."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler
