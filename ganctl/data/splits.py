"""Which pictures are kept out of training."""

from collections.abc import Sequence
from itertools import groupby

TESTS = frozenset(("test", "testing", "val", "valid", "validation"))


def is_test(name: str) -> bool:
    """Whether a picture lies in a folder called test or the like."""
    return bool(TESTS & set(name.lower().replace("\\", "/").split("/")[:-1]))


def apart(names: Sequence[str], share: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(trained, held out) of sorted names: what lies in a folder test/ or val/ is held out, else the share.

    The share is the end of each folder, not every n-th picture: neighbours are often frames of one film. At least one
    for any share above 0, never all.
    """
    tests = list(filter(is_test, names))
    if len(tests) == len(names):
        tests = []
    aside = set(tests or ends(names, share))
    return tuple(name for name in names if name not in aside), tuple(name for name in names if name in aside)


def ends(names: Sequence[str], share: float) -> list[str]:
    """The last `share` of each folder's names."""
    folders = [list(group) for _, group in groupby(names, key=lambda name: name.rpartition("/")[0])]
    found = [name for folder in folders for name in folder[len(folder) - round(len(folder) * share) :]]
    return found or list(names[-1:] if share and len(names) > 1 else ())


def check_share(held_out: float) -> None:
    """Raises ValueError in words."""
    if not 0 <= held_out < 0.9:
        raise ValueError(f"held_out: {held_out}; must be 0 or more and less than 0.9")
