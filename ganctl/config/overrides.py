"""The overrides of a command line, judged one by one before Hydra sees them together."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from ganctl.config import conftree
from ganctl.config.interpolation import WHOLE, all_paths, raw_value
from ganctl.nearest import hint, nearest, told

TARGET = "_target_"
KEY = re.compile(r"[+~]*[A-Za-z_][\w./@]*")
OPEN = ("model.every", "model.schedules", "model.optimizers", "model.average")  # their keys are checked with the game


def parsed(text: str, mistakes: list[str]) -> Any:
    """Hydra's reading of an override, or None and a mistake."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ValueType

    try:
        override = OverridesParser.create().parse_override(text)
        if not override.key_or_group:
            raise ValueError
    except Exception:  # a lexer's own errors too
        mistakes.append(f"{text}: {unread(text)}")
        return None
    if override.value_type is ValueType.GLOB_CHOICE_SWEEP:
        mistakes.append(f"{text}: glob() is not taken; write the names: a,b,c")
        return None
    return override


def unread(text: str) -> str:
    """Why Hydra cannot read an override, and how to write it."""
    key, equals, value = text.partition("=")
    if not equals or not KEY.fullmatch(key):
        return "is not key=value, such as model=dcgan"
    shown = "..." if not value or "'" in value else value
    return f"cannot be read; put a value with special signs in quotes: \"{key}='{shown}'\""


class Typed:
    """The overrides of a command line, parsed and judged one by one."""

    def __init__(self, overrides: Sequence[str], places: Sequence[Path]) -> None:
        self.mistakes: list[str] = []
        self.sound = True
        self.groups = {group: list(conftree.options(group, places)) for group in conftree.groups(places)}
        once = self.once([override for text in overrides if (override := self.single(text)) is not None])
        self.values = [override for override in once if override.key_or_group not in self.groups]
        chosen = [override for override in once if override.key_or_group in self.groups]
        self.options = [override.input_line for override in chosen if self.exists(override)]

    def single(self, text: str) -> Any:
        """An override with one value, or None and a mistake."""
        override = parsed(text, self.mistakes)
        if override is not None and override.is_sweep_override():
            value = override.get_value_string()
            self.mistakes.append(
                f"{text}: several values make a sweep; add -m, write a list, [{value}], or quote a "
                f"value that holds commas: \"{override.key_or_group}='{value}'\""
            )
            return None
        return override

    def once(self, overrides: Sequence[Any]) -> list[Any]:
        """The overrides without those whose key came before."""
        first = {override.key_or_group: override for override in reversed(overrides)}
        keys = [override.key_or_group for override in overrides]
        self.mistakes += [f"{key}: given {keys.count(key)} times; give it once" for key in first if keys.count(key) > 1]
        return [override for override in overrides if override is first[override.key_or_group]]

    def exists(self, override: Any) -> bool:
        """Whether a group's option is there."""
        group, options = override.key_or_group, self.groups[override.key_or_group]
        given = override.input_line.partition("=")[2].strip("'\"")
        if override.is_delete() or override.package is not None or given in options:
            return True
        there = hint(given, options) or f"; there are: {', '.join(options)}"
        self.mistakes.append(f"{override.input_line}: no such {group}{there}")
        self.sound = False
        return False

    def line(self, override: Any, base: DictConfig) -> str | None:
        """What Hydra shall be given for a value, or None and a mistake."""
        key, text = override.key_or_group, override.input_line
        if override.is_hydra_override():
            return text
        bad_group = key.split(".")[0] in self.groups and not self.sound
        if found := borrowed(base, key):
            self.mistakes.append(f"{key}: is taken from {found}; set {found} instead")
        elif has(base, key):
            if not override.is_add():
                return f"++{text}" if isinstance(override.value(), dict) and text[:1] not in "~+" else text
            self.mistakes.append(f"{text}: {key} is there already; leave out the '+'")
        elif is_open(base, key) and not override.is_delete():
            return text if override.is_add() or override.is_force_add() else f"++{text}"
        elif not bad_group:
            self.mistakes.append(f"{key}: no such key{self.instead(key, base)}")
        return None

    def lines(self, base: DictConfig) -> list[str]:
        """What Hydra shall be given for all values; each may build on those before it."""
        tree, lines = base.copy(), []
        for override in self.values:
            if (line := self.line(override, tree)) is not None:
                lines.append(line)
                with suppress(Exception):  # what does not fit is told when all is composed
                    OmegaConf.update(tree, override.key_or_group, override.value(), merge=True, force_add=True)
        return lines

    @staticmethod
    def instead(key: str, base: DictConfig) -> str:
        """The key that was probably meant: a neighbour, else one of that name elsewhere, else the neighbours."""
        paths = [path for path in all_paths(OmegaConf.to_container(base, resolve=False)) if TARGET not in path]
        paths = [path for path in paths if path.partition(".")[0] != "hydra"]
        parent, dot, name = key.rpartition(".")
        start = f"{parent}{dot}"
        beside = [path[len(start) :] for path in paths if path.startswith(start) and "." not in path[len(start) :]]
        if dot and (near := nearest(name, beside)):
            return told([start + each for each in near])
        if not dot or any(path.endswith(f".{name}") for path in paths) or not beside:
            return hint(key, [path for path in paths if not key.startswith(f"{path}.")])
        return f"; {parent} has {', '.join(beside)}"


def walk(tree: DictConfig, key: str) -> list[Any]:
    """The nodes on the way to `key`, as far as they exist; interpolations as their text."""
    nodes: list[Any] = [tree]
    for part in key.split("."):
        child = _child(nodes[-1], part)
        if child is None:
            break
        nodes.append(child)
    return nodes


def _child(node: Any, part: str) -> Any:
    """A child, or its text where it is an interpolation or a plain value; None where there is none."""
    name: Any = part
    if isinstance(node, ListConfig):
        if not part.isdigit() or int(part) >= len(node):
            return None
        name = int(part)
    elif not isinstance(node, DictConfig) or node._is_none() or part not in node.keys():  # noqa: SIM118
        return None
    raw = raw_value(node, name)
    return (node._get_node(name) if raw is None else raw) if not isinstance(raw, int | float) else str(raw)


def has(tree: DictConfig, key: str) -> bool:
    """Whether the tree has that path."""
    return len(walk(tree, key)) == len(key.split(".")) + 1


def borrowed(tree: DictConfig, key: str) -> str | None:
    """Where a key below `${...}` really lies: `loss.adversarial.x` for `model.game.adversarial.x`."""
    parts = key.split(".")
    for depth, node in enumerate(walk(tree, key)[:-1] if has(tree, key) else walk(tree, key)):
        if isinstance(node, str) and depth < len(parts) and (whole := WHOLE.fullmatch(node)):
            return ".".join([whole[1], *parts[depth:]])
    return None


def is_open(tree: DictConfig, key: str) -> bool:
    """Whether a new key may stand there, to be checked with what it lies in: a component, or a turn's settings."""
    nodes = walk(tree, key)
    inside = any(isinstance(node, DictConfig) and not node._is_none() and TARGET in node for node in nodes)
    return inside or any(key.startswith(f"{place}.") for place in OPEN)
