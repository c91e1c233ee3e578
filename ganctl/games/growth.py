"""Pictures that grow while training: when, with which batch size, and what the reals look like meanwhile."""

from collections.abc import Mapping
from math import ceil

from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.networks.interfaces import Discriminator, Generator, Growing, stage_at


class Growth:
    """No growth: pictures have their full size from the first round."""

    def attach(self, generator: Generator, discriminator: Discriminator) -> None:
        """Once, in the game's constructor. Raises ValueError where these networks cannot grow."""

    def advance(self, images_seen: int) -> None:
        """Bring the networks to where they stand after `images_seen` images."""

    def batch_size(self, images_seen: int, batch_size: int) -> int:
        """Images of the next round; `batch_size` is the run's own."""
        return batch_size

    def all_batch_sizes(self, batch_size: int) -> frozenset[int]:
        """All values that `batch_size` takes in a whole training."""
        return frozenset({batch_size})

    def follow(self, real: Tensor) -> Tensor:
        """Reals [B, C, H, W] as large, and as sharp, as the fakes are now."""
        return real

    def enlarge(self, image: Tensor) -> Tensor:
        """Fakes of any stage -> [B, C, H, W] of full size."""
        return image

    def status(self) -> str:
        """The stage in words."""
        return ""

    def notice(self, images: int) -> str:
        """Where a training of so many images ends, if that is before the full size; else empty."""
        return ""


class Progressive(Growth):
    """Karras et al. 2018: stable at the smallest size, then for each next size a fade and a stable phase.

    stable_images, fade_images: length of each phase. begin: smaller side of the first size (that or the next one).
    batch_sizes: smaller side -> batch size from that size on; below the first, the run's own.
    All is a function of images seen; where the networks stand is in their buffers, so that a checkpoint can be sampled.
    """

    def __init__(
        self,
        stable_images: float = 600_000,
        fade_images: float = 600_000,
        begin: int = 4,
        batch_sizes: Mapping[int, int] | None = None,
    ) -> None:
        if stable_images < 0 or fade_images <= 0:
            raise ValueError(
                f"stable_images and fade_images: {stable_images} and {fade_images}; must be 0 or more, and more than 0"
            )
        if min((batch_sizes or {}).values(), default=1) < 1:
            raise ValueError(f"batch_sizes: {batch_sizes}; each must be 1 or more")
        self.stable_images, self.fade_images, self.begin = stable_images, fade_images, begin
        self.batch_sizes = dict(sorted((batch_sizes or {}).items()))

    def attach(self, generator: Generator, discriminator: Discriminator) -> None:
        self.generator, *others = [growing(network) for network in (generator, discriminator)]
        self.networks = (self.generator, *others)
        sides = [min(size) for size in self.generator.sizes]
        self.first = next((index for index, side in enumerate(sides) if side >= self.begin), len(sides) - 1)
        self.advance(0)

    def position(self, images_seen: int) -> float:
        """Where the networks stand (see `Growing`): whole numbers are stable phases."""
        last = len(self.generator.sizes) - 1
        since = images_seen - self.stable_images  # the first stage has no fade
        if since < 0:
            return min(self.first, last)
        passed, rest = divmod(since, self.fade_images + self.stable_images)
        return min(self.first + passed + min(rest / self.fade_images, 1.0), last)

    def advance(self, images_seen: int) -> None:
        for network in self.networks:
            network.grow(self.position(images_seen))

    def batch_size(self, images_seen: int, batch_size: int) -> int:
        return self.at_side(min(self.generator.sizes[ceil(self.position(images_seen))]), batch_size)

    def all_batch_sizes(self, batch_size: int) -> frozenset[int]:
        return frozenset(self.at_side(min(size), batch_size) for size in self.generator.sizes[self.first :])

    def at_side(self, side: int, batch_size: int) -> int:
        """The batch size at a size whose smaller side is `side`."""
        reached = [size for begin, size in self.batch_sizes.items() if begin <= side]
        return reached[-1] if reached else batch_size

    def follow(self, real: Tensor) -> Tensor:
        """In a fade the reals too are a mix of two sizes, by the same weight (Karras et al. 2018, appendix A.1)."""
        stage, weight = self.generator.stage()
        size = self.generator.sizes[stage]
        fine = real if size == tuple(real.shape[-2:]) else interpolate(real, size=size, mode="area")
        if weight == 1:
            return fine
        coarse = interpolate(real, size=self.generator.sizes[stage - 1], mode="area")
        return interpolate(coarse, size=size).lerp(fine, weight)

    def enlarge(self, image: Tensor) -> Tensor:
        return interpolate(image, size=self.generator.sizes[-1])

    def status(self) -> str:
        return self.words(*self.generator.stage())

    def words(self, stage: int, weight: float) -> str:
        """A size, and how far it is faded in."""
        size = "{}x{}".format(*self.generator.sizes[stage])
        return size if weight == 1 else f"{size} faded in by {weight:.0%}"

    def notice(self, images: int) -> str:
        last, position = len(self.generator.sizes) - 1, self.position(images)
        if position == last:
            return ""
        cycles = last - self.first  # each a stable phase and a fade
        alone = ceil(cycles * (self.stable_images + self.fade_images))
        return (
            f"growth: {images:,} images end at {self.words(*stage_at(position))}; {self.words(last, 1)} is "
            f"faded in from {ceil(alone - self.fade_images):,} images on and stands alone from {alone:,}; set "
            f"images={alone} or more, or lower model.game.growth.stable_images and model.game.growth.fade_images"
        )


def growing(network: Generator | Discriminator) -> Growing:
    """The part of a network that grows: itself, or what its wrapper holds."""
    found = next((module for module in network.modules() if isinstance(module, Growing)), None)
    if found is None:
        raise ValueError(f"growth: {type(network).__name__} cannot grow; take the networks of progan or stylegan")
    return found
