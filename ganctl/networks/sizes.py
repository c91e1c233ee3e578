"""Stages for any picture size: how a side is halved, and back."""

LEAST = 4


def halvings(height: int, width: int, least: int = LEAST) -> list[tuple[int, int]]:
    """Sizes from the full one down, each side halved (rounded up) while the smaller one stays at `least` or more.

    28 x 28 -> 28, 14, 7, 4; 96 x 32 -> (96, 32), (48, 16), (24, 8), (12, 4). Raises ValueError where not even one
    halving is possible, naming the nearest size that works.
    """
    sizes = [(height, width)]
    while min(following := (_half(sizes[-1][0]), _half(sizes[-1][1]))) >= least and following != sizes[-1]:
        sizes.append(following)
    if len(sizes) == 1:
        smallest = 2 * least - 1
        nearest = f"{max(height, smallest)}x{max(width, smallest)}"
        raise ValueError(
            f"pictures of {height}x{width} are too small for this network; "
            f"both sides must be {smallest} or more, the nearest size is {nearest}"
        )
    return sizes


def _half(side: int) -> int:
    return (side + 1) // 2


def doubling_kernel(small: tuple[int, int], large: tuple[int, int]) -> tuple[int, int]:
    """Kernel of a convolution with stride 2 and padding 1 that leads exactly from `small` to `large` and back.

    Transposed, a side n becomes 2n with kernel 4 and 2n - 1 with kernel 3; forward, the same kernels halve.
    """
    return _kernel(small[0], large[0]), _kernel(small[1], large[1])


def _kernel(small: int, large: int) -> int:
    return 4 if large == 2 * small else 3
