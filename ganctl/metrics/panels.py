"""From a run's settings to the panel that scores it: which metrics, which extractor, which real pictures."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ganctl.data.batch import Pairs
from ganctl.data.dataset import Dataset, Table
from ganctl.data.points import Points
from ganctl.data.stacked import Stacked
from ganctl.errors import UserError
from ganctl.games.coding import Coding
from ganctl.games.game import Game, Generative
from ganctl.metrics.choice import choose
from ganctl.metrics.codingpanel import CodingPanel
from ganctl.metrics.diversity import FEWEST, HELD_OUT
from ganctl.metrics.domainpanel import DomainPanel, possible_on
from ganctl.metrics.evaluation import Evaluation
from ganctl.metrics.extractors import Extractor
from ganctl.metrics.fidelity import enough, fewest
from ganctl.metrics.keys import CLASSES, FEATURES, GROUPS, METRICS, PIXELS, QUICK, ExtractorName, demand
from ganctl.metrics.offer import offer
from ganctl.metrics.pairpanel import PairPanel
from ganctl.metrics.panel import Panel
from ganctl.metrics.pointpanel import PointPanel
from ganctl.metrics.points import COUNT
from ganctl.metrics.reals import Reals
from ganctl.metrics.routes import Route, labelled_by_route, routes_of

log = logging.getLogger("ganctl")
REFERENCE, REFERENCE_OF_PAPERS = 10_000, 50_000  # real pictures, at most; the larger number for Inception;
# for stacked digits twice the samples, so that the floor's half of them reaches the modes as samples do
COUNT_PICTURES, COUNT_STACKED = 10_000, 26_000  # samples; the latter to reach 1,000 modes (Lin et al. 2018)


class Judge(Protocol):
    """Scores a game of one kind; whatever concerns the data was prepared before."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the scores that an evaluation gives."""

    def evaluate(self, game: Any, images_seen: int) -> Evaluation:
        """The game must be in eval mode. Raises NotFinite where samples are not finite."""

    def pictures(self, game: Any) -> Mapping[str, np.ndarray]:
        """Name -> [H, W, 3] uint8: what explains the scores of this game, which was evaluated last."""


@dataclass(frozen=True)
class Wanted:
    """What the user asks for."""

    metrics: Sequence[str] | None = None  # None: all that the data and the extractor allow
    among: Sequence[str] = tuple(METRICS)  # with metrics=None: only these
    count: int | None = None  # None: 10,000 pictures, 26,000 stacked ones, 2,500 points
    extractor: ExtractorName = "auto"
    weights: Path | None = None
    download: bool = False
    seed: int = 0
    averaged: bool = True
    test: str | None = None  # a folder of other test pictures, for data that takes one (superres)


QUICK_PAIRS, QUICK_ON_A_WAY = 64, 128  # the latter into each domain; enough for the classifier's 128 features
QUICK_COUNT = 2_048  # samples; enough for the 2,048 features of Inception


def quick_panel(
    settings: Mapping[str, Any],
    dataset: Dataset,
    table: Table,
    game: Game,
    watch: str | None,
    device: torch.device,
    option: str = "early_stop",
) -> Judge:
    """For evaluations while training: seconds each. watch: key of a score that must be among them, asked by `option`.

    The game may be weightless. Raises UserError where the data does not give that score.
    """
    extra = [] if watch is None else [GROUPS.get(watch, watch)]
    among = tuple(dict.fromkeys((*QUICK, *extra)))
    count = None if isinstance(dataset, Points) else COUNT_PICTURES if isinstance(dataset, Stacked) else QUICK_COUNT
    if not isinstance(game, Generative):
        count = QUICK_PAIRS if issubclass(game.batches, Pairs) else QUICK_ON_A_WAY
    panel = panel_of(settings, dataset, table, game, Wanted(among=among, count=count), device)
    if watch is not None:
        demand([watch], panel.keys, option)
    return panel


def panel_of(
    settings: Mapping[str, Any], dataset: Dataset, table: Table, game: Game, wanted: Wanted, device: torch.device
) -> Judge:
    """The panel for a run's dataset (as its config built it) and game. Raises UserError in words."""
    name = name_of(settings)
    offered = offer(game, dataset, fetching=True)  # where it may not, whoever needs the weights says how to get them
    if wanted.metrics is not None:
        offered.demand(wanted.metrics)
    if not isinstance(game, Generative):
        name = with_place(name, settings)
        if issubclass(game.batches, Pairs):
            return pair_panel(dataset, table, name, wanted, device)
        return domain_panel(dataset, table, game, name, wanted, device)
    if isinstance(dataset, Points):
        count = wanted.count or COUNT
        return PointPanel(dataset, name, count=count, seed=wanted.seed, device=device, averaged=wanted.averaged)
    split = str(settings["dataset"].get("split", "all"))
    wanted = replace(wanted, among=[metric for metric in wanted.among if metric in offered.metrics])
    kind = CodingPanel if isinstance(game, Coding) else Panel
    return picture_panel(Reals(name, split, dataset.describe(), table), dataset, wanted, device, kind)


def pair_panel(dataset: Dataset, table: Table, name: str, wanted: Wanted, device: torch.device) -> PairPanel:
    """Which of the metrics on pairs, and who looks at the set of pictures as a whole."""
    channels = dataset.describe().shape[0]
    return PairPanel(
        table,
        name,
        wanted.metrics,
        extractor=choose(
            wanted.extractor, channels=channels, weights=wanted.weights, download=wanted.download, device=device
        ),
        count=wanted.count,
        download=wanted.download,
        device=device,
        averaged=wanted.averaged,
    )


