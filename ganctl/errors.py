"""The ways a command can end badly, each with its exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

OK, FAILED, MISTAKE, NOT_FINITE = 0, 1, 2, 4
INTERRUPTED, TERMINATED = 130, 143


class GanctlError(Exception):
    """An end that is told in words, without a traceback."""

    exit_code = FAILED


class UserError(GanctlError):
    """One or more mistakes of the user; each is one sentence: path, what was given, what is accepted, what to do."""

    exit_code = MISTAKE

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@contextmanager
def together() -> Iterator[list[str]]:
    """Inside, blocks of `noted` put a user's mistakes into the list; at the end all are raised as one UserError."""
    mistakes: list[str] = []
    yield mistakes
    if mistakes:
        raise UserError(*dict.fromkeys(mistakes))


@contextmanager
def noted(mistakes: list[str]) -> Iterator[None]:
    """A UserError of the block goes to the list, and what stands behind the block still runs."""
    try:
        yield
    except UserError as error:
        mistakes += error.mistakes


class NotFinite(GanctlError):
    """A loss, gradient, weight or sample became NaN or infinite."""

    exit_code = NOT_FINITE


class Stopped(GanctlError):
    """Training was ended by a signal after a whole round, and saved."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
