"""What a game can be scored by on a dataset, as far as it shows before the data is opened: the one place that says so.

What depends on the data itself (pictures enough, a classifier that can be trusted) only a panel finds.
"""

import torch

from ganctl.data.batch import Captioned, Pairs
from ganctl.data.dataset import Dataset, Description
from ganctl.data.points import Points
from ganctl.errors import UserError
from ganctl.games.coding import Coding
from ganctl.games.game import Game, Generative, Translating, Wish
from ganctl.metrics.keys import (
    CLASSES,
    FEATURES,
    LEADING,
    OF_POINTS,
    ON_Y,
    PAIRS,
    PIXELS,
    POINTS,
    QUICK,
    RETURNED,
    SETS,
    Offer,
    scores_of,
)
from ganctl.metrics.pairs import SIDE_FOR_SSIM, lacks

COLOUR = 3  # channels of pictures that have a Y


def offer(game: Game, dataset: Dataset, *, fetching: bool = False) -> Offer:
    """The metrics and their scores. The game may be weightless. Raises UserError for a game that is not scored here.

    fetching: whether weights that are not here may be downloaded, which training never does.
    """
    if isinstance(game, Generative):
        return of_points() if isinstance(dataset, Points) else of_pictures(game, dataset.describe())
    if issubclass(game.batches, Pairs):
        return of_pairs(dataset.describe(), fetching)
    return of_domains(game)


def of_points() -> Offer:
    """Modes and their neighbourhood."""
    return Offer(POINTS, OF_POINTS, OF_POINTS)


def of_pictures(game: Generative, facts: Description) -> Offer:
    """Of pictures drawn from noise: all, but for what needs classes or a game that can be asked for one."""
    classes = 0 if facts.attributes else facts.classes
    refused = {}
    if classes < 2:
        have = "has one class" if classes == 1 else "has no classes"
        refused = dict.fromkeys(CLASSES, f"needs labelled data of two classes or more, and this {have}")
    elif not knows_classes(game):
        refused = {"conditional": "needs a model that can be asked for a class, such as cgan, and this one cannot"}
    returned: tuple[str, ...] = RETURNED if isinstance(game, Coding) else ()
    if returned and min(facts.shape[1:]) < SIDE_FOR_SSIM:
        refused["ssim"] = f"needs pictures of {SIDE_FOR_SSIM} pixels a side"
    metrics = tuple(metric for metric in (*FEATURES, *CLASSES, *PIXELS, *returned) if metric not in refused)
    scores = tuple(key for key in scores_of(metrics) if key not in ON_Y)
    return Offer(metrics, scores, scores_of([metric for metric in metrics if metric in QUICK]), refused)


def knows_classes(game: Generative) -> bool:
    """Whether a picture of a class can be wished for: by its number, or by a caption that says it."""
    if issubclass(game.batches, Captioned):
        return True
    try:
        game.request(Wish(1, label=torch.zeros(1, dtype=torch.int64)), torch.Generator())
    except ValueError:  # a game says in this way that it cannot grant a wish
        return False
    return True


def of_pairs(facts: Description, fetching: bool) -> Offer:
    """Each picture against its own, and where all are of one size, the set against the set."""
    side = None if facts.enlarges else min(facts.shape[1:])  # whole pictures are enlarged: their sizes show later
    refused = lacks(side, facts.shape[0], fetching)
    if facts.enlarges:
        refused |= dict.fromkeys(SETS, "compares sets of pictures of one size")
    metrics = tuple(metric for metric in (*PAIRS, *SETS) if metric not in refused)
    has_y = facts.enlarges and facts.shape[0] == COLOUR
    scores = tuple(key for key in scores_of(metrics) if has_y or key not in ON_Y)
    return Offer(metrics, scores, scores, refused)


def of_domains(game: Game) -> Offer:
    """Whether what arrives in a domain is like the pictures there."""
    if not isinstance(game, Translating):
        kind = type(game).__name__
        raise UserError(f"metrics: {kind} has neither noise to draw from nor pairs to compare, and is not scored yet")
    return Offer(LEADING, scores_of(LEADING), scores_of(LEADING))
