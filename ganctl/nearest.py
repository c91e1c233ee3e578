"""The name that was probably meant, as the end of a sentence."""

from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], count: int = 2) -> list[str]:
    """Names like `word`, the likeliest first; for `lr` also `model.optimizers.generator.lr`."""
    from difflib import SequenceMatcher, get_close_matches

    names = [name for name in names if name != word]
    if same := [name for name in names if name.casefold() == word.casefold()]:
        return same[:count]
    same_end = [name for name in names if name.split(".")[-1] == word.split(".")[-1]]
    alike = get_close_matches(word, names, count, 0.6)
    found = list(dict.fromkeys([*same_end, *alike]))[:count]
    if found and SequenceMatcher(None, word, found[0]).ratio() > 0.85:
        return found[:1]
    return found


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean 'dcgan'?`, or nothing where no name is near."""
    return told(nearest(word, names))


def told(names: list[str]) -> str:
    """`; did you mean 'lr' or 'lrs'?`, or nothing without names."""
    return f"; did you mean {' or '.join(repr(name) for name in names)}?" if names else ""
