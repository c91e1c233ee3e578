"""What a recipe draws after 1, 3, 5 and 10 minutes of training: scores by the minute, for those who have no GPU.

    python -m benchmarks.minutes [--models cgan biggan stylegan2] [--minutes 1 3 5 10] [--threads 2] [--dataset mnist]

Each recipe is trained once, stopped at each mark, scored, and resumed, which ends as one uninterrupted training would.
Only minutes of training count, not start-up and scoring. Models are played one after the other.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

ENDLESS = "images=1000M"  # the minutes end it
SCORED = ["n=2000", "metrics=fd,pr,coverage,diversity"]


def ganctl(*words: str) -> None:
    """Run a command in a process of its own, as a user does."""
    subprocess.run([sys.executable, "-m", "ganctl", *words], check=True, stdout=subprocess.DEVNULL)


def measure(run: Path, overrides: Sequence[str], marks: Sequence[float]) -> list[dict[str, Any]]:
    """Train into `run`; one row a mark."""
    rows = []
    for mark in marks:
        begun = [f"resume={run}"] if run.exists() else [f"name={run.name}", ENDLESS, *overrides]
        ganctl("train", *begun, f"minutes={mark}")
        ganctl("evaluate", f"run={run}", *SCORED)
        last = json.loads((run / "evaluations.jsonl").read_text().splitlines()[-1])
        status = json.loads((run / "status.json").read_text())
        rows.append({"minutes": mark, "images": status["images_seen"], "scores": last["scores"]})
        print(run.name, json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    """Measure every model, write all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["cgan", "biggan", "stylegan2"])
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 3, 5, 10])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    choice = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as outputs:
        os.environ["GANCTL_OUTPUTS"] = outputs
        for model in choice.models:
            overrides = [f"model={model}", f"dataset={choice.dataset}", f"batch_size={choice.batch_size}"]
            overrides += [f"trainer.threads={choice.threads}", "device=cpu"]
            rows[model] = measure(Path(outputs) / model, overrides, choice.minutes)
    choice.out.mkdir(parents=True, exist_ok=True)
    content = {"date": date.today().isoformat(), "torch": torch.__version__, "threads": choice.threads}
    path = choice.out / f"minutes-{content['date']}.json"
    path.write_text(json.dumps({**content, "dataset": choice.dataset, "rows": rows}, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
