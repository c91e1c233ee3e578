"""`key=value` on the command line, typed by a dataclass: for the commands that are not composed from YAML."""

import sys
import types
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ganctl.errors import UserError
from ganctl.nearest import hint
from ganctl.quantities import quantity

T = TypeVar("T")
NONE, YES, NO = ("none", "null"), ("true", "yes", "on", "1"), ("false", "no", "off", "0")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True)
class Note:
    """What `--help` says of an option and how far its value may go."""

    help: str
    least: float | None = None
    most: float | None = None
    positional: bool = False  # may stand without its name: `ganctl list models`


def option(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with the words of `--help`; pass `MISSING` for an option that must be given.

    limits: least, most (inclusive, for numbers), positional (the value may stand without `name=`).
    """
    return field(default=default, metadata={"note": Note(help, **limits)})


def words(text: str) -> list[str]:
    """`good,new` or `[good,new]` -> its words."""
    return [word.strip() for word in text.strip("[]").split(",") if word.strip()]


def parse(kind: type[T], argv: list[str], command: str) -> T:
    """An instance of the dataclass `kind` from `key=value` or `--key=value` words; `--help` prints and exits 0.

    Raises UserError naming every mistake: unknown option, value of a wrong type or out of range, missing option.
    """
    if "-h" in argv or "--help" in argv:
        print(explain(kind, command))
        sys.exit(0)
    options, types_ = {typed(each): each for each in options_of(kind)}, get_type_hints(kind)
    values: dict[str, Any] = {}
    mistakes: list[str] = []
    for word in joined(argv, options):
        try:
            name, text = split(word, options, values)
            if name in values:
                raise ValueError("given twice")
            values[name] = convert(text, types_[options[name].name])
            check_range(values[name], note_of(options[name]))
        except ValueError as error:
            mistakes.append(f"{word}: {error}")
    mistakes += [f"{name}: must be given, {name}=..." for name in options if is_absent(options[name], values, argv)]
    if mistakes:
        raise UserError(*mistakes)
    return kind(**{options[name].name: value for name, value in values.items()})


def joined(argv: list[str], options: dict[str, Field[Any]]) -> list[str]:
    """`--out FOLDER` as one word, `--out=FOLDER`; all else as it is."""
    found: list[str] = []
    for word in argv:
        before = found[-1] if found else ""
        waits = before.startswith("--") and before[2:].replace("-", "_") in options
        if waits and not word.startswith("--"):
            found[-1] = f"{before}={word}"
        else:
            found.append(word)
    return found


def split(word: str, options: dict[str, Field[Any]], taken: dict[str, Any]) -> tuple[str, str]:
    """`--n=3` or `n=3` -> (`n`, `3`); a bare word goes to the positional option if there is one and it is free."""
    name, equals, text = word.removeprefix("--").partition("=")
    bare = [each for each in options if note_of(options[each]).positional and each not in taken]
    if not equals and bare and not word.startswith("-"):
        return bare[0], word
    if name.replace("-", "_") not in options:
        raise ValueError(f"no such option{hint(name, options)} (there are: {', '.join(options)})")
    if not text:
        raise ValueError(f"no value; write {name}=...")
    return name.replace("-", "_"), text


def is_absent(option: Field[Any], values: dict[str, Any], argv: list[str]) -> bool:
    """Whether an option that must be given was not even tried."""
    tried = any(word.removeprefix("--").startswith(f"{typed(option)}=") for word in argv)
    return option.default is MISSING and typed(option) not in values and not tried


def convert(text: str, kind: Any) -> Any:
    """The text as the annotated type; raises ValueError saying what is accepted."""
    if get_origin(kind) in (Union, types.UnionType):
        return convert_union(text, get_args(kind))
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"no such choice{hint(text, get_args(kind))}; there are: {', '.join(get_args(kind))}")
        return text
    try:
        return CONVERTERS.get(kind, kind)(text)
    except ValueError:
        raise ValueError(f"{text!r} is not {KINDS.get(kind, kind.__name__)}") from None


def convert_union(text: str, kinds: tuple[Any, ...]) -> Any:
    """`none` where None is allowed, else the first type that accepts the text."""
    if text.lower() in NONE and types.NoneType in kinds:
        return None
    mistakes = []
    for kind in kinds:
        if kind is not types.NoneType:
            try:
                return convert(text, kind)
            except ValueError as error:
                mistakes.append(str(error))
    raise ValueError(mistakes[0])


def truth(text: str) -> bool:
    """true, yes, on, 1 or false, no, off, 0."""
    if text.lower() not in YES + NO:
        raise ValueError
    return text.lower() in YES


CONVERTERS: dict[Any, Callable[[str], Any]] = {int: quantity, bool: truth}


def check_range(value: Any, note: Note) -> None:
    """Raise ValueError where a number lies outside the option's limits."""
    if not isinstance(value, int | float):
        return
    if note.least is not None and not value >= note.least:
        raise ValueError(f"must be at least {note.least:g}")
    if note.most is not None and not value <= note.most:
        raise ValueError(f"must be at most {note.most:g}")


def options_of(kind: type) -> tuple[Field[Any], ...]:
    """The options of a command, in the order of its dataclass."""
    return fields(kind)


def typed(option: Field[Any]) -> str:
    """The name as it is typed: `in` for the field `in_`, which Python could not call so."""
    return option.name.removesuffix("_")


def note_of(option: Field[Any]) -> Note:
    """What `option` was told about the field."""
    return option.metadata.get("note") or Note("")


def explain(kind: type, command: str) -> str:
    """What `ganctl <command> --help` prints."""
    lines = [f"usage: ganctl {command} [option=value ...]", "", (kind.__doc__ or "").strip(), ""]
    types_ = get_type_hints(kind)
    for each in options_of(kind):
        default = "" if each.default in (MISSING, None) else str(each.default).lower()
        choices = get_args(types_[each.name]) if get_origin(types_[each.name]) is Literal else ()
        note = note_of(each).help + (f" ({'|'.join(choices)})" if choices else "")
        lines.append(f"  {f'{typed(each)}={default}':<20} {note}".rstrip())
    return "\n".join(lines)
