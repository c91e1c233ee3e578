"""From `_target_` to object: only classes that derive from the contract of their place, only from trusted modules."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from ganctl.building.annotations import (
    alternatives,
    fit,
    is_contract,
    is_list,
    is_mapping,
    shown,
    unfit,
    with_article,
    words,
)
from ganctl.building.components import Argument, arguments_of, resolve, takes_any_name
from ganctl.errors import UserError
from ganctl.nearest import hint

TARGET = "_target_"
NAMED_ARGUMENT = re.compile(r"([A-Za-z]\w*)(\S*): ")


@dataclass(frozen=True)
class Blueprint:
    """A component as the config describes it: its class and its arguments, checked and not yet built."""

    kind: type
    arguments: Mapping[str, Any]  # plain values, Blueprints, and lists and dicts of both
    path: str


WRONG = object()
"""Stands in a plan where the config is wrong; what contains it is not built."""


def check(node: Any, expected: Any, path: str, plugins: Sequence[str] = (), later: Sequence[str] = ()) -> list[str]:
    """Every mistake of a config node that shall become `expected` (a type annotation); nothing is built.

    plugins: the modules that the user named on the command line; later: arguments that are given when building.
    """
    binder = Binder(tuple(plugins))
    binder.bind(node, expected, path, tuple(later))
    return binder.mistakes


def build(node: Any, expected: Any, path: str, plugins: Sequence[str] = ()) -> Any:
    """The object that a config node describes, built depth first. Raises UserError naming every mistake."""
    return _built(node, expected, path, plugins, {})


def build_optimizer(node: Any, parameters: Iterable[Any], path: str, plugins: Sequence[str] = ()) -> Any:
    """The optimizer that a config node describes, for these parameters. Raises UserError naming every mistake."""
    from torch.optim import Optimizer

    return _built(node, Optimizer, path, plugins, {"params": parameters})


def _built(node: Any, expected: Any, path: str, plugins: Sequence[str], given: Mapping[str, Any]) -> Any:
    if mistakes := check(node, expected, path, plugins, tuple(given)):
        raise UserError(*mistakes)  # before anything is built
    built, mistakes = trial(node, expected, path, plugins, given)
    if mistakes:
        raise UserError(*mistakes)
    return built


def trial(
    node: Any, expected: Any, path: str, plugins: Sequence[str] = (), given: Mapping[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """Build what can be built in spite of mistakes, to find those of constructors too: the object or WRONG, mistakes.

    given: arguments of the outermost component beside those in its node.
    """
    binder = Binder(tuple(plugins))
    plan = binder.bind(node, expected, path, tuple(given or {}))
    mistakes = binder.mistakes
    return construct(plan, mistakes, given), mistakes


def stand_in(node: Any, expected: Any, path: str, plugins: Sequence[str] = ()) -> tuple[Any, list[str]]:
    """As `trial`, but wrong arguments have their defaults, so that the object can be asked for what else is wrong."""
    binder = Binder(tuple(plugins))
    plan, mistakes = binder.bind(node, expected, path), binder.mistakes
    if not isinstance(plan, Blueprint):
        return WRONG, mistakes
    arguments = {name: construct(value, mistakes) for name, value in plan.arguments.items()}
    known = {name: value for name, value in arguments.items() if value is not WRONG}
    lacking = [name for name in arguments if name not in known and _is_needed(plan, name)]
    if any(arguments_of(plan.kind)[name].annotation is not str for name in lacking):
        return WRONG, mistakes
    built = _in_spite(plan, {**known, **dict.fromkeys(lacking, "")}, mistakes)
    return WRONG if lacking else built, mistakes


def construct(plan: Any, mistakes: list[str], given: Mapping[str, Any] | None = None) -> Any:
    """Build what was bound, or WRONG; what a constructor refuses is added to `mistakes`."""
    if isinstance(plan, dict):
        pairs = {key: construct(value, mistakes) for key, value in plan.items()}
        return WRONG if any(value is WRONG for value in pairs.values()) else pairs
    if isinstance(plan, list | tuple | set | frozenset):
        values = [construct(value, mistakes) for value in plan]
        return WRONG if any(value is WRONG for value in values) else type(plan)(values)
    if not isinstance(plan, Blueprint):
        return plan
    arguments = {name: construct(value, mistakes) for name, value in plan.arguments.items()}
    if any(value is WRONG for value in arguments.values()):
        return WRONG
    before = len(mistakes)
    built = _in_spite(plan, {**arguments, **(given or {})}, mistakes)
    return built if len(mistakes) == before else WRONG


def _in_spite(plan: Blueprint, arguments: dict[str, Any], mistakes: list[str]) -> Any:
    """The object; for each argument that its constructor refuses by name, told in `mistakes`, the default stands in.

    So every refusal is found, not the first alone. WRONG where another cause leaves nothing to build.
    """
    try:
        return plan.kind(**arguments)
    except UserError as error:
        mistakes += error.mistakes
    except ValueError as error:
        mistakes.append(_placed(plan, str(error)))
        refused = _refused(plan, str(error))
        if refused in arguments and not _is_needed(plan, refused):
            return _in_spite(plan, {name: arguments[name] for name in arguments if name != refused}, mistakes)
    except Exception as error:
        mistakes.append(f"{plan.path}: {plan.kind.__name__} cannot be made of this: {type(error).__name__}: {error}")
    return WRONG


def _is_needed(plan: Blueprint, name: str) -> bool:
    """Whether an argument has no default."""
    return arguments_of(plan.kind)[name].default is inspect.Parameter.empty


def _refused(plan: Blueprint, sentence: str) -> str:
    """The argument that a constructor's sentence begins with (`size: 0; must ...`), or nothing."""
    named = NAMED_ARGUMENT.match(sentence)
    return named[1] if named and named[1] in arguments_of(plan.kind) else ""


