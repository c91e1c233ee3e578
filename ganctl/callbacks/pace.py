"""When something is due, counted in images seen."""


def crossed(before: int, after: int, interval: int | None) -> bool:
    """Whether a multiple of `interval` lies in (before, after]; never, without an interval."""
    return interval is not None and interval > 0 and after // interval > before // interval
