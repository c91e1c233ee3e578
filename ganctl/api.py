"""The same from Python as from the command line: `ganctl.train(...)` and `ganctl.resume(...)`."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PLAIN = re.compile(r"[\w./+-]+")


def train(*overrides: str, config_dirs: str | Path | Sequence[str | Path] = (), **settings: Any) -> dict[str, Any]:
    """Train a run; returns the content of its result.json (`folder`, `images_seen`, `losses`, ...).

    overrides: words as on the command line, `"model=dcgan"`. settings: the same by name, `images="50k"`; for dotted
    keys `**{"dataset.root": "photos"}`. With `dry_run=True` the plan is printed, and the result is empty. Raises
    UserError naming every mistake, NotFinite, and Stopped after Ctrl-C.
    """
    from ganctl.config.preparation import compose, prepare
    from ganctl.training import start

    words = [*overrides, *(f"{key}={written(value)}" for key, value in settings.items())]
    checked = prepare(compose(words, [config_dirs] if isinstance(config_dirs, str | Path) else config_dirs))
    if checked["dry_run"]:
        start.dry_run(checked)
        return {}
    return start.train(checked)


def resume(run: str | Path = "newest", **changes: Any) -> dict[str, Any]:
    """Continue a run (its folder, its name, or the newest) in its folder.

    changes: `images`, `minutes` and `device` may be others, and `plugins` must be named again; as `resume=` takes them.
    """
    from ganctl.config.rechecking import recheck
    from ganctl.runs import store
    from ganctl.training import start

    found = store.find_to_resume(str(run))
    words = [f"{key}={written(value)}" for key, value in changes.items()]
    return start.resume(found, recheck(store.read_config(found), words))


def written(value: Any) -> str:
    """A Python value as it is typed on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(written, value))}]"
    text = str(value)
    return text if PLAIN.fullmatch(text) else "'" + text.replace("'", "\\'") + "'"
