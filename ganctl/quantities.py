"""Numbers as people write them."""

SUFFIXES = {"k": 1_000, "M": 1_000_000}


def number(text: str) -> float:
    """A number as people write it: 2e-4, 300k, 2M, 50_000. Raises ValueError."""
    plain = text.strip()
    factor = SUFFIXES.get(plain[-1:], 1)
    return float(plain[:-1] if factor > 1 else plain) * factor


def quantity(text: str | int | float) -> int:
    """A number of images as people write it: 300k, 2M, 1e6, 50_000 -> int. Raises ValueError in words."""
    try:
        value = number(str(text))
    except ValueError:
        raise ValueError(f"{text!r} is not a number of images; write 300k, 2M, 1e6 or 50000") from None
    if not abs(value) < 2**53 or value != int(value):  # beyond 2^53 a float skips whole numbers
        raise ValueError(f"{text!r} is not a whole number of images")
    return int(value)
