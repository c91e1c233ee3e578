"""Checkpoints: written whole or not at all, and read without trust."""

import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch

import ganctl
from ganctl.errors import UserError
from ganctl.runs.atomic import not_written, whole_file
from ganctl.runs.content import Copier, already_compact, fingerprint, num_bytes, plain
from ganctl.runs.folder import Run, numbered, previous_of
from ganctl.runs.store import demand_checkpoint

KIND = "ganctl checkpoint"
FORMAT = 1  # raised when an older ganctl could not use the content
FINGERPRINT = "fingerprint"  # of all other entries
ZIP_START = b"PK\x03\x04"


class NewerFormat(UserError):
    """A checkpoint of a later ganctl: whole, so that falling back to an older one would lose work."""


@dataclass(frozen=True)
class Restored:
    """A checkpoint that could be read, and what is to be said about those that could not."""

    content: dict[str, Any]
    path: Path
    notices: tuple[str, ...]  # nothing when it is last.ckpt


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint atomically; the one that lay there is kept as NAME.previous.

    `content` holds tensors (of any device) and plain containers; "kind", "format", "version" and "fingerprint" are
    set here.
    Raises TypeError naming an entry of another type, and GanctlError when the disk is full or refuses: then the old
    checkpoint is intact. Killed at any instant, NAME or NAME.previous is whole.
    """
    ready = plain({**content, "kind": KIND, "format": FORMAT, "version": ganctl.__version__})
    ready.pop(FINGERPRINT, None)
    ready[FINGERPRINT] = fingerprint(ready)
    try:
        with whole_file(path, previous_of(path)) as file:
            torch.save(ready, file)
    except (OSError, RuntimeError) as error:
        raise not_written(path, num_bytes(ready), error) from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint, without its fingerprint, with its tensors on the CPU. Runs no code from the file.

    Raises UserError in words for a file that is missing, empty, truncated, damaged, foreign, or holds pickled code,
    and NewerFormat for one that a later ganctl wrote.
    """
    if not path.exists():
        raise UserError(f"{path}: no such checkpoint{rescue(path)}")
    if not path.is_file():
        raise UserError(f"{path}: not a file; give a checkpoint from a run's checkpoints folder")
    try:
        with open(path, "rb") as file:  # once: a file replaced meanwhile is not half old, half new
            check_whole(file)
            return checked(unpickled(file))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}{rescue(path)}") from error
    except Refusal as refusal:
        raise UserError(f"{path}: {printable(str(refusal))}{rescue(path)}") from refusal
    except NewerFormat as newer:
        raise NewerFormat(f"{path}: {printable(str(newer))}") from None


def rescue(path: Path) -> str:
    """The end of a sentence that says where an older checkpoint lies."""
    previous = previous_of(path)
    return f"; the one before it is {previous.name}" if previous.is_file() else ""


def printable(words: str) -> str:
    """Words that may quote a file, without the line breaks and terminal codes that it may hold."""
    return "".join(letter if letter.isprintable() else "?" for letter in words)


class Refusal(Exception):
    """Why a file is not taken for a checkpoint, in words without its path."""


def check_whole(file: BinaryIO) -> None:
    """Read every byte of a zip against its checksums: torch.load does not look at them. Raises Refusal."""
    start = file.read(len(ZIP_START))
    if not start:
        raise Refusal("the file is empty; the writing of it was cut off, or the disk was full")
    if start != ZIP_START:
        raise Refusal("not a ganctl checkpoint, or damaged at its start: not a zip file as torch.save writes it")
    size = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as archive:
            foreign = not any(name.endswith("/data.pkl") for name in archive.namelist())
            damaged = archive.testzip() if is_stored(archive, size) else "the table of contents"
    except zipfile.BadZipFile as error:
        raise Refusal(f"truncated or damaged: {error}") from error
    except Exception as error:  # a flipped bit can name a cipher, a compression, a character that does not exist
        raise Refusal(f"damaged: {error or type(error).__name__}") from error
    if damaged:
        raise Refusal(f"damaged: {damaged} does not match its checksum")
    if foreign:
        raise Refusal("not a ganctl checkpoint: a zip file of something else")


def is_stored(archive: zipfile.ZipFile, size: int) -> bool:
    """Whether the entries are uncompressed, as torch.save writes them: a small file cannot unfold to a huge one."""
    entries = archive.infolist()
    return (
        all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        and sum(entry.file_size for entry in entries) <= size
        and len({entry.filename for entry in entries}) == len(entries)
    )


def unpickled(file: BinaryIO) -> Any:
    """What the file holds; torch builds only tensors and a few harmless classes. Raises Refusal."""
    file.seek(0)
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a hostile pickle makes the reader stumble over
        reason = str(error.__context__ or error).partition("\n")[0]  # torch puts advice around its own reason
        code = "GLOBAL" in reason or "reduce" in reason
        kind = "holds pickled code or foreign objects, which ganctl never runs" if code else "not a readable checkpoint"
        raise Refusal(f"{kind} ({type(error).__name__}: {reason[:120]})") from error


def checked(content: Any) -> dict[str, Any]:
    """The content, known to be a ganctl checkpoint of plain types. Raises Refusal and NewerFormat."""
    if type(content) is not dict or content.get("kind") != KIND or type(content.get("format")) is not int:
        raise Refusal("not a ganctl checkpoint: another program wrote it; choose one from a run's checkpoints folder")
    if content["format"] > FORMAT:
        version = str(content.get("version"))[:40]
        raise NewerFormat(f"written by ganctl {version}, format {content['format']}; update ganctl to use it")
    try:
        found = dict(Copier(already_compact).copy(content))
    except TypeError as error:
        raise Refusal(f"not as ganctl writes it: {error}") from error
    # torch's zip reader goes by more than the checksums cover: one bit makes it take an entry for a folder, which it
    # leaves unread, and hands out whatever was in memory.
    if found.pop(FINGERPRINT, None) != fingerprint(found):
        raise Refusal("damaged: its content does not match its fingerprint")
    return found


def load_newest_good(run: Run) -> Restored:
    """The newest checkpoint of a run that can be read: last.ckpt, else its previous or a numbered one.

    Raises UserError where there is none or, naming each file, where none can be read, and NewerFormat.
    """
    demand_checkpoint(run)
    last = run.checkpoints / "last.ckpt"
    notices: list[str] = []
    newest = first_good([last], notices)
    if newest is not None:
        return Restored(*newest, notices=())
    older = ([previous_of(last)], reversed(numbered(run).values()))
    found = [good for paths in older if (good := first_good(paths, notices)) is not None]
    if not found:
        raise UserError(f"{run.folder}: no checkpoint of this run can be read", *notices)
    content, path = max(found, key=lambda good: images_seen(good[0]))
    return Restored(content, path, (*notices, f"continuing from {path} ({images_seen(content):,} images seen)"))


def first_good(paths: Iterable[Path], notices: list[str]) -> tuple[dict[str, Any], Path] | None:
    """The first that loads; why others did not is added to `notices`."""
    for path in paths:
        try:
            return load(path), path
        except NewerFormat:
            raise
        except UserError as error:
            notices.append(str(error))
    return None


def images_seen(content: dict[str, Any]) -> int:
    """How far a checkpoint's training had come."""
    seen = content.get("images_seen")
    return seen if isinstance(seen, int) else 0
