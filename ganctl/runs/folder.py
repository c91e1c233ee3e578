"""One run's folder: what lies in it, its lock, configuration and checkpoints. Imports nothing heavy."""

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganctl.errors import UserError
from ganctl.quantities import quantity
from ganctl.runs.atomic import remove_leftovers, write_text
from ganctl.runs.lock import Held, hold, holder

NUMBERED = re.compile(r"(\d{9,})\.ckpt")  # by images seen
LINE_BREAKS = set("\x85\u2028\u2029\ufeff")  # PyYAML writes these bare and reads them as another character


@dataclass(frozen=True)
class Run:
    """One training and all it leaves."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def config_file(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def status_file(self) -> Path:
        return self.folder / "status.json"

    @property
    def result_file(self) -> Path:
        return self.folder / "result.json"

    @property
    def metrics_file(self) -> Path:
        return self.folder / "metrics.csv"

    @property
    def log_file(self) -> Path:
        return self.folder / "log.txt"

    @property
    def samples(self) -> Path:
        return self.folder / "samples"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def lock_file(self) -> Path:
        return self.folder / ".lock"

    def exists(self) -> bool:
        """Whether the folder is a run."""
        return os.path.isfile(self.config_file)  # False where the folder may not be entered

    def holder(self) -> str | None:
        """The process that trains here now, in words, or None."""
        return holder(self.lock_file)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Train here alone; also clears away what a killed predecessor left half written.

        Raises UserError naming the process that holds the run, or when the folder cannot be written to.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(hold(self.lock_file))
                for folder in (self.folder, self.checkpoints, self.samples):
                    folder.mkdir(exist_ok=True)
                    remove_leftovers(folder)
            except Held as other:
                raise UserError(f"{self.folder}: in use by {other}; wait for it or choose another run") from None
            except OSError as error:
                raise UserError(f"{self.folder}: not writable: {error.strerror}; copy the run elsewhere") from error
            yield


def write_config(run: Run, config: dict[str, Any]) -> None:
    """Store the resolved configuration: plain dicts, lists and scalars. Raises GanctlError on a full disk."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes a list that occurs twice out twice, and line breaks of other alphabets so that they are read back."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            style = '"' if LINE_BREAKS & set(data) else None
            return self.represent_scalar("tag:yaml.org,2002:str", data, style)

    Dumper.add_representer(str, Dumper.represent_str)
    write_text(run.config_file, yaml.dump(config, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def read_config(run: Run) -> dict[str, Any]:
    """The configuration of a run, as `write_config` was given it (tuples as lists). Raises UserError."""
    import yaml

    try:
        config = yaml.safe_load(run.config_file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{run.config_file}: cannot be read: {error.strerror}; choose another run") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = " ".join(str(error).split())[:200]
        raise UserError(f"{run.config_file}: not YAML ({first}); mend it or choose another run") from error
    if not isinstance(config, dict):
        raise UserError(f"{run.config_file}: holds no settings; it must be a mapping as ganctl wrote it")
    return config


def numbered_path(run: Run, images: int) -> Path:
    """Where the checkpoint after so many images lies."""
    return run.checkpoints / f"{images:09d}.ckpt"


def previous_of(path: Path) -> Path:
    """Where the checkpoint that `path` replaced is kept."""
    return path.with_name(f"{path.name}.previous")


def numbered(run: Run) -> dict[int, Path]:
    """Images seen -> numbered checkpoint, oldest first."""
    found = {}
    for path in run.checkpoints.glob("*.ckpt"):
        if match := NUMBERED.fullmatch(path.name):
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def prune(run: Run, keep: int) -> list[Path]:
    """Remove all numbered checkpoints but the newest `keep` (0 or more); returns what was removed."""
    if keep < 0:
        raise ValueError(f"keep: {keep}; must be 0 or more")
    there = list(numbered(run).values())
    gone = there[: len(there) - keep] if keep < len(there) else []
    for path in gone:
        path.unlink(missing_ok=True)
        previous_of(path).unlink(missing_ok=True)
    return gone


def available(run: Run) -> list[str]:
    """What `ckpt=` can name in this run: last, best, numbers of images."""
    named = [name for name in ("last", "best") if newest_version(run.checkpoints / f"{name}.ckpt")]
    return [*named, *map(str, numbered(run))]


def held(run: Run, which: str | int) -> Path | None:
    """The file of `last`, `best` or a number of images (300k is understood), None where the run has no such checkpoint.

    Raises UserError for what names none.
    """
    name = str(which)
    if name not in ("last", "best"):
        try:
            name = numbered_path(run, quantity(which)).stem
        except ValueError:
            raise UserError(f"ckpt: {which!r}; use last, best or a number of images such as 300k") from None
    return newest_version(run.checkpoints / f"{name}.ckpt")


def newest_version(path: Path) -> Path | None:
    """The file, else its previous one (a save was cut off where the filesystem has no hard links), else None."""
    return next((version for version in (path, previous_of(path)) if version.is_file()), None)
