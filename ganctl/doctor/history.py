"""diagnosis.jsonl: one line a check; the last line is how the run stands."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganctl.doctor.advice import Advice
from ganctl.doctor.rules import Verdict
from ganctl.doctor.signals import Facts, Signals, plain
from ganctl.runs.atomic import write_text

FILE = "diagnosis.jsonl"


@dataclass(frozen=True)
class Diagnosis:
    """One check and what it showed."""

    verdict: Verdict
    signals: Signals
    facts: Facts
    advice: Advice | None  # None: nothing to change

    @property
    def images(self) -> int:
        """Seen at that moment."""
        return self.signals.images_seen

    def to_dict(self) -> dict[str, Any]:
        """Plain values, the verdict first."""
        return {
            "images": self.images,
            "verdict": self.verdict.name,
            "level": self.verdict.level,
            "words": self.verdict.words,
            "advice": None if self.advice is None else asdict(self.advice),
            "signals": self.signals.to_dict(),
            "facts": {name: plain(value) for name, value in asdict(self.facts).items()},
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Diagnosis":
        facts = stored["facts"]
        known = {**facts, "names": tuple(facts["names"]), "expected": tuple(facts["expected"])}
        verdict = Verdict(stored["verdict"], stored["level"], stored["words"])
        advice = None if stored["advice"] is None else Advice(**stored["advice"])
        return cls(verdict, Signals.from_dict(stored["signals"]), Facts(**known), advice)


def append(path: Path, diagnosis: Diagnosis) -> None:
    """One more line."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(diagnosis.to_dict()) + "\n")


def read(path: Path) -> list[Diagnosis]:
    """All whole lines, oldest first; a line cut off by a crash is passed over."""
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            found.append(Diagnosis.from_dict(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def rewind(path: Path, images_seen: int) -> list[Diagnosis]:
    """Drop what was found after this point: resumed from there, training will find it again. Returns the rest."""
    kept = [each for each in read(path) if each.images <= images_seen]
    if path.exists():
        write_text(path, "".join(json.dumps(each.to_dict()) + "\n" for each in kept))
    return kept
