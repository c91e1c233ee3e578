"""A small classifier that is trained on the data itself, in seconds: it sees digits as digits, without any download."""

import logging
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganctl.data.cache import cache_folder
from ganctl.errors import UserError
from ganctl.metrics.extractors import (
    Extractor,
    Features,
    Labelled,
    fingerprint,
    weights_identity,
)
from ganctl.metrics.isolation import isolated
from ganctl.metrics.random_features import SIDE, shrink

logger = logging.getLogger("ganctl")

ACCURACY = 0.9  # below it the classifier's word is worth nothing
MOST = 50_000  # pictures it learns from, at most
BATCH = 128
STEPS = 300, 1_500  # at least and at most; about 18 ms each on one core
RATE = 6e-3
PASSES = 12  # over the data, between those limits
HELD_OUT = 10  # one in ten pictures is kept aside to measure the accuracy
SMALLEST = 20  # pictures of a class, so that two can be held out


class ClassifierExtractor(Extractor):
    """Three convolutions on 32x32 pixels; the features are the 128 values before the last layer."""

    name = "classifier"
    feature_size = 128
    resizer = f"bilinear, antialiased, to {SIDE}x{SIDE}"
    accuracy: Tensor  # on held-out pictures

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        self.body = nn.Sequential(
            *block(channels, 16, 5),
            *block(16, 32, 3),
            *block(32, 64, 3),
            nn.Flatten(),
            nn.Linear(64 * (SIDE // 8) ** 2, self.feature_size),
            nn.ReLU(),
        )
        self.head = nn.Linear(self.feature_size, classes)
        self.register_buffer("accuracy", torch.tensor(0.0))
        self.identity = ""

    def forward(self, pixels: Tensor) -> Features:
        values = self.body(shrink(pixels) / 127.5 - 1)
        return Features(values, self.head(values))


class StackedExtractor(Extractor):
    """Three digits in the three colour channels (Srivastava et al. 2017): one classifier looks at each channel.

    The logit of the class 100 a + 10 b + c is the sum of the three digits' log-probabilities.
    """

    name = "classifier"
    resizer = ClassifierExtractor.resizer

    def __init__(self, single: ClassifierExtractor) -> None:
        super().__init__()
        self.single = single
        self.feature_size, self.classes = 3 * single.feature_size, single.classes**3
        self.identity = single.identity

    def forward(self, pixels: Tensor) -> Features:
        found = self.single(pixels.flatten(0, 1).unsqueeze(1))  # [3 B, 1, H, W]
        first, second, third = found.logits.log_softmax(1).unflatten(0, (-1, 3)).unbind(1)
        joint = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None, :]
        return Features(found.values.unflatten(0, (-1, 3)).flatten(1), joint.flatten(1))


def block(before: int, after: int, size: int) -> tuple[nn.Module, ...]:
    """Half the side, batch norm, ReLU."""
    return nn.Conv2d(before, after, size, 2, size // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()


def prepare(labelled: Labelled, channels: int, classes: int, parts: int = 1) -> Extractor:
    """The classifier of this data: from the cache, else trained now.

    parts: 3 where each channel holds a digit of its own; `labelled` then yields the single digits, [B, 1, H, W].
    Raises UserError where a class has too few pictures, or where the accuracy on held-out ones stays under 90 %.
    """
    pixels, labels = gather(labelled)
    if parts == 3:
        return StackedExtractor(_prepare(pixels, labels, 1, round(classes ** (1 / 3))))
    return _prepare(pixels, labels, channels, classes)


def gather(labelled: Labelled) -> tuple[Tensor, Tensor]:
    """The first pictures, shrunk to what the classifier looks at: [N, C, SIDE, SIDE] uint8 and [N] int64."""
    pixels, labels, count = [], [], 0
    for batch, classes in labelled():
        pixels.append(shrink(batch).to(torch.uint8).cpu())
        labels.append(classes.cpu())
        count += len(batch)
        if count >= MOST:
            break
    return torch.cat(pixels)[:MOST], torch.cat(labels)[:MOST]


def _prepare(pixels: Tensor, labels: Tensor, channels: int, classes: int) -> ClassifierExtractor:
    demand_classes(labels, classes)
    code = Path(__file__).read_bytes()
    path = cache_folder() / "classifiers" / f"{fingerprint(pixels, labels, str(classes), code)}.pt"
    with isolated(), one_thread():
        extractor = ClassifierExtractor(channels, classes)
        if not read(extractor, path):
            extractor = train(pixels, labels, channels, classes)
            write(extractor, path)
    extractor.requires_grad_(False).eval()
    extractor.identity = weights_identity(extractor)
    accuracy = float(extractor.accuracy)
    logger.info("Classifier of %d classes: %.1f %% right on held-out pictures", classes, 100 * accuracy)
    if accuracy < ACCURACY:
        raise UserError(
            f"extractor: the classifier is right on only {accuracy:.0%} of held-out pictures, and {ACCURACY:.0%} are "
            "needed to trust it; choose extractor=random or extractor=inception"
        )
    return extractor


@contextmanager
def one_thread() -> Iterator[None]:
    """The same weights for any number of threads; layers this small gain little from a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def demand_classes(labels: Tensor, classes: int) -> None:
    """Raise UserError where a class has too few pictures to learn and to test."""
    counts = torch.bincount(labels, minlength=classes)
    if int(counts.min()) < SMALLEST:
        few = int(counts.argmin())
        raise UserError(
            f"extractor: a classifier needs {SMALLEST} pictures a class, and class {few} has {int(counts[few])}; "
            "choose extractor=random or extractor=inception"
        )


def train(pixels: Tensor, labels: Tensor, channels: int, classes: int) -> ClassifierExtractor:
    """Adam with a rate that rises and falls (Smith and Topin 2017); on one thread, so that the weights repeat."""
    torch.manual_seed(0)
    extractor = ClassifierExtractor(channels, classes)
    order = torch.randperm(len(pixels))
    tested, learnt = order[::HELD_OUT], order[torch.arange(len(order)) % HELD_OUT != 0]
    least, most = STEPS
    steps = max(least, min(most, PASSES * len(learnt) // BATCH))
    logger.info("Training a classifier of %d classes on %s pictures (cached)", classes, f"{len(learnt):,}")
    optimizer = torch.optim.Adam(extractor.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    for chosen in batches(learnt, steps):
        logits = extractor(pixels[chosen]).logits
        loss = F.cross_entropy(logits, labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    extractor.eval()
    with torch.no_grad():
        right = [extractor(pixels[part]).logits.argmax(1) == labels[part] for part in tested.split(500)]
    extractor.accuracy.fill_(torch.cat(right).float().mean())
    return extractor


def batches(indices: Tensor, steps: int) -> Iterator[Tensor]:
    """Full batches over shuffled passes, `steps` in all."""
    queue = indices[:0]
    for _ in range(steps):
        while len(queue) < BATCH:
            queue = torch.cat((queue, indices[torch.randperm(len(indices))]))
        yield queue[:BATCH]
        queue = queue[BATCH:]


def write(extractor: ClassifierExtractor, path: Path) -> None:
    """Tensors only, whole or not at all; a cache that cannot be written costs time, not the result."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(extractor.state_dict(), part)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        logger.warning("The classifier could not be kept in %s (%s)", path.parent, error)
        part.unlink(missing_ok=True)


def read(extractor: ClassifierExtractor, path: Path) -> bool:
    """Fill the extractor from the cache; False where there is nothing, or nothing whole."""
    if not path.is_file():
        return False
    try:
        extractor.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError) as error:
        logger.warning("The kept classifier %s is damaged (%s); training it anew", path, type(error).__name__)
        return False
    return True
