"""Scores a generator against one dataset: all that concerns the data is prepared once, then each model is quick."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganctl.errors import UserError
from ganctl.games.game import Generative
from ganctl.metrics.contract import Contract, Score, library_versions
from ganctl.metrics.coverage import Coverage, conditional_accuracy, coverage
from ganctl.metrics.diversity import FEWEST, HELD_OUT, MOST, diversity, memorisation, nearest
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.extractors import Extractor
from ganctl.metrics.fidelity import Measured, fidelity
from ganctl.metrics.isolation import isolated
from ganctl.metrics.keys import CLASSES, FEATURES, NAMES, PIXELS, demand, scores_of
from ganctl.metrics.reals import Reals
from ganctl.metrics.sheets import Sheet, drawn, head, sheet, thumbnail
from ganctl.pictures import grid

MOST_CLASSES = 100  # with a share of its own in the record
OF_FEATURES = ("fd", "kd", "is", "precision", "recall")
OF_CLASSES = ("modes", "covered", "kl", "conditional")


@dataclass(frozen=True)
class Found:
    """Values of one set of pictures, and what it shows of the classes."""

    values: Mapping[str, Measured]
    coverage: Coverage | None = None


class Panel:
    """extractor: for fd, kd, is, pr. classifier: for coverage and conditional; None where the data has no classes.

    count: samples drawn. reference: real pictures that they are held against, at most. aspects: what a class says
    (`Dataset.aspects`), each of which then has a conditional accuracy of its own.
    """

    beyond: ClassVar[Sequence[str]] = ()  # metrics that `measure_game` takes

    def __init__(
        self,
        reals: Reals,
        metrics: Sequence[str],
        extractor: Extractor,
        classifier: Extractor | None,
        *,
        count: int,
        reference: int = 10_000,
        seed: int = 0,
        device: torch.device | str = "cpu",
        averaged: bool = True,
        aspects: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.reals, self.metrics, self.count, self.seed = reals, tuple(metrics), count, seed
        self.extractor, self.classifier, self.device = extractor, classifier, torch.device(device)
        demand(self.metrics, (*FEATURES, *(CLASSES if classifier else ()), *PIXELS, *self.beyond), "metrics")
        self.eyes = list(dict.fromkeys((extractor, *([classifier] if classifier else []))))
        self.rows = reals.order()[:reference]
        self.real = sheet(reals.batches(self.rows), self.eyes, self.device)
        self.population = reals.labels(reals.order()) if classifier else None  # all labels: rare classes count
        self.wished = labels_to_wish(self.real.label, count)
        captions = reals.captions(self.rows)
        self.texts = None if captions is None else [captions[row % len(captions)] for row in range(count)]
        self.aspects = {name: torch.tensor(numbers) for name, numbers in (aspects or {}).items()}
        self.contract = self.terms(averaged)
        self.floors = self.measure_floors()

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the scores that an evaluation gives; `conditional` only where the game takes labels."""
        return scores_of(self.metrics)

    def terms(self, averaged: bool) -> Contract:
        """The conditions of the scores on features."""
        extractor = self.extractor
        return Contract(
            reference=self.reals.name,
            reference_id=self.real.identity,
            split=self.reals.split,
            reference_count=len(self.real),
            count=self.count,
            extractor=extractor.name,
            extractor_id=extractor.identity,
            resizer=extractor.resizer,
            precision="float32",
            averaged=averaged,
            seed=self.seed,
            versions=library_versions(),
        )

    def contract_of(self, key: str) -> Contract:
        """Conditions of one score: on features, on the classifier's classes, or straight on pixels."""
        if key in OF_FEATURES:
            return self.contract
        if key.partition("/")[0] in OF_CLASSES and self.classifier is not None:
            eye = self.classifier
            return replace(self.contract, extractor=eye.name, extractor_id=eye.identity, resizer=eye.resizer)
        resizer = "none up to 32x32, else bilinear, antialiased, to 32x32"
        return replace(self.contract, extractor="pixels", extractor_id="", resizer=resizer)

    def measure_floors(self) -> Mapping[str, Measured]:
        """Each score of real pictures against other real pictures; left out where there are too few for it."""
        held_out = min(self.count, len(self.real) // 2)
        samples, rest = self.real.part(0, held_out), self.real.part(held_out)
        floors: dict[str, Measured] = {}
        for metric in self.metrics:
            try:
                floors |= self.measure(samples, rest, [metric]).values
            except (UserError, ValueError):  # said when samples are scored, if they are too few as well
                continue
        return floors

    def measure(self, samples: Sheet, reals: Sheet, metrics: Collection[str]) -> Found:
        """All values of these metrics. Raises UserError where pictures are too few."""
        wanted = [metric for metric in metrics if metric in FEATURES]
        values = dict(fidelity(samples.seen[0], reals.seen[0], wanted)) if wanted else {}
        found = self.measure_classes(samples, metrics)
        values |= found.values
        values |= measure_pixels(samples.thumbnails, reals.thumbnails, metrics)
        return Found(values, found.coverage)

    def measure_classes(self, samples: Sheet, metrics: Collection[str]) -> Found:
        """Coverage and conditional accuracy, as the classifier sees the classes."""
        values: dict[str, Measured] = {}
        logits = samples.seen[-1].logits
        if self.classifier is None or logits is None or self.population is None:
            return Found(values)
        predicted, shown = logits.argmax(1), None
        if "coverage" in metrics:
            shown = coverage(predicted, self.population, self.classifier.classes)
            values |= {"covered": Measured(shown.covered), "modes": Measured(shown.modes), "kl": Measured(shown.kl)}
        if "conditional" in metrics and samples.label is not None:
            values["conditional"] = Measured(conditional_accuracy(predicted, samples.label))
            for name, of in self.aspects.items():
                values[f"conditional/{name}"] = Measured(conditional_accuracy(of[predicted], of[samples.label]))
        return Found(values, shown)

    def sheet_of(self, game: Generative) -> Sheet:
        """The samples that are scored: the same inputs each time. Raises NotFinite where one is not a number."""
        samples = drawn(game, self.count, self.wished, self.seed, self.device, self.texts)
        return sheet(samples, self.eyes, self.device)

    def measure_game(self, game: Generative) -> Mapping[str, Measured]:
        """What the game is asked beyond drawing."""
        return {}

    def evaluate(self, game: Generative, images_seen: int) -> Evaluation:
        """Draw, look, score. The game must be in eval mode; random states are left as they were."""
        with isolated():
            samples = self.sheet_of(game)
            found = self.measure(samples, self.real, self.metrics)
            values = {**found.values, **self.measure_game(game)}
        return Evaluation(images_seen, self.scores(values), *self.histograms(found.coverage))

    def pictures(self, game: Generative) -> Mapping[str, np.ndarray]:
        """The nearest training pictures, where nearness to them is scored."""
        return {"nearest": self.nearest_sheet(game)} if "memorisation" in self.metrics else {}

    def nearest_sheet(self, game: Generative, rows: int = 10, columns: int = 5) -> np.ndarray:
        """The samples that lie nearest to training pictures, each followed by those: [H, W, 3] uint8."""
        with isolated():
            samples = head(drawn(game, self.count, self.wished, self.seed, self.device, self.texts), MOST)
        distances, indices = nearest(thumbnail(samples), self.real.thumbnails, columns)
        picked = []
        for row in distances[:, 0].argsort()[:rows].tolist():
            pixels, _ = self.reals.look(self.rows[indices[row]])
            picked += [samples[row : row + 1], pixels.cpu()]
        return grid(torch.cat(picked) / 127.5 - 1, indices.shape[1] + 1)

    def scores(self, values: Mapping[str, Measured]) -> tuple[Score, ...]:
        """Values with their names, floors and conditions."""
        made = []
        for key, measured in values.items():
            general, _, aspect = key.partition("/")
            name = self.extractor.title(NAMES[key]) if key in OF_FEATURES else NAMES[general]
            name += f": {aspect}" if aspect else ""
            floor = self.floors[key].value if key in self.floors else None
            made.append(Score(key, name, measured.value, self.contract_of(key), floor, measured.spread))
        return tuple(made)

    def histograms(self, shown: Coverage | None) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Shares by class name, of the samples and of the data."""
        if shown is None:
            return {}, {}
        if len(shown.shares) > MOST_CLASSES:
            return {}, {}
        names = self.reals.description.names or tuple(map(str, range(len(shown.shares))))
        return dict(zip(names, shown.shares, strict=True)), dict(zip(names, shown.expected, strict=True))


def measure_pixels(samples: Tensor, reals: Tensor, metrics: Collection[str]) -> dict[str, Measured]:
    """Variety and nearness to the training pictures; without what data full of copies has no measure for."""
    values: dict[str, float | None] = {}
    if "diversity" in metrics:
        if min(len(samples), len(reals)) < FEWEST:
            raise UserError(
                f"metrics: diversity needs {FEWEST} pictures or more of each kind; there are {len(samples)} samples "
                f"and {len(reals)} of the data; set n={FEWEST} or more, or leave it out"
            )
        found = diversity(samples, reals)
        values |= {"diversity": found.ratio, "neighbours": found.neighbours, "duplicates": found.duplicates}
    if "memorisation" in metrics:
        if len(reals) < HELD_OUT:
            raise UserError(
                f"metrics: memorisation needs {HELD_OUT} pictures of the data or more; there are {len(reals)}; "
                "leave it out"
            )
        held_out, rest = reals[: len(reals) // HELD_OUT], reals[len(reals) // HELD_OUT :]
        values["memorised"] = memorisation(samples[:MOST], held_out[:MOST], rest)
    return {key: Measured(value) for key, value in values.items() if value is not None}


def labels_to_wish(labels: Tensor | None, count: int) -> Tensor | None:
    """Labels for `count` samples as frequent as in the data: those of the reference, again and again."""
    if labels is None:
        return None
    return labels[torch.arange(count) % len(labels)]
