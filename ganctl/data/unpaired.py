"""Two domains without pairs: two folders of any counts, and noise in the same form."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor

from ganctl.data.album import album
from ganctl.data.batch import Tensors, Unpaired
from ganctl.data.dataset import Dataset, Description, Table, TensorTable, height_width, picture_shape
from ganctl.data.domains import Domain, domain
from ganctl.data.folder import OnError, check_on_error, judge
from ganctl.data.pictures import Crop, Frame
from ganctl.errors import UserError, noted, together
from ganctl.transfer import handed


class UnpairedTable(Table):
    """An epoch is the larger domain's; beside each of its pictures stands one of the other's, drawn at random.

    Drawn also where both have as many: in a fixed order each picture would always meet the same other one.
    """

    def __init__(self, a: Table, b: Table, held_out: Table | None = None) -> None:
        """a, b: tables of Images of one shape."""
        self.a, self.b, self.aside = a, b, held_out

    def __len__(self) -> int:
        return max(len(self.a), len(self.b))

    def batch(self, indices: Tensor, generator: torch.Generator) -> Unpaired:
        """a and b [B, C, H, W] float32 in [-1, 1]."""
        drawn = torch.randint(min(len(self.a), len(self.b)), indices.shape, generator=generator)
        of_a, of_b = (indices, drawn) if len(self.a) >= len(self.b) else (drawn, indices)
        pictures = Unpaired(image_of(self.a, of_a, generator), image_of(self.b, of_b, generator))
        if pictures.a.shape != pictures.b.shape:
            shapes = " and ".join("x".join(map(str, image.shape[1:])) for image in (pictures.a, pictures.b))
            raise ValueError(f"a, b: pictures of {shapes}; must be of one shape")
        return pictures

    def held_out(self) -> Table | None:
        return self.aside


def image_of(table: Table, indices: Tensor, generator: torch.Generator) -> Tensor:
    """The pictures alone, [B, C, H, W]."""
    image: Tensor = table.batch(indices, generator).image  # type: ignore[attr-defined]
    return image


class Jittered(Table):
    """Crops of `size` (height, width) at random places of the pictures of a larger table."""

    def __init__(self, table: TensorTable, size: tuple[int, int]) -> None:
        self.table, self.size = table, size

    def __len__(self) -> int:
        return len(self.table)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Tensors:
        images = self.table.batch(indices, generator)
        return replace(images, image=crops(images.image, self.size, generator))


def crops(image: Tensor, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """[B, C, H, W] -> [B, C, *size], of each picture another place."""
    (count, channels), device = image.shape[:2], image.device
    starts = [
        handed(torch.randint(have - want + 1, (count, 1), generator=generator), device)
        for have, want in zip(image.shape[2:], size, strict=True)
    ]
    rows, columns = (start + torch.arange(want, device=device) for start, want in zip(starts, size, strict=True))
    picture = torch.arange(count, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[:, None, None]
    cut = image[picture, channel, rows[:, None, :, None], columns[:, None, None, :]]
    return cut.contiguous(memory_format=torch.channels_last)


USUAL_TESTS = {"test_a": "testA", "test_b": "testB"}  # are taken where they lie, and not missed where they do not


class UnpairedFolders(Dataset):
    """Two folders of pictures, of mixed sizes and formats, each decoded once into the cache.

    root: a folder, a zip or a folder inside a zip that holds the others; also looked for in GANCTL_DATA.
    a, b: the two domains below it; test_a, test_b: pictures of both for previews and scores, where they are there.
    size, crop, channels, background: see `Frame`; both domains are brought to them, so they always fit together.
    jitter: pixels by which pictures are larger at first, and then cropped at random places.
    flip: mirror left to right at random; on_error: pictures that cannot be read: stop with an error, or skip them.
    """

    batches = Unpaired

    def __init__(
        self,
        root: str,
        a: str = "trainA",
        b: str = "trainB",
        test_a: str = "testA",
        test_b: str = "testB",
        size: int | Sequence[int] = 64,
        crop: Crop = "center",
        channels: int = 3,
        background: str = "white",
        jitter: int = 0,
        flip: bool = False,
        on_error: OnError = "error",
    ) -> None:
        self.frame = Frame(height_width(size), crop, channels, background)
        if jitter < 0:
            raise ValueError(f"jitter: {jitter}; must be 0 or more pixels")
        check_on_error(on_error)
        if a == b:
            raise ValueError(f"b: {b!r} is a as well; name two folders")
        self.root, self.names, self.tests = root, {"a": a, "b": b}, {"test_a": test_a, "test_b": test_b}
        self.jitter, self.flip, self.on_error = jitter, flip, on_error

    def describe(self) -> Description:
        return Description(self.frame.shape, 0, max(len(each.listing.names) for each in self.domains))

    def open(self, device: torch.device) -> Table:
        height, width = self.frame.size
        larger = replace(self.frame, size=(height + self.jitter, width + self.jitter))
        a, b = (self.decoded(each, larger, device, self.flip) for each in self.domains)
        held_out = [self.decoded(each, self.frame, device, flip=False) for each in self.held_out]
        aside = UnpairedTable(*held_out) if held_out else None
        if not self.jitter:
            return UnpairedTable(a, b, aside)
        return UnpairedTable(Jittered(a, self.frame.size), Jittered(b, self.frame.size), aside)

    @cached_property
    def domains(self) -> tuple[Domain, ...]:
        """Both, each with at least one picture."""
        found = []
        with together() as mistakes:
            for key, name in self.names.items():
                with noted(mistakes):
                    found.append(domain(self.root, name, key))
        return tuple(found)

    @cached_property
    def held_out(self) -> tuple[Domain, ...]:
        """Those of both domains, or none; UserError where they were asked for by a name of their own."""
        try:
            return tuple(domain(self.root, name, key) for key, name in self.tests.items())
        except UserError:
            if self.tests != USUAL_TESTS:
                raise
            return ()

    def decoded(self, place: Domain, frame: Frame, device: torch.device, flip: bool) -> TensorTable:
        """All pictures of a domain."""
        pictures = album(place.source, place.listing, frame)
        judge(place.source, place.listing, pictures, self.on_error)
        return TensorTable(pictures.images, None, device, flip)

    def blank(self, count: int) -> Tensors:
        return Unpaired(*(torch.zeros(count, *self.frame.shape) for _ in "ab"))


class RandomUnpaired(Dataset):
    """Noise and darker noise, the same each time, for smoke tests; b has two thirds as many pictures as a."""

    batches = Unpaired

    def __init__(self, shape: Sequence[int] = (3, 32, 32), count: int = 1024, flip: bool = False) -> None:
        if count < 1:
            raise ValueError(f"count: {count}; must be 1 or more")
        self.shape, self.count, self.flip = picture_shape("shape", shape), count, flip

    def describe(self) -> Description:
        return Description(self.shape, 0, self.count)

    def open(self, device: torch.device) -> Table:
        chance = torch.Generator().manual_seed(0)
        a, b = (
            torch.randint(top, (count, *self.shape), dtype=torch.uint8, generator=chance)
            for top, count in ((256, self.count), (128, max(1, self.count * 2 // 3)))
        )
        return UnpairedTable(TensorTable(a, None, device, self.flip), TensorTable(b, None, device, self.flip))

    def blank(self, count: int) -> Tensors:
        return Unpaired(*(torch.zeros(count, *self.shape) for _ in "ab"))
