"""Which extractor looks at the pictures."""

import logging
from pathlib import Path

import torch

from ganctl.errors import UserError
from ganctl.metrics.classifier import prepare
from ganctl.metrics.extractors import Extractor, Labelled
from ganctl.metrics.inception import DinoExtractor, InceptionExtractor, find_weights
from ganctl.metrics.keys import ExtractorName
from ganctl.metrics.random_features import RandomExtractor

logger = logging.getLogger("ganctl")


def choose(
    name: ExtractorName = "auto",
    *,
    channels: int,
    labelled: Labelled | None = None,
    classes: int = 0,
    parts: int = 1,
    weights: Path | None = None,
    download: bool = False,
    device: torch.device | str = "cpu",
) -> Extractor:
    """The extractor of that name; `auto` takes Inception where it is at hand and fast, else a classifier, else random.

    channels: of the pictures. labelled, classes: training pictures and the number of their classes, where there are
    labels. parts: 3 for three stacked digits, whose single ones `labelled` yields. weights: Inception's, in a file;
    download: fetch them.
    Raises UserError where the named one cannot be had.
    """
    if weights is not None and name not in ("auto", "inception"):
        raise UserError(f"weights: Inception's, and extractor={name} takes none; leave one of the two out")
    if name == "inception" or (name == "auto" and (weights or download or (_quick(device) and find_weights()))):
        return InceptionExtractor(weights, download=download)
    if name == "dinov2":
        return DinoExtractor(download=download)
    if name == "random":
        return RandomExtractor(channels)
    return _classifier(name, channels, labelled, classes, parts)


def _quick(device: torch.device | str) -> bool:
    """Whether Inception at 299 pixels is a matter of seconds there."""
    return torch.device(device).type == "cuda"


def _classifier(name: str, channels: int, labelled: Labelled | None, classes: int, parts: int) -> Extractor:
    """The data's own classifier; where `auto` cannot have one, the random network and a sentence why."""
    try:
        if labelled is None or classes < 2:
            have = "has one class" if classes == 1 else "has no classes"
            raise UserError(f"extractor: a classifier needs labels of two classes or more, and the data {have}")
        return prepare(labelled, channels, classes, parts)
    except UserError as error:
        if name == "classifier":
            raise
        if labelled is not None:
            logger.info("%s; scored on a random network instead", str(error).removeprefix("extractor: "))
        return RandomExtractor(channels)
