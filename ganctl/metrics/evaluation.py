"""One evaluation: its scores with their conditions, the class histogram; a line of evaluations.jsonl."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganctl.metrics.contract import Contract, Score

FILE = "evaluations.jsonl"
Origin = Literal["training", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What was found of one checkpoint."""

    images_seen: int
    scores: tuple[Score, ...]
    histogram: Mapping[str, float] = field(default_factory=dict)  # class -> share of the samples
    expected: Mapping[str, float] = field(default_factory=dict)  # class -> share of the data
    origin: Origin = "evaluate"  # while training, or by a command afterwards
    checkpoint: str = ""  # file name; empty while training
    beside: str = "real pictures"  # what the floors are the scores of

    def score(self, key: str) -> Score | None:
        """The score of that key, if it was taken."""
        return next((score for score in self.scores if score.key == key), None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; each set of conditions is stored once and scores name it by number."""
        contracts = list(dict.fromkeys(score.contract for score in self.scores))
        scores = [{**asdict(score), "contract": contracts.index(score.contract)} for score in self.scores]
        return {**asdict(self), "scores": scores, "contracts": [asdict(contract) for contract in contracts]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Evaluation":
        contracts = [Contract(**each) for each in stored["contracts"]]
        scores = tuple(Score(**{**each, "contract": contracts[each["contract"]]}) for each in stored["scores"])
        rest = {key: value for key, value in stored.items() if key not in ("contracts", "scores")}
        return cls(scores=scores, **rest)


def append(path: Path, evaluation: Evaluation) -> None:
    """One more line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(evaluation.to_dict()) + "\n")


def read(path: Path) -> list[Evaluation]:
    """All whole lines of the file, oldest first; a line that a crash cut off or spoilt is passed over."""
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(Evaluation.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError, IndexError):
            continue
    return found


def forget(path: Path, images_seen: int) -> None:
    """Drop what training wrote after this point: resumed from there, it will write it again."""
    if not path.exists():
        return
    kept = [each for each in read(path) if each.origin != "training" or each.images_seen <= images_seen]
    part = path.with_name(path.name + ".part")
    part.write_text("".join(json.dumps(each.to_dict()) + "\n" for each in kept), encoding="utf-8")
    part.replace(path)
