"""What the YAML tree offers: groups, options with captions, keys. Reads files only: no Hydra, no OmegaConf."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ganctl.config.schema import TrainConfig, TrainerConfig

Places = Sequence[Path]
"""Folders of YAML, the one that wins first (see `ganctl.config.confdir`)."""

HIDDEN = ("hydra",)  # settings of Hydra's own, not a part of a run


def groups(places: Places) -> list[str]:
    """`model`, `dataset`, ...: the folders of the tree that hold YAML."""
    found = {folder.name for place in places for folder in place.iterdir() if any(folder.glob("*.yaml"))}
    return sorted(name for name in found if name not in HIDDEN and not name.startswith(("_", ".")))


def options(group: str, places: Places) -> dict[str, Path]:
    """Option -> the file that Hydra would take for it."""
    found: dict[str, Path] = {}
    for place in places:
        for file in (place / group).glob("*.yaml"):
            found.setdefault(file.stem, file)
    return {name: found[name] for name in sorted(found) if not name.startswith("_")}


def caption(file: Path) -> str:
    """The comment on a YAML's first line, or nothing."""
    with file.open(encoding="utf-8", errors="replace") as text:
        line = text.readline().strip()
    return line.removeprefix("#").strip() if line.startswith("#") else ""


def chosen(words: Sequence[str], places: Places) -> dict[str, str]:
    """Group -> option, as a command line with these words would compose it."""
    train = next(place / "train.yaml" for place in places if (place / "train.yaml").is_file())
    picks = picked(read(train))
    given = dict(word.split("=", 1) for word in words if word.split("=", 1)[0] in groups(places) and "=" in word)
    model = given.get("model", picks.get("model", "")).split(",")[0]
    return picks | picked(layers("model", model, places)) | {name: text.split(",")[0] for name, text in given.items()}


def picked(document: dict[str, Any]) -> dict[str, str]:
    """The groups that a YAML's defaults list names: `/loss@_global_.loss: hinge` -> loss: hinge."""
    entries = [entry for entry in document.get("defaults", []) if isinstance(entry, dict)]
    pairs = [(str(key), value) for entry in entries for key, value in entry.items()]
    return {key.split()[-1].lstrip("/").split("@")[0]: value for key, value in pairs if isinstance(value, str)}


def layers(group: str, option: str, places: Places) -> dict[str, Any]:
    """A group's YAML with those of the same group that its defaults list builds on."""
    file = options(group, places).get(option)
    if file is None:
        return {}
    document = read(file)
    merged: dict[str, Any] = {}
    for entry in document.get("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            merged = merge(merged, layers(group, entry, places))
    return merge(merged, document)


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, mapping by mapping; lists of defaults are joined."""
    both = base | over
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            both[key] = merge(base[key], over[key])
    if "defaults" in base and "defaults" in over:
        both["defaults"] = [*base["defaults"], *over["defaults"]]
    return both


def children(path: Sequence[str], words: Sequence[str], places: Places) -> dict[str, bool]:
    """Keys below `path` (`model`, `game`) -> whether more lies below them."""
    if not path:
        return dict.fromkeys(top_keys(places), False)
    picks = chosen(words, places)
    node: Any = layers(path[0], picks.get(path[0], ""), places)
    if path[0] == "trainer":
        node = {each.name: None for each in fields(TrainerConfig)} | node
    for step in path[1:]:
        node = node.get(step) if isinstance(node, dict) else None
    return {key: bool(visible(value)) for key, value in visible(node).items()}


def visible(node: Any) -> dict[str, Any]:
    """What of a mapping a user may set: not its class, nor its defaults list."""
    found = node if isinstance(node, dict) else {}
    return {key: value for key, value in found.items() if not str(key).startswith("_") and key != "defaults"}


def top_keys(places: Places) -> list[str]:
    """The run's own settings; groups are not among them."""
    return [each.name for each in fields(TrainConfig) if each.name not in groups(places)]


def read(file: Path) -> dict[str, Any]:
    """A YAML file as plain containers; a file that cannot be read has no keys."""
    import yaml

    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    return document if isinstance(document, dict) else {}
