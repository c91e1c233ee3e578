"""How a run stands and what came of it: status.json and result.json. Imports nothing heavy."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

from ganctl.runs.atomic import write_text
from ganctl.runs.folder import Run

State = Literal["running", "finished", "interrupted", "failed", "not finite", "unknown"]


@dataclass(frozen=True)
class Status:
    """What status.json holds."""

    state: State = "unknown"
    images_seen: int = 0
    images: int = 0  # length of the training
    seconds: float = 0.0  # spent in training, over all continuations
    pid: int = 0
    started: str = ""  # UTC, ISO 8601: texts sort as times
    updated: str = ""
    choices: dict[str, str] = field(default_factory=dict)  # group -> option: {"model": "dcgan", "dataset": "mnist"}


def now() -> str:
    """The time as status.json writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_status(run: Run, status: Status) -> None:
    """Replace status.json. Raises GanctlError on a full disk."""
    write_text(run.status_file, json.dumps(finite(asdict(status)), indent=1) + "\n")


def update_status(run: Run, **changes: Any) -> Status:
    """Change the named fields of status.json, and `pid` and `updated` with them; returns the new status."""
    status = replace(stored_status(run), **{"pid": os.getpid(), "updated": now(), **changes})
    write_status(run, status)
    return status


def stored_status(run: Run) -> Status:
    """status.json as it lies there; fields that are missing or of another type have their defaults."""
    stored = read_json(run.status_file)
    good = {f.name: stored[f.name] for f in fields(Status) if same_kind(stored.get(f.name), f.default, f.name)}
    return Status(**good)


def same_kind(value: Any, default: Any, name: str) -> bool:
    """Whether a value read from a file can stand for a field."""
    if name == "choices":
        return isinstance(value, dict)
    return isinstance(value, (int, float)) if isinstance(default, float) else isinstance(value, type(default))


def read_status(run: Run) -> Status:
    """How the run stands: as stored, but a run whose process was killed is `interrupted`, not `running`."""
    status = stored_status(run)
    if status.state == "running" and run.holder() is None:
        return replace(status, state="interrupted")
    return status


def write_result(run: Run, result: Mapping[str, Any]) -> None:
    """Replace result.json: plain values; a number that is not finite becomes null. Raises GanctlError."""
    write_text(run.result_file, json.dumps(finite(result), indent=1) + "\n")


def read_result(run: Run) -> dict[str, Any]:
    """What came of the run; empty while there is nothing."""
    return read_json(run.result_file)


def read_json(path: Any) -> dict[str, Any]:
    """A JSON object from a file; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def finite(value: Any) -> Any:
    """Plain values without NaN and Inf, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
