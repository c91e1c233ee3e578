"""The front door: `ganctl <command> ...`; a mistake becomes words and an exit code. Imports nothing heavy."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ganctl.errors import FAILED, INTERRUPTED, MISTAKE, OK, GanctlError, UserError

FIRST = ("train", "sample", "list")  # shown before the others
HEAD = '"""`ganctl {}`: '  # how the file of a command begins; the rest of that line is its caption


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the exit code (see `ganctl.errors`)."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help", "help"):
        return guarded(name, lambda: print(usage()))
    if name in ("-V", "--version"):
        return guarded(name, lambda: print(f"ganctl {import_module('ganctl').__version__}"))
    if name not in commands():
        from ganctl.nearest import hint

        print(f"ganctl: no command {name!r}{hint(name, commands())} (see ganctl --help)", file=sys.stderr)
        return MISTAKE
    return guarded(name, lambda: import_module(f"ganctl.commands.{name}").run(rest))


def commands() -> dict[str, str]:
    """Name -> caption of every command, from the first line of its file; no command is imported."""
    found = {}
    for file in sorted(Path(__file__).with_name("commands").glob("*.py")):
        with file.open(encoding="utf-8") as text:
            line = text.readline().strip()
        head = HEAD.format(file.stem)
        if line.startswith(head):
            found[file.stem] = line.removeprefix(head).removesuffix('"""').removesuffix(".")
    return dict(sorted(found.items(), key=lambda item: FIRST.index(item[0]) if item[0] in FIRST else len(FIRST)))


def usage() -> str:
    """What `ganctl --help` prints."""
    rows = [f"  {name:<12} {caption}" for name, caption in commands().items()]
    return "\n".join(
        [
            "usage: ganctl <command> [key=value ...]",
            "",
            *rows,
            "",
            "ganctl <command> --help explains a command. Begin with:  ganctl train model=dcgan dataset=digits",
            "Exit codes: 0 done, 1 failed, 2 a mistake in what was asked, 4 not finite, 130 or 143 stopped by signal.",
            "GANCTL_TRACEBACK=1 shows the traceback of an unexpected error.",
        ]
    )


def guarded(name: str, work: Callable[[], int | None]) -> int:
    """Run a command; whatever goes wrong is told on stderr in words and becomes an exit code."""
    code = ended(name, work)
    try:  # now: as Python ends a closed pipe could not be caught
        print(end="", flush=True)
    except BrokenPipeError:
        hush()
    except OSError as error:  # a full disk behind `> file`
        hush()
        return code or tell(name, [f"standard output: cannot be written: {error.strerror or error}"], FAILED)
    return code


def ended(name: str, work: Callable[[], int | None]) -> int:
    """The exit code of a command, its mistakes told."""
    try:
        return work() or OK
    except SystemExit as end:  # of --help
        return int(end.code or OK)
    except UserError as error:
        return tell(name, error.mistakes, error.exit_code)
    except GanctlError as error:
        return tell(name, [str(error)], error.exit_code)
    except KeyboardInterrupt:
        return tell(name, ["interrupted"], INTERRUPTED)
    except BrokenPipeError:  # `ganctl list | head`: the reader has had enough
        hush()
        return OK
    except Exception as error:
        return unexpected(name, error)


def hush() -> None:
    """Nobody reads any more."""
    from ganctl.logs import hush as silence

    silence()


def tell(name: str, mistakes: list[str] | tuple[str, ...], code: int) -> int:
    """One mistake on one line; several under their number."""
    if len(mistakes) == 1:
        print(f"ganctl {name}: {mistakes[0]}", file=sys.stderr)
    else:
        print(
            f"ganctl {name}: {len(mistakes)} mistakes", *(f"  {each}" for each in mistakes), sep="\n", file=sys.stderr
        )
    return code


def unexpected(name: str, error: Exception) -> int:
    """An error nobody foresaw: one sentence, and where its traceback is."""
    import traceback

    told = f"{type(error).__name__}: {error}".rstrip(": ").replace("\n", " ")
    places = getattr(error, "__notes__", [])  # whoever logs a traceback adds a note that says where
    if os.environ.get("GANCTL_TRACEBACK") == "1":
        traceback.print_exception(error)
    elif not places:
        places = ["set GANCTL_TRACEBACK=1 to see the traceback"]
    print("; ".join([f"ganctl {name}: stopped by an unexpected error: {told}", *places]), file=sys.stderr)
    return FAILED
