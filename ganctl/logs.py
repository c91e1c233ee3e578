"""What ganctl says: on the terminal in words, in log.txt with times; Lightning's advertising is filtered."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import TextIO

NOISY = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")
Records = Sequence[logging.LogRecord]


class Terminal(logging.StreamHandler[TextIO]):
    """Plain words on standard output, for as long as somebody reads them."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setLevel(logging.INFO)

    def handleError(self, record: logging.LogRecord) -> None:
        """A reader that is gone (`ganctl train | head`) ends the words, not the training."""
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            hush()
        else:
            super().handleError(record)


def hush() -> None:
    """Send what is still to be printed nowhere: a closed pipe would be an error again as Python ends."""
    with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


@contextmanager
def logged_to(path: Path, aloud: bool = True, earlier: Records = ()) -> Iterator[None]:
    """Inside, `logging.getLogger("ganctl")` writes to `path` and, aloud, to the terminal.

    earlier: what was told before there was such a file; it is written first.
    """
    log = logging.getLogger("ganctl")
    log.setLevel(logging.DEBUG)
    log.propagate = False
    file = to_file(path)
    for record in earlier:
        file.handle(record)
    handlers = [*([Terminal()] if aloud else []), file]
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
def aloud(silent: bool = False) -> Iterator[Records]:
    """Inside, what ganctl notices goes to the terminal, once; yields the records, for a file that is opened later.

    silent: to the records alone.
    """
    log, memory = logging.getLogger("ganctl"), Memory()
    before = log.level, log.propagate
    heard = silent or any(isinstance(handler, Terminal) for handler in log.handlers)  # already, by who called this
    handlers = [memory] if heard else [memory, Terminal()]
    for handler in handlers:
        handler.addFilter(Once())
        log.addHandler(handler)
    log.setLevel(min(log.level or logging.INFO, logging.INFO))
    log.propagate = False
    try:
        yield memory.buffer
    finally:
        for handler in handlers:
            log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]


class Once(logging.Filter):
    """Lets the same words pass but once: runs of a sweep look at one and the same data."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        words = record.getMessage()
        new = words not in self.said
        self.said.add(words)
        return new


class Memory(BufferingHandler):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__(capacity=0)

    def shouldFlush(self, record: logging.LogRecord) -> bool:
        return False


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


def to_file(path: Path) -> logging.Handler:
    """Everything, with times."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler
