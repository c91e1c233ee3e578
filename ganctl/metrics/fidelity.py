"""How near samples are to the data: Frechet distance, kernel distance, Inception score, precision and recall."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch_fidelity
from torch import Tensor
from torch.utils.data import Dataset

from ganctl.errors import UserError, noted, together
from ganctl.metrics.extractors import Features, finite
from ganctl.metrics.isolation import isolated

logger = logging.getLogger("ganctl")
GIVEN = "ganctl-given"  # name of the pass-through below in torch-fidelity's registry
SPLITS = 10  # of the Inception score (Salimans et al. 2016)
KERNEL_SUBSET = 1000  # of the kernel distance (Binkowski et al. 2018)
FEWEST_KERNEL, FEWEST_NEIGHBOURS, FEWEST_A_SPLIT = 40, 50, 10


@dataclass(frozen=True)
class Measured:
    """A value and, where it is a mean over subsets, their standard deviation."""

    value: float
    spread: float | None = None


class Given(torch_fidelity.FeatureExtractorBase):
    """Hands features on as they are: they were extracted once, by ours, and serve every metric and every evaluation."""

    def __init__(self, name: str, features_list: list[str], **ignored: Any) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return (GIVEN,)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return GIVEN

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, input: Tensor) -> tuple[Tensor]:
        return (input,)


torch_fidelity.register_feature_extractor(GIVEN, Given)


class Rows(Dataset):
    """The rows of a matrix of features."""

    def __init__(self, values: Tensor) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Tensor:
        return self.values[index]


def fewest(metric: str, feature_size: int, classes: int = 0) -> int:
    """How many pictures a metric needs on each side to mean anything."""
    if metric == "fd":
        return feature_size  # fewer leave directions in which the covariance is blind
    if metric == "is":
        return SPLITS * max(FEWEST_A_SPLIT, min(classes, 100))
    return {"kd": FEWEST_KERNEL, "pr": FEWEST_NEIGHBOURS}[metric]


def enough(metric: str, needed: int, there: int, of: str) -> bool:
    """Whether there are as many pictures as a metric needs; said where it is left out. of: what is counted."""
    if there < needed:
        logger.info("%s is left out: it needs %d %s, and there are %d", metric, needed, of, there)
    return there >= needed


def demand_enough(metric: str, samples: Features, reals: Features) -> None:
    """Raise UserError with the number that is needed."""
    classes = 0 if samples.logits is None else samples.logits.shape[1]
    needed = fewest(metric, samples.values.shape[1], classes)
    if len(samples) < needed:
        raise UserError(f"n: {len(samples):,} samples; {metric} needs {needed:,} here; set n={needed} or more")
    if len(reals) < needed and metric != "is":
        raise UserError(
            f"metrics: {metric} needs {needed:,} real pictures here, and there are {len(reals):,}; leave {metric} out"
        )


def fidelity(samples: Features, reals: Features, metrics: Collection[str], *, tell: bool = True) -> dict[str, Measured]:
    """The metrics asked for, of `fd`, `kd`, `is`, `pr`; results under fd, kd, is, precision, recall.

    fd: Heusel et al. 2017, equation 6. kd: Binkowski et al. 2018, equation 3. is: Salimans et al. 2016, section 4.
    pr: Kynkaanniemi et al. 2019, equation 1, k = 3. Computed by torch-fidelity, under a random state of its own.
    tell: say where the kernel distance is taken over smaller subsets than usual.
    Raises UserError for too few pictures, and NotFinite for features that are not numbers.
    """
    with together() as mistakes:
        for metric in metrics:
            with noted(mistakes):
                demand_enough(metric, samples, reals)
    found: dict[str, Measured] = {}
    distances = {metric for metric in metrics if metric != "is"}
    with isolated():
        if distances:
            found |= _distances(finite(samples.values), finite(reals.values), distances, tell)
        if "is" in metrics:
            found |= _inception_score(samples)
    return found


def _distances(samples: Tensor, reals: Tensor, metrics: Collection[str], tell: bool) -> dict[str, Measured]:
    subset = min(KERNEL_SUBSET, len(samples) // 2, len(reals) // 2)
    if tell and "kd" in metrics and subset < KERNEL_SUBSET:
        logger.info("The kernel distance is taken over subsets of %d pictures instead of %d", subset, KERNEL_SUBSET)
    raw = torch_fidelity.calculate_metrics(
        input1=Rows(samples),
        input2=Rows(reals),
        fid="fd" in metrics,
        kid="kd" in metrics,
        prc="pr" in metrics,
        kid_subset_size=subset,
        prc_batch_size=2_000,  # rows of the distance matrix held at once
        **SETTINGS,
    )
    found = {}
    if "fd" in metrics:
        found["fd"] = Measured(raw["frechet_inception_distance"])
    if "kd" in metrics:
        found["kd"] = Measured(raw["kernel_inception_distance_mean"], raw["kernel_inception_distance_std"])
    if "pr" in metrics:
        found |= {"precision": Measured(raw["precision"]), "recall": Measured(raw["recall"])}
    return found


def _inception_score(samples: Features) -> dict[str, Measured]:
    if samples.logits is None:
        raise UserError("metrics: is needs classes, which this extractor does not tell; choose extractor=classifier")
    raw = torch_fidelity.calculate_metrics(input1=Rows(finite(samples.logits)), isc=True, isc_splits=SPLITS, **SETTINGS)
    return {"is": Measured(raw["inception_score_mean"], raw["inception_score_std"])}


SETTINGS: dict[str, Any] = {
    "feature_extractor": GIVEN,
    "cuda": False,
    "batch_size": 10_000,
    "cache": False,  # its files are pickles
    "save_cpu_ram": True,  # no worker processes
    "verbose": False,
}
