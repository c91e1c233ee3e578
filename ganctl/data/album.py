"""Many picture files as one memory-mapped uint8 array, decoded once."""

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganctl.data.cache import Draft, Entry, entry, key_of
from ganctl.data.pictures import Frame, Unreadable, decode, decode_whole
from ganctl.data.progress import cores, shown
from ganctl.data.sources import Listing, Source
from ganctl.errors import UserError

NAMED = 10  # unreadable pictures that a message names
FEW = 500  # up to here threads do not pay
AT_ONCE = 2048  # pictures on their way, so that memory stays bounded
LIST = "unreadable.txt"
logger = logging.getLogger(__name__)

Decoded = tuple[NDArray[np.uint8], frozenset[str]]
Outcome = Decoded | Unreadable
Decoder = Callable[[bytes], Decoded]
Sizes = Sequence[tuple[int, int]]  # height, width


@dataclass(frozen=True)
class Contents:
    """The pictures that could be read, in the order of their names."""

    names: tuple[str, ...]  # N
    unreadable: Mapping[str, str]  # name -> why
    complete_list: str  # file with all of the unreadable


@dataclass(frozen=True)
class Album(Contents):
    """Pictures of one shape."""

    images: Tensor  # uint8 [N, C, H, W], channels_last, memory-mapped


@dataclass(frozen=True)
class MixedAlbum(Contents):
    """Pictures of their own sizes, one after another."""

    pixels: Tensor  # uint8, flat, memory-mapped: [H, W, C] of each picture in turn
    sizes: Tensor  # int64 [N, 2]: height, width


def album(source: Source, listing: Listing, frame: Frame) -> Album:
    """All pictures of a listing in a frame, from the cache or decoded now.

    Raises UserError where not one can be read. Cached by content, so that a changed, added or renamed file is noticed
    however it came about.
    """

    def declare(draft: Draft, sizes: Sizes) -> None:
        draft.declare("images", torch.uint8, [len(sizes), *frame.size, frame.channels])

    made, contents = collected(source, listing, ("album", frame), lambda data: decode(data, frame), declare)
    images = made.tensor("images").permute(0, 3, 1, 2)
    return Album(contents.names, contents.unreadable, contents.complete_list, images)


def mixed_album(source: Source, listing: Listing, channels: int, background: str = "white") -> MixedAlbum:
    """As `album`, each picture at its own size."""

    def declare(draft: Draft, sizes: Sizes) -> None:
        draft.declare("images", torch.uint8, [sum(height * width * channels for height, width in sizes)])
        draft.save("sizes", torch.tensor(sizes))

    key = ("mixed album", channels, background)
    made, contents = collected(source, listing, key, lambda data: decode_whole(data, channels, background), declare)
    found = contents.names, contents.unreadable, contents.complete_list
    return MixedAlbum(*found, made.tensor("images"), made.tensor("sizes"))


class NoneReadable(UserError):
    """Not one picture among those that were to be decoded."""

    def __init__(self, source: Source, unreadable: Mapping[str, str]) -> None:
        super().__init__(none_readable(source, unreadable))
        self.unreadable = unreadable


def collected(
    source: Source,
    listing: Listing,
    key: tuple[Any, ...],
    decoder: Decoder,
    declare: Callable[[Draft, Sizes], None],
) -> tuple[Entry, Contents]:
    """All pictures, decoded into the file `images` of a cache entry that is known by `key` and by what they hold."""
    safe = [name for name in listing.names if name not in listing.refused]  # a pipe is not even to be opened
    contents = source.digests(safe)

    def build(draft: Draft) -> Mapping[str, Any]:
        about, sizes = develop(source, listing, decoder, draft)
        if source.digests(safe) != contents:
            raise UserError(f"dataset.root: pictures in {str(source.path)!r} changed while they were read; start again")
        declare(draft, sizes)
        return about

    made = entry("pictures", key_of(*key, safe, contents, sorted(listing.refused.items())), build)
    unreadable = made.about["unreadable"]
    kept = tuple(name for name in safe if name not in unreadable)
    report(source, len(kept), made.about["done"], Counter(contents))
    return made, Contents(kept, unreadable, str(made.folder / LIST))


def develop(source: Source, listing: Listing, decoder: Decoder, draft: Draft) -> tuple[Mapping[str, Any], Sizes]:
    """Decode everything into the draft; what is to be remembered, and the height and width of each picture."""
    unreadable, done, sizes = dict[str, str](), Counter[str](), list[tuple[int, int]]()
    with (draft.folder / "images").open("wb") as file:
        outcomes = shown("decoding", decoded(source, listing, decoder), len(listing.names))
        for name, outcome in zip(listing.names, outcomes, strict=True):
            if isinstance(outcome, Unreadable):
                unreadable[name] = str(outcome)
                continue
            file.write(outcome[0].tobytes())
            done.update(outcome[1])
            sizes.append(outcome[0].shape[:2])
    if not sizes:
        raise NoneReadable(source, unreadable)
    if unreadable:
        (draft.folder / LIST).write_text("".join(f"{named(name, why)}\n" for name, why in unreadable.items()))
    return {"unreadable": unreadable, "done": done}, sizes


def decoded(source: Source, listing: Listing, decoder: Decoder) -> Iterator[Outcome]:
    """Pixels, or why there are none, for each name in turn.

    Threads, not processes: Pillow decodes and resizes without holding Python's lock, and a script that has no
    `__main__` guard still works.
    """

    def one(name: str) -> Outcome:
        try:
            if reason := listing.refused.get(name):
                raise Unreadable(reason)
            return decoder(source.read(name))
        except Unreadable as unreadable:
            return unreadable

    names = listing.names
    with warnings.catch_warnings(), ThreadPoolExecutor(cores() if len(names) > FEW else 1) as pool:
        warnings.simplefilter("ignore")  # Pillow warns of what is repaired or refused here
        for start in range(0, len(names), AT_ONCE):
            yield from pool.map(one, names[start : start + AT_ONCE])


def report(source: Source, count: int, done: Mapping[str, int], contents: Mapping[str, int]) -> None:
    """One line: what was not taken as it was."""
    copies = sum(contents.values()) - len(contents)
    facts = [f"{times:,} {what}" for what, times in sorted(done.items())]
    facts += [f"{copies:,} exact copies of another"] if copies else []
    logger.info("%s: %s pictures%s", source.path, f"{count:,}", "; " + ", ".join(facts) if facts else "")


def none_readable(source: Source, unreadable: Mapping[str, str]) -> str:
    """The mistake behind a place whose pictures are all damaged."""
    examples = list_some(unreadable)
    return f"dataset.root: not one readable picture in {str(source.path)!r}: {examples}; set dataset.root=PATH"


def list_some(unreadable: Mapping[str, str], complete_list: str = "") -> str:
    """The first few by name, and how many more."""
    shown_names = ", ".join(named(name, why) for name, why in list(unreadable.items())[:NAMED])
    more = len(unreadable) - NAMED
    where = f" (all in {complete_list})" if complete_list else ""
    return f"{shown_names} and {more:,} more{where}" if more > 0 else shown_names


def named(name: str, why: str) -> str:
    """A file and what is wrong with it; odd characters in the name are escaped."""
    return f"{name!r} ({why})"
