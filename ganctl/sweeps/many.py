"""Many runs from one command: a sweep plays every combination, a search chooses as it goes."""

from collections.abc import Sequence

from ganctl.sweeps.launch import Done, split, sweep
from ganctl.sweeps.search import search


def play_many(overrides: Sequence[str], config_dirs: Sequence[str] = ()) -> Done:
    """Sweep, or search where `search=` is among the words. Raises UserError naming every mistake."""
    own, hydras = split(overrides)
    if any(word.startswith(("search=", "trials=")) for word in own):
        return search(own, hydras, config_dirs)
    return sweep(overrides, config_dirs)