def _placed(plan: Blueprint, sentence: str) -> str:
    """A constructor's sentence behind its path, or behind that of the argument it names."""
    return f"{plan.path}{'.' if _refused(plan, sentence) else ': '}{sentence}"


class Binder:
    """One reading of a config: binds nodes to annotations and collects what is wrong."""

    def __init__(self, plugins: tuple[str, ...]) -> None:
        self.plugins = plugins
        self.mistakes: list[str] = []
        self.exactly = False  # while a union looks for the member that a value fits as it stands

    def bind(self, node: Any, expected: Any, path: str, later: tuple[str, ...] = ()) -> Any:
        """The node as a plan that `construct` understands, WRONG where it is wrong."""
        members = alternatives(expected)
        contracts = tuple(member for member in members if is_contract(member))
        if isinstance(node, dict) and TARGET in node:
            return self._component(node, contracts, path, later)
        if len(members) > 1:
            return self._union(node, members, path)
        (expected,) = members
        if contracts:
            return self._no_component(node, expected, path)
        if is_list(expected) and isinstance(node, list | tuple):
            return self._list(node, expected, path)
        if is_mapping(expected) and isinstance(node, dict):
            return self._mapping(node, expected, path)
        return self._plain(node, expected, path)

    def _plain(self, node: Any, expected: Any, path: str) -> Any:
        self.mistakes += [f"{where}: no component is expected here" for where in hidden_targets(node, path)]
        try:
            return fit(node, expected, self.exactly)
        except (ValueError, OverflowError):
            self.mistakes.append(unfit(path, node, expected))
        return WRONG

    def _union(self, node: Any, members: tuple[Any, ...], path: str) -> Any:
        """The member that fits exactly, else the first that fits; else the mistakes of the likeliest."""
        for exactly in (True, False):
            for member in members:
                trial = Binder(self.plugins)
                trial.exactly = exactly or self.exactly
                plan = trial.bind(node, member, path)
                if not trial.mistakes:
                    return plan
        alike = [member for member in members if _same_container(node, member)]
        if len(alike) == 1:
            return self.bind(node, alike[0], path)
        self.mistakes.append(unfit(path, node, *members))
        return WRONG

    def _list(self, node: Sequence[Any], expected: Any, path: str) -> Any:
        kind, items = get_origin(expected) or expected, get_args(expected)
        fixed = kind is tuple and bool(items) and Ellipsis not in items
        if fixed and len(items) != len(node):
            self.mistakes.append(f"{path}: {shown(node)} is not {words(expected)}")
            return WRONG
        inner = items if fixed else [items[0] if items else Any] * len(node)
        bound = [self.bind(value, each, f"{path}.{i}") for i, (value, each) in enumerate(zip(node, inner, strict=True))]
        return kind(bound) if kind in (tuple, set, frozenset) else bound

    def _mapping(self, node: dict[Any, Any], expected: Any, path: str) -> Any:
        key_kind, value_kind = get_args(expected) or (Any, Any)
        keys = [self.bind(key, key_kind, f"{path}.{key}") for key in node]
        return {key: self.bind(node[name], value_kind, f"{path}.{name}") for key, name in zip(keys, node, strict=True)}

    def _no_component(self, node: Any, expected: type, path: str) -> Any:
        what = with_article(expected.__name__)
        if isinstance(node, dict):
            self.mistakes.append(f"{path}: no {TARGET}; name {what} class by {TARGET}")
        else:
            self.mistakes.append(f"{path}: {shown(node)} is not {what}; write its {TARGET} and arguments")
        return WRONG

    def _component(self, node: dict[str, Any], contracts: tuple[type, ...], path: str, later: tuple[str, ...]) -> Any:
        if not contracts:
            self.mistakes.append(f"{path}: no component is expected here; leave out {TARGET}")
            return WRONG
        kind = self._class(node[TARGET], contracts, f"{path}.{TARGET}")
        if kind is None:
            return WRONG
        parameters = {name: each for name, each in arguments_of(kind).items() if name not in later}
        given = {name: value for name, value in node.items() if name != TARGET}
        for name in [name for name in given if name not in parameters and not _open_name(kind, name)]:
            del given[name]
            self.mistakes.append(f"{path}: {kind.__name__} takes no {name!r}{_instead(str(name), parameters)}")
        arguments = {name: self._argument(parameters, name, given[name], path) for name in given}
        for name, parameter in parameters.items():
            if name not in given and parameter.default is inspect.Parameter.empty:
                self.mistakes.append(f"{path}.{name}: missing; {kind.__name__} needs {words(parameter.annotation)}")
                arguments[name] = WRONG
        return Blueprint(kind, arguments, path)

    def _argument(self, parameters: dict[str, Argument], name: str, value: Any, path: str) -> Any:
        parameter = parameters.get(name, Argument(Any, inspect.Parameter.empty))
        if value is None and parameter.default is None:
            return None
        return self.bind(value, parameter.annotation, f"{path}.{name}")

    def _class(self, target: Any, contracts: tuple[type, ...], path: str) -> type | None:
        """The class of that name, or None and a mistake. Nothing outside of trusted modules is imported."""
        try:
            return resolve(target, contracts, self.plugins)
        except ValueError as error:
            self.mistakes.append(f"{path}: {error}")
        return None


def _open_name(kind: type, name: Any) -> bool:
    """Whether a constructor with `**kwargs` takes that name."""
    return takes_any_name(kind) and isinstance(name, str) and name.isidentifier() and not name.startswith("_")


def _same_container(node: Any, annotation: Any) -> bool:
    """Whether both are lists, or both mappings."""
    return is_list(annotation) if isinstance(node, list) else isinstance(node, dict) and is_mapping(annotation)


def _instead(name: str, parameters: Iterable[str]) -> str:
    """The argument that was probably meant, else all that there are."""
    return hint(name, parameters) or f"; it takes {', '.join(parameters) or 'nothing'}"


def hidden_targets(node: Any, path: str) -> list[str]:
    """Paths below a plain value that name a `_target_` all the same."""
    if isinstance(node, dict):
        here = [path] if TARGET in node else []
        return here + [found for key, value in node.items() for found in hidden_targets(value, f"{path}.{key}")]
    if isinstance(node, list | tuple):
        return [found for index, value in enumerate(node) for found in hidden_targets(value, f"{path}.{index}")]
    return []
