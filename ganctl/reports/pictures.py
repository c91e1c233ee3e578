"""Pictures for a page, as data in the page itself: samples of the same noise, and how they came to be."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganctl.building.build import build
from ganctl.data.dataset import Dataset
from ganctl.data.points import Points
from ganctl.errors import GanctlError
from ganctl.metrics.points import COUNT, scatter
from ganctl.pictures import grid, read_picture, strip
from ganctl.reports.record import Record
from ganctl.trained import sampling

SAMPLES, COLUMNS = 32, 8
MOST_CLASSES = 10  # shown a column each
FRAMES = 8  # of a film strip
FRAME_WIDTH = 320  # pixels
SMALL = 400  # pixels: smaller sheets are stored exactly and enlarged by the browser
SEED = 0


@dataclass(frozen=True)
class Picture:
    """One picture of the page."""

    data: str  # data: address
    width: int
    height: int
    caption: str
    pixelated: bool = False


def drawn(record: Record, ckpt: str = "last") -> Picture | None:
    """Samples of the averaged generator from noise of seed 0; else the newest sheet; None where nothing was drawn.

    Generators with noise of one size get the very same noise. Classes stand in columns.
    """
    try:
        sampler = sampling.load(record.run.folder, ckpt, device="cpu")
        return embedded(samples(sampler, record), f"after {sampler.images_seen:,} images")
    except (GanctlError, ValueError, NotImplementedError):
        return newest_sheet(record)


def samples(sampler: sampling.Sampler, record: Record) -> np.ndarray:
    """[H, W, 3] uint8."""
    dataset: Dataset | None = None
    if sampler.config["description"]["shape"][1:] == [1, 1]:
        dataset = build(record.config["dataset"], Dataset, "dataset", ())
    if isinstance(dataset, Points):
        points = sampler.sample(COUNT, SEED, batch_size=COUNT).flatten(1)
        return scatter(points, dataset.centres, dataset.deviation)
    if 2 <= sampler.classes <= MOST_CLASSES:
        try:
            rows = max(2, SAMPLES // sampler.classes)
            labels = [number for _ in range(rows) for number in range(sampler.classes)]
            return grid(sampler.sample(len(labels), SEED, labels), sampler.classes, enlarge=False)
        except GanctlError:  # a game that takes no labels
            pass
    return grid(sampler.sample(SAMPLES, SEED), COLUMNS, enlarge=False)


def newest_sheet(record: Record) -> Picture | None:
    """The sheet drawn last while training."""
    sheets = sheets_of(record.run.samples)
    return from_file(sheets[-1], 2 * FRAME_WIDTH) if sheets else None


def film(record: Record) -> list[Picture]:
    """Sheets of fixed inputs over the training, the first and the last among them; points as scatter plots."""
    sheets = sheets_of(record.run.folder / "scatter") or sheets_of(record.run.samples)
    return [from_file(path, FRAME_WIDTH, quarter=path.parent == record.run.samples) for path in spread(sheets, FRAMES)]


def nearest(record: Record) -> Picture | None:
    """Samples beside their nearest training pictures, where `ganctl evaluate` drew them."""
    found = sorted((record.run.folder / "evaluation").glob("nearest-*.png"))
    return from_file(found[-1], 2 * FRAME_WIDTH) if found else None


def sheets_of(folder: Path) -> list[Path]:
    """Pictures named by the images seen, in order, of those that can be read."""
    return sorted(path for path in folder.glob("*.png") if path.stem.isdigit() and read_picture(path))


def spread(paths: Sequence[Path], count: int) -> list[Path]:
    """At most `count`, closer together in the beginning, where most happens."""
    if len(paths) <= count:
        return list(paths)
    last = len(paths) - 1
    places = sorted({round(last * (step / (count - 1)) ** 1.6) for step in range(count)})
    return [paths[place] for place in places]


def from_file(path: Path, width: int, quarter: bool = False) -> Picture:
    """A sheet of a run, shrunk; its caption says after how many images.

    quarter: of a large square sheet only the first pictures, so that they can be seen.
    """
    with Image.open(path) as file:
        image = file.convert("RGB")
    if quarter and is_square(image) and image.width > width:
        image = image.crop((0, 0, image.width // 2, image.width // 2))
    if image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    digits = path.stem.rpartition("-")[2]
    return packed(image, f"{int(digits):,} images" if digits.isdigit() else path.stem, exact=False)


def is_square(sheet: Image.Image) -> bool:
    """Whether the pictures of a sheet make a square, above a line of words or without."""
    return sheet.height in (sheet.width, sheet.width + strip(sheet.width))


def embedded(picture: np.ndarray, caption: str) -> Picture:
    """[H, W, 3] uint8."""
    image = Image.fromarray(picture)
    return packed(image, caption, exact=max(image.size) <= SMALL)


def packed(image: Image.Image, caption: str, exact: bool) -> Picture:
    """Small pictures without loss, to be enlarged pixel by pixel; large ones as WebP."""
    file = io.BytesIO()
    if exact:
        image.save(file, "PNG", optimize=True)
    else:
        image.save(file, "WEBP", quality=82, method=4)
    kind = "png" if exact else "webp"
    data = f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
    return Picture(data, image.width, image.height, caption, pixelated=exact)
