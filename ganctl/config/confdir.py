"""Where the YAML lies: ganctl's own conf/, and the user's folders before it. Imports nothing heavy."""

import os
from collections.abc import Sequence
from pathlib import Path

from ganctl.errors import UserError

PRIMARY = "train.yaml"


def conf_dir() -> Path:
    """ganctl's own conf/: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / PRIMARY).is_file():
            return folder
    raise UserError(f"conf: ganctl's own YAML is missing ({package / 'conf' / PRIMARY}); install ganctl again")


def user_dirs(config_dirs: Sequence[str | Path] = ()) -> list[Path]:
    """The user's folders: those of --config-dir, then those of GANCTL_CONF; the one that wins first.

    Raises UserError naming every folder that does not exist.
    """
    named = [("--config-dir", str(folder)) for folder in config_dirs]
    named += [("GANCTL_CONF", folder) for folder in os.environ.get("GANCTL_CONF", "").split(os.pathsep) if folder]
    mistakes = [
        f"{name}: no such folder {folder!r}; make it, or leave {name} out"
        for name, folder in named
        if not Path(folder).expanduser().is_dir()
    ]
    if mistakes:
        raise UserError(*mistakes)
    return list(dict.fromkeys(Path(folder).expanduser().resolve() for _, folder in named))


def primary(config_dirs: Sequence[str | Path] = ()) -> Path | None:
    """A train.yaml of the user's, which replaces ganctl's own; None where there is none."""
    return next((folder / PRIMARY for folder in user_dirs(config_dirs) if (folder / PRIMARY).is_file()), None)


def places(config_dirs: Sequence[str | Path] = ()) -> list[Path]:
    """All folders of YAML, the one that wins first."""
    return [*user_dirs(config_dirs), conf_dir()]
