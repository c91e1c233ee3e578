"""From a composed tree to plain containers, remembering which value was taken from where."""

import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganctl.annotations import shown
from ganctl.nearest import hint

WHOLE = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)\}")  # the value is one other value
PART = re.compile(r"\$\{[\s.]*([A-Za-z_]\w*(?:\.\w+)*)")  # another value stands somewhere in it
DEEPEST = 40  # levels; a tree deeper than this contains itself


class Resolver:
    """Makes a tree plain, node by node; what cannot be resolved goes to `mistakes` with its path."""

    def __init__(self, tree: DictConfig) -> None:
        self.tree = tree
        self.mistakes: list[str] = []
        self.origins: dict[str, str] = {}  # path -> the path that its value was taken from
        self.mentioned: set[str] = set()  # paths that stand in any ${...}
        self.keys = sorted(all_paths(OmegaConf.to_container(tree, resolve=False)))

    def plain(self, path: str) -> Any:
        """The value at a top-level key, resolved."""
        return self._child(self.tree, path, path)

    def _child(self, parent: DictConfig | ListConfig, key: Any, path: str) -> Any:
        raw = raw_value(parent, key)
        if isinstance(raw, str):
            self.mentioned.update(PART.findall(raw))
            if whole := WHOLE.fullmatch(raw):
                self.origins[path] = whole[1]
        if raw == "???":
            self.mistakes.append(f"{path}: must be given; write {path}=...")
            return None
        if path.count(".") > DEEPEST:
            self.mistakes.append(f"{path}: contains itself")
            return None
        try:
            value = parent[key]
        except (OmegaConfBaseException, RecursionError, ValueError) as error:
            self.mistakes.append(f"{path}: {self._unresolved(raw, error)}")
            return None
        return self._value(value, path)

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, DictConfig):
            return {key: self._child(value, key, f"{path}.{key!s}") for key in value}
        if isinstance(value, ListConfig):
            return [self._child(value, index, f"{path}.{index}") for index in range(len(value))]
        if value is None or isinstance(value, str | int | float | bool):
            return value
        self.mistakes.append(f"{path}: {type(value).__name__} is not a plain value; write a text or a number")
        return None

    def _unresolved(self, raw: Any, error: Exception) -> str:
        text = raw if isinstance(raw, str) else ""
        missing = [name for name in PART.findall(text) if name not in self.keys]
        if missing and ":" not in text:  # ${oc.env:HOME} calls a function
            return f"{text} finds nothing{hint(missing[0], self.keys)}"
        return f"{shown(raw)} cannot be resolved: {first_line(error)}"

    def located(self, mistake: str) -> str:
        """The mistake with the path that a user would change: `loss.penalties.0` for `model.game.penalties.0`."""
        path, colon, sentence = mistake.partition(": ")
        return f"{self.origin(path)}{colon}{sentence}"

    def origin(self, path: str) -> str:
        """Where the value at this path was written."""
        for _ in range(DEEPEST):
            parts = path.split(".")
            prefixes = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
            found = next((prefix for prefix in prefixes if prefix in self.origins), None)
            if found is None:
                break
            path = self.origins[found] + path[len(found) :]
        return path


def raw_value(parent: DictConfig | ListConfig, key: Any) -> Any:
    """A value as it is written, with its interpolations; None for a container."""
    node: Any = parent._get_node(key)
    if isinstance(node, DictConfig | ListConfig) and not (node._is_interpolation() or node._is_missing()):
        return None
    return node._value()


def all_paths(node: Any, prefix: str = "") -> Iterable[str]:
    """Every path of a plain tree; those of containers too."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield f"{prefix}{key}"
        yield from all_paths(value, f"{prefix}{key}.")


def first_line(error: BaseException) -> str:
    """An error's first line, or its kind where it has no words."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
