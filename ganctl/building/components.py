"""Which class a `_target_` names, and what its constructor takes. Only trusted modules are ever imported for it."""

import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from os import getcwd
from types import ModuleType
from typing import Any

from ganctl.building.annotations import shown, with_article
from ganctl.nearest import hint

TRUSTED = ("ganctl", "torch.nn", "torch.optim", "torchvision.datasets")
FULL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+", re.ASCII)  # no part of it is private
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Argument:
    """One parameter of a constructor."""

    annotation: Any
    default: Any  # inspect.Parameter.empty: it must be given


def resolve(target: Any, contracts: Sequence[type], plugins: Sequence[str]) -> type:
    """The class named `target`, which derives from one of the contracts. Raises ValueError in words.

    `plugins` are the modules that the user named on the command line. Anything that is neither in them nor in
    `TRUSTED` is refused before import. A trusted module is not enough (`torch.nn.init.torch.hub.load`): the last part
    must be a class of its own, and no other attribute is ever followed.
    """
    if not isinstance(target, str) or not FULL_NAME.fullmatch(target):
        raise ValueError(
            f"{shown(target)} is not the full name of a class, such as ganctl.networks.dcgan.DCGANGenerator"
        )
    module_name, _, name = target.rpartition(".")
    if not within(module_name, (*TRUSTED, *plugins)):
        raise ValueError(
            f"{target!r} is refused; accepted are classes of {', '.join(TRUSTED)} and of your plugins; "
            f"if {module_name} is a module of yours, add plugins=[{module_name}]"
        )
    module = trusted_module(module_name)
    kind = vars(module).get(name)
    if kind is None:
        raise ValueError(f"there is no {name!r} in {module_name}{hint(name, _classes(module, contracts))}")
    if not inspect.isclass(kind) or not issubclass(kind, tuple(contracts)):
        wanted = " or ".join(with_article(each.__name__) for each in contracts)
        raise ValueError(f"{target!r} is not {wanted}{_there(module, contracts)}")
    # A trusted module may have imported a class from elsewhere; a plugin's author chose what it shows.
    if not within(kind.__module__, TRUSTED) and not within(module_name, plugins):
        raise ValueError(f"{target!r} is refused; it is {kind.__module__}.{kind.__qualname__} under another name")
    if inspect.isabstract(kind):
        raise ValueError(f"{target!r} is abstract{_there(module, contracts)}")
    return kind


def within(module: str, roots: Sequence[str]) -> bool:
    """Whether the module is one of the roots or lies below one."""
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def trusted_module(name: str) -> ModuleType:
    """Import a module that is trusted already. Raises ValueError in words."""
    if not within(name, TRUSTED) and getcwd() not in sys.path:
        sys.path.append(getcwd())  # a plugin may lie in the folder where ganctl is called; last, to shadow nothing
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and within(name, (error.name,)):
            raise ValueError(f"there is no module {name!r}{hint(name, _siblings(name))}") from None
        raise ValueError(f"{name} cannot be imported: {error}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{name} cannot be imported: {type(error).__name__}: {error}") from None


def plugin_mistakes(plugins: Sequence[str]) -> list[str]:
    """What is wrong with the modules that the user named; each is imported, as the user asked."""
    mistakes = []
    for name in plugins:
        try:
            trusted_module(name)
        except ValueError as error:
            mistakes.append(f"plugins: {error}")
    return mistakes


def _siblings(name: str) -> list[str]:
    """Modules beside a missing one, if what they lie in is trusted and there."""
    parent, _, _ = name.rpartition(".")
    if not within(parent, TRUSTED):
        return []
    try:
        folders = import_module(parent).__path__
    except (ImportError, AttributeError):
        return []
    return [f"{parent}.{module.name}" for module in pkgutil.iter_modules(folders)]


def _classes(module: ModuleType, contracts: Sequence[type]) -> list[str]:
    """Names of the module's classes that could stand in this place."""
    found = [(name, each) for name, each in vars(module).items() if inspect.isclass(each) and not name.startswith("_")]
    return sorted(name for name, each in found if issubclass(each, tuple(contracts)) and not inspect.isabstract(each))


def _there(module: ModuleType, contracts: Sequence[type]) -> str:
    names = _classes(module, contracts)
    return f"; {module.__name__} has {', '.join(names)}" if names else ""


@cache
def arguments_of(kind: type) -> dict[str, Argument]:
    """What a class is made of, by name."""
    hints = _hints(kind)
    return {
        name: Argument(hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind in BY_NAME
    }


@cache
def takes_any_name(kind: type) -> bool:
    """Whether the constructor has `**kwargs`."""
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in inspect.signature(kind).parameters.values())


def _hints(kind: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(kind.__init__)  # type: ignore[misc]
    except (NameError, TypeError, AttributeError):  # names known to type checkers alone
        return {}
