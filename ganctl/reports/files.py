"""Where pages and tables are written."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ganctl.errors import UserError
from ganctl.reports.record import Record
from ganctl.runs.atomic import whole_file
from ganctl.runs.store import outputs_root

ENDING = ".html"
MARK, NEAR = b'<meta name="generator" content="ganctl">', 1000  # stands near the beginning of every page


def page_place(out: str) -> Path:
    """The file that `out=` names; an earlier page there is replaced, anything else is not. Raises UserError."""
    path = Path(os.path.expanduser(out))
    if os.path.isdir(path):
        raise UserError(f"out: {out} is a folder; name the file, such as {path / 'report.html'}")
    if path.suffix.lower() != ENDING:
        if path.suffix:
            raise UserError(f"out: {out}: the page is HTML; end the name in {ENDING}")
        path = path.with_name(path.name + ENDING)
    if os.path.lexists(path) and not is_page(path):
        raise UserError(f"out: {path} is there, and is no page of ganctl's; choose another name")
    return path


def is_page(path: Path) -> bool:
    """Whether a page of ganctl's lies there."""
    try:
        with path.open("rb") as file:
            return MARK in file.read(NEAR)
    except OSError:
        return False


def comparison_place(records: Sequence[Record]) -> Path:
    """Beside the runs where one folder below outputs/ holds them all (a sweep), else a new file in outputs/."""
    parents = {record.run.folder.absolute().parent for record in records}
    outputs = outputs_root().absolute()
    if len(parents) == 1 and outputs not in parents:
        return records[0].run.folder.parent / f"compare{ENDING}"
    return outputs_root() / f"compare-{datetime.now():%Y%m%d-%H%M%S}{ENDING}"


def write_page(path: Path, text: str) -> None:
    """Whole or not at all. Raises UserError where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}; give another place by out=") from error
