"""The ways a command can end badly, each with its exit code."""

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


class NotFinite(GanctlError):
    """A loss, gradient, weight or sample became NaN or infinite."""

    exit_code = NOT_FINITE


class Stopped(GanctlError):
    """Training was ended by a signal after a whole round, and saved."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
