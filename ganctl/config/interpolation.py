"""From a composed tree to plain containers, remembering which value was taken from where."""

import re
from collections.abc import Iterable
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ganctl.building.annotations import shown
from ganctl.nearest import hint

WHOLE = re.compile(r"\$\{([A-Za-z_]\w*(?:\.\w+)*)\}")  # the value is one other value
PART = re.compile(r"\$\{[\s.]*([A-Za-z_]\w*(?:\.\w+)*)")  # another value stands somewhere in it
MISSING = "???"
SHOWN = 40  # letters of a path without end
DEEPEST = 40  # levels; a tree deeper than this contains itself


class Resolver:
    """Makes a tree plain, node by node; what cannot be resolved goes to `mistakes` with its path."""

    def __init__(self, tree: DictConfig) -> None:
        self.tree = tree
        self.mistakes: list[str] = []
        self.origins: dict[str, str] = {}  # path -> the path that its value was taken from
        self.failed: set[str] = set()  # paths that have no value
        self.mentioned: set[str] = set()  # paths that stand in any ${...}

    def plain(self, path: str) -> Any:
        """The value at a top-level key, resolved."""
        return self._child(self.tree, path, path)

    def _child(self, parent: DictConfig | ListConfig, key: Any, path: str) -> Any:
        raw = raw_value(parent, key)
        whole = None
        if isinstance(raw, str):
            self.mentioned.update(PART.findall(raw))
            whole = WHOLE.fullmatch(raw)
        if path.count(".") > DEEPEST or (whole and f"{path}.".startswith(f"{whole[1]}.")):
            return self._fail(path, f"{path[:SHOWN]}: contains itself")
        if raw == MISSING:
            return self._fail(path, f"{path}: must be given; write {path}=...")
        try:
            value = parent[key]
        except (OmegaConfBaseException, RecursionError, ValueError) as error:
            return self._fail(path, *self._unresolved(path, raw, error))
        if whole:
            self.origins[path] = whole[1]
        return self._value(value, path)

    def _fail(self, path: str, *sentences: str) -> None:
        self.failed.add(path)
        self.mistakes += sentences

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, DictConfig):
            return {key: self._child(value, key, f"{path}.{key!s}") for key in value}
        if isinstance(value, ListConfig):
            return [self._child(value, index, f"{path}.{index}") for index in range(len(value))]
        if value is None or isinstance(value, str | int | float | bool):
            return value
        return self._fail(path, f"{path}: {type(value).__name__} is not a plain value; write a text or a number")

    def _unresolved(self, path: str, raw: Any, error: Exception) -> Iterable[str]:
        """Why a value cannot be had; nothing where that is told at the place it is taken from."""
        text = raw if isinstance(raw, str) else ""
        written = OmegaConf.to_container(self.tree, resolve=False)
        keys = sorted(all_paths(written))
        missing = [name for name in PART.findall(text) if name not in keys]
        if missing and ":" not in text:  # ${oc.env:HOME} calls a function
            yield f"{path}: {text} finds nothing{hint(missing[0], keys)}"
        elif not told_elsewhere(text, written):
            yield f"{path}: {shown(raw)} cannot be resolved: {first_line(error)}"

    def fresh(self, mistakes: Iterable[str]) -> list[str]:
        """Mistakes at the paths that a user would change, without those that only follow from a missing value."""
        located = [(mistake.partition(": ")[0], self.located(mistake)) for mistake in mistakes]
        return [sentence for path, sentence in located if not {path, sentence.partition(": ")[0]} & self.failed]

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


def told_elsewhere(text: str, written: Any) -> bool:
    """Whether a chain of ${...} ends at a value that must be given, or at one that finds nothing itself."""
    for _ in range(DEEPEST):
        if not (whole := WHOLE.fullmatch(text)):
            return False
        node = written
        for part in whole[1].split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if node == MISSING or not isinstance(node, str):
            return True
        text = node
    return False


def all_paths(node: Any, prefix: str = "") -> Iterable[str]:
    """Every path of a plain tree; those of containers too."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield f"{prefix}{key}"
        yield from all_paths(value, f"{prefix}{key}.")


def first_line(error: BaseException) -> str:
    """An error's first line, or its kind where it has no words."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
