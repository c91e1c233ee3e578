"""Two places with files of the same names, read as one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath
from struct import Struct

from ganctl.data.pictures import Unreadable
from ganctl.data.sources import Listing, Source
from ganctl.errors import UserError

logger = logging.getLogger(__name__)

LENGTH = Struct("<Q")  # of the first file, before both
SHOWN = 5  # names in a message


class Twins(Source):
    """Each name is that of the first file; reading gives both, one after the other (`parted` takes them apart)."""

    def __init__(self, first: Source, second: Source, partners: Mapping[str, str], found: Listing) -> None:
        """partners: name in the first place -> name in the second; found: what `listing` answers."""
        super().__init__(first.path)
        self.first, self.second, self.partners, self.found = first, second, partners, found

    def listing(self) -> Listing:
        return self.found

    def read(self, name: str) -> bytes:
        one, other = self.first.read(name), self.second.read(self.partners[name])
        return LENGTH.pack(len(one)) + one + other

    def digests(self, names: Sequence[str]) -> list[str]:
        ones, others = self.first.digests(names), self.second.digests([self.partners[name] for name in names])
        return [f"{one}+{other}" for one, other in zip(ones, others, strict=True)]


def parted(data: bytes) -> tuple[bytes, bytes]:
    """The two files that `Twins.read` put together."""
    if len(data) < LENGTH.size:
        raise Unreadable("cut off")
    middle = LENGTH.size + LENGTH.unpack_from(data)[0]
    return data[LENGTH.size : middle], data[middle:]


@dataclass(frozen=True)
class Matches:
    """Which files belong together, and which have nobody."""

    partners: Mapping[str, str]  # name in the first place -> name in the second
    alone: Sequence[tuple[Source, str, Source]]  # where, name, where its partner is missing


def twins(first: Source, second: Source, *, skip: bool) -> Twins:
    """Files of the same name, whatever their formats, in the same subfolders of two places.

    Raises UserError for files without a partner, unless these are to be skipped, and where no file has one.
    """
    listings = first.listing(), second.listing()
    matches = matched(first, listings[0], second, listings[1])
    if not matches.partners or (matches.alone and not skip):
        raise UserError(partnerless(matches, first, second))
    if matches.alone:
        logger.warning("%s; left out", alone_in(matches, first, second))
    ones, others = listings
    refused = {
        one: reason
        for one, other in matches.partners.items()
        if (reason := ones.refused.get(one) or others.refused.get(other))
    }
    return Twins(first, second, matches.partners, Listing(tuple(matches.partners), refused, {}))


def matched(first: Source, ones: Listing, second: Source, others: Listing) -> Matches:
    """By names without their suffixes."""
    left, right = by_stem(first, ones), by_stem(second, others)
    partners = {name: right[stem] for stem, name in left.items() if stem in right}
    alone = chain(
        ((first, name, second) for stem, name in left.items() if stem not in right),
        ((second, name, first) for stem, name in right.items() if stem not in left),
    )
    return Matches(partners, list(alone))


def by_stem(source: Source, listing: Listing) -> dict[str, str]:
    """Name without suffix -> name. Raises UserError where two files differ in their suffix only."""
    found: dict[str, str] = {}
    for name in listing.names:
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem in found:
            raise UserError(
                f"dataset.root: {found[stem]!r} and {name!r} in {str(source.path)!r} have one name, so that none can "
                "tell which belongs to its partner; take one of them away"
            )
        found[stem] = name
    return found


def partnerless(matches: Matches, first: Source, second: Source) -> str:
    """The mistake, with the first few names."""
    if not matches.partners:
        places = f"{str(first.path)!r} and {str(second.path)!r}"
        return f"dataset.root_b: no file in {places} has a partner of the same name; give both pictures of a pair one"
    return f"dataset.root_b: {alone_in(matches, first, second)}; add the partners or set dataset.on_error=skip"


def alone_in(matches: Matches, first: Source, second: Source) -> str:
    """How many files have no partner, and the first few of them."""
    places = f"{str(first.path)!r} and {str(second.path)!r}"
    shown = ", ".join(f"{name!r} (not in {str(missing.path)!r})" for _, name, missing in matches.alone[:SHOWN])
    more = len(matches.alone) - SHOWN
    count = f"{len(matches.alone):,} file{'s' if len(matches.alone) > 1 else ''}"
    return f"{count} of {places} without a partner of the same name: {shown}{f' and {more:,} more' if more > 0 else ''}"