def domain_panel(
    dataset: Dataset, table: Table, game: Game, name: str, wanted: Wanted, device: torch.device
) -> DomainPanel:
    """Every way that the game knows, with a classifier of its domains, or one for each column of attributes."""
    facts = dataset.describe()
    routes = routes_of(game, table, facts, name, wanted.count)
    columns = [choice_of(routes, column, facts.shape[0]) for column in range(max(route.column for route in routes) + 1)]
    choice = columns[0] if len(columns) == 1 else {"channels": facts.shape[0]}
    if len(columns) > 1 and wanted.extractor == "classifier":
        raise UserError(
            "extractor: each column of attributes has a classifier of its own, and distances need one pair of eyes; "
            "choose extractor=random or extractor=inception"
        )
    extractor = choose(wanted.extractor, weights=wanted.weights, download=wanted.download, device=device, **choice)
    classifiers = [classifier_beside(extractor, wanted.metrics, each) for each in columns]
    metrics = wanted.metrics or possible_on(routes, extractor, classified=any(each is not None for each in classifiers))
    return DomainPanel(routes, name, metrics, extractor, classifiers, device=device, averaged=wanted.averaged)


def choice_of(routes: Sequence[Route], column: int, channels: int) -> dict[str, Any]:
    """What a classifier of the domains of one column learns from."""
    own = [route for route in routes if route.column == column]
    classes = max((route.number for route in own), default=0) + 1
    return {"channels": channels, "labelled": lambda: labelled_by_route(own), "classes": classes}


def picture_panel(
    reals: Reals, dataset: Dataset, wanted: Wanted, device: torch.device, kind: type[Panel] = Panel
) -> Panel:
    """Extractor and classifier for these pictures, and what they can measure of the metrics wanted."""
    classes = reals.classes
    choice: dict[str, Any] = {
        "channels": reals.description.shape[0],
        "labelled": reals.labelled if classes else None,
        "classes": classes,
        "parts": 3 if isinstance(dataset, Stacked) else 1,
    }
    extractor = choose(wanted.extractor, weights=wanted.weights, download=wanted.download, device=device, **choice)
    classifier = classifier_beside(extractor, wanted.metrics, choice)
    stacked = isinstance(dataset, Stacked)
    count = wanted.count or (COUNT_STACKED if stacked else COUNT_PICTURES)
    most = 2 * count if stacked else REFERENCE_OF_PAPERS if extractor.name == "inception" else REFERENCE
    reference = min(len(reals.table), most)
    whole = (*PIXELS, *kind.beyond)  # that need no more than the pictures
    metrics = wanted.metrics
    if metrics is None and not (metrics := possible(extractor, classifier, (count, reference), wanted.among, whole)):
        raise UserError(f"metrics: none can be measured with {count} samples and {reference} real pictures; take more")
    return kind(
        reals,
        metrics,
        extractor,
        classifier,
        count=count,
        reference=reference,
        seed=wanted.seed,
        device=device,
        averaged=wanted.averaged,
        aspects=dataset.aspects(),
    )


def classifier_beside(extractor: Extractor, metrics: Sequence[str] | None, choice: dict[str, Any]) -> Extractor | None:
    """What tells the data's classes apart: the extractor itself, or a classifier beside it where that is wanted."""
    if extractor.name == "classifier":
        return extractor
    asked = metrics is not None and any(metric in CLASSES for metric in metrics)
    if choice["classes"] < 2 or (metrics is not None and not asked):
        return None
    try:
        return choose("classifier", **choice)
    except UserError as error:
        if asked:
            raise
        log.info("Classes are not counted: %s", str(error).removeprefix("extractor: ").partition(";")[0])
        return None


def possible(
    extractor: Extractor,
    classifier: Extractor | None,
    counts: tuple[int, int],
    among: Sequence[str],
    whole: Sequence[str],
) -> tuple[str, ...]:
    """Those metrics that there are pictures enough for; says which are left out. counts: samples, real pictures."""
    samples, reference = counts
    found = [*whole, *(CLASSES if classifier else ())]
    for metric, needed in {"diversity": FEWEST, "memorisation": HELD_OUT}.items():
        there = min(samples, reference) if metric == "diversity" else reference
        if metric in among and metric in found and not enough(metric, needed, there, "pictures"):
            found.remove(metric)
    for metric in FEATURES:
        if metric not in among or (metric == "is" and not extractor.classes):
            continue
        needed = fewest(metric, extractor.feature_size, extractor.classes)
        if metric == "is" or enough(metric, needed, reference, "real pictures"):
            found.append(metric)
    return tuple(metric for metric in among if metric in found)


def name_of(settings: Mapping[str, Any]) -> str:
    """What the dataset is called: the option that was chosen, and for a folder its place."""
    node = settings["dataset"]
    chosen = (settings.get("choices") or {}).get("dataset") or str(node["_target_"]).rsplit(".", 1)[-1]
    shape = "x".join(map(str, settings["description"]["shape"]))
    place = Path(str(node["root"])).name if chosen == "folder" and node.get("root") else ""
    return " ".join(part for part in (chosen, place, shape) if part)


def with_place(name: str, settings: Mapping[str, Any]) -> str:
    """A dataset's name with the place of its pictures."""
    place = settings["dataset"].get("test") or settings["dataset"].get("root")
    return f"{name} ({place})" if place else name
