"""Under which conditions a score was taken: only scores of equal conditions may be ranked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version

from ganctl.errors import UserError
from ganctl.metrics.keys import LOWER_IS_BETTER


@dataclass(frozen=True)
class Contract:
    """Everything that changes a score except the model. Two scores compare only where all fields are equal."""

    reference: str  # name of the data
    reference_id: str  # fingerprint of the reference pictures
    split: str  # which part of the data they are from
    reference_count: int
    count: int  # samples scored
    extractor: str
    extractor_id: str  # hash of its weights
    resizer: str
    precision: str
    averaged: bool  # samples of the moving average, or of the live networks
    seed: int  # of the samples
    versions: str  # of the libraries that compute

    def differences(self, other: "Contract") -> list[str]:
        """In words, what differs; empty where scores compare."""
        pairs = ((field.name, getattr(self, field.name), getattr(other, field.name)) for field in fields(self))
        return [f"{name}: {mine} against {theirs}" for name, mine, theirs in pairs if mine != theirs]

    def summary(self) -> str:
        """In short: how many samples against what, and who looked at them."""
        eyes = f"{self.extractor} {self.extractor_id[:8]}".strip()
        weights = "" if self.averaged else ", weights of the last round"
        return f"{self.count:,} samples (seed {self.seed}{weights}) against {self.reference}, {self.split}, by {eyes}"


def library_versions() -> str:
    """Versions that a score depends on; of PyTorch only the minor one, so that a patch does not part results."""
    torch_version = ".".join(version("torch").split(".")[:2])
    return f"torch-fidelity {version('torch-fidelity')}, torchmetrics {version('torchmetrics')}, torch {torch_version}"


@dataclass(frozen=True)
class Score:
    """One number, the value that real pictures reach in its place, and its conditions."""

    key: str  # fd, kd, is, precision, recall, covered, kl, diversity, ...
    name: str  # as shown: FID, FD-classifier, ...
    value: float
    contract: Contract
    floor: float | None = None  # the same score of real pictures against other real ones; of pairs, of simple means
    spread: float | None = None  # standard deviation over subsets or splits

    @property
    def terms(self) -> tuple[str, Contract]:
        """Its name and conditions: what two scores that compare have in common."""
        return self.name, self.contract

    @property
    def lower_is_better(self) -> bool:
        return self.key.partition("/")[0] in LOWER_IS_BETTER  # fd/a2b is an fd


def demand_comparable(first: Score, second: Score) -> None:
    """Raise UserError naming what differs, where two scores were not taken under the same conditions."""
    differences = first.contract.differences(second.contract)
    if first.name != second.name:
        differences.insert(0, f"score: {first.name} against {second.name}")
    if differences:
        what = "; ".join(differences)
        raise UserError(f"compare: these scores do not compare ({what}); evaluate both runs the same way")


def ranked(scores: Mapping[str, Score]) -> list[str]:
    """Names of the runs, the best first. Raises UserError where two of them do not compare."""
    runs = list(scores)
    for run in runs[1:]:
        demand_comparable(scores[runs[0]], scores[run])
    return sorted(runs, key=lambda run: scores[run].value * (1 if scores[run].lower_is_better else -1))
