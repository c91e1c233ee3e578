"""Does the doctor find what ails a training? Failures made on purpose and healthy recipes, on two datasets, many seeds.

    python -m benchmarks.doctor_harness --seeds 1 2 --out benchmarks/results [--only d_strong dcgan]

Each run is short (tens of seconds on one core), in a process of its own, and its outcome is a line of
`doctor-runs.jsonl` in --work: interrupted, the harness goes on where it was. The table counts the verdict at the end
of each run: a failure is flagged if that is not green, and its cause right if it is among those expected; on a healthy
run no check at all may be red. Thresholds and rules in ganctl/doctor/ were set on seeds 1 and 11 to 19; seeds from 20
on are held out.
"""

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
import torch.utils.tensorboard

from ganctl.config.preparation import compose, prepare
from ganctl.doctor.history import FILE, read
from ganctl.errors import NotFinite
from ganctl.runs.store import Run
from ganctl.training import start

PLUGINS = "plugins=[benchmarks.doctor_failures]"
PARTS = "benchmarks.doctor_failures"
COMMON = (
    *("device=cpu", "trainer.threads=1", "precision=32", "batch_size=64", "trainer.log_every=20", "trainer.preview=8"),
    *("doctor_every=2500", "sample_every=null", "checkpoint_every=null"),
)
DATASETS = {
    "digits": ("dataset=digits", "dataset.size=16"),
    "mnist": ("dataset=mnist", "dataset.size=16"),
    "fashion_mnist": ("dataset=fashion_mnist", "dataset.size=16"),
}
SUFFIX = {"digits": "Digits", "mnist": "MNIST"}
D_LR, G_LR = "model.optimizers.discriminator.lr", "model.optimizers.generator.lr"
DCGAN = ("model=dcgan", "model.width=32", "images=25k")


@dataclass(frozen=True)
class Case:
    """One recipe. causes: verdicts that name what was done to it; none for a healthy one."""

    name: str
    overrides: tuple[str, ...]
    causes: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ("digits", "mnist")


HEALTHY = (
    Case("dcgan", DCGAN, datasets=("digits", "mnist", "fashion_mnist")),
    Case("lsgan", ("model=lsgan", "model.width=32", "images=30k"), datasets=("digits", "fashion_mnist")),
    Case("wgan", ("model=wgan", "model.width=32", "images=40k"), datasets=("digits",)),
    Case("wgan_gp", ("model=wgan_gp", "model.width=16", "images=40k"), datasets=("mnist",)),
    Case("r1gan", ("model=r1gan", "model.max_width=32", "images=25k"), datasets=("digits",)),
    Case("gan", ("model=gan", "images=40k"), datasets=("digits", "fashion_mnist")),
    Case("cgan", ("model=cgan", "model.width=32", "images=25k")),
    Case("gan_points", ("model=gan", "images=40k"), datasets=("ring8",)),
    Case("enough", (*DCGAN, "dataset._target_={ENOUGH}"), datasets=("digits",)),  # with pictures held out
)
COLLAPSE, DOMINATES, WEAK = "mode collapse", "discriminator dominates", "generator dominates"
FADES, EXPLODES, DIVERGED = "gradient vanishes", "gradients explode", "diverged"
BY_HEART, DATA = "overfitting", "data problem"
WIDE = ("model.game.discriminator.width=64", f"{D_LR}=1e-3", "model.every={generator: 8}")
ONE = f"model.game.prior._target_={PARTS}.OneDraw"
FAILURES = (
    Case("d_strong", (*DCGAN, f"{D_LR}=4e-3", f"{G_LR}=1e-5"), (DOMINATES,)),
    Case("d_much_better", (*DCGAN, *WIDE), (DOMINATES, COLLAPSE)),  # the course's: wider, faster, eight turns to one
    Case("g_strong", (*DCGAN, f"{D_LR}=4e-6", f"{G_LR}=1e-3"), (WEAK,)),
    Case("d_small", (*DCGAN, "model.game.discriminator.width=1", f"{G_LR}=1e-3"), (WEAK,)),
    Case("one_draw", (*DCGAN, ONE), (COLLAPSE,)),
    # thirty times the rate: DCGAN, LSGAN, and on MNIST with some seeds R1GAN, draw digits all the same
    Case(
        "lr_30",
        ("model=r1gan", "model.max_width=32", "images=25k", f"{D_LR}=3e-2", f"{G_LR}=3e-2"),
        (DIVERGED, EXPLODES),
        ("digits",),
    ),
    Case("lr_1000", (*DCGAN, f"{D_LR}=0.2", f"{G_LR}=0.2"), (DIVERGED, EXPLODES)),
    Case("minimax", (*DCGAN, "loss=minimax", f"{D_LR}=4e-3"), (FADES, DOMINATES)),
    Case("few", (*DCGAN, "batch_size=32", "images=15k", "dataset._target_={FEW}"), (DATA, BY_HEART), ("digits",)),
    Case("some", (*DCGAN, "dataset._target_={SOME}"), (BY_HEART, DATA), ("mnist",)),
    Case("by_heart", (*DCGAN, "dataset._target_={SPLIT}"), (BY_HEART, DATA)),
    Case("black", (*DCGAN, "images=10k", "dataset._target_={BLACK}"), (DATA,), ("digits",)),
    Case("one_draw_points", ("model=gan", "images=30k", ONE), (COLLAPSE,), ("ring8",)),
    Case("g_strong_points", ("model=gan", "images=30k", f"{D_LR}=2e-7", f"{G_LR}=1e-3"), (WEAK, COLLAPSE), ("ring8",)),
)
CASES = (*HEALTHY, *FAILURES)


def words(case: Case, dataset: str, seed: int) -> list[str]:
    """The overrides of one run; a case's own stand last and win."""
    own = [each.format(**parts(dataset)) if each.startswith("dataset._target_") else each for each in case.overrides]
    every = [*DATASETS.get(dataset, (f"dataset={dataset}",)), *COMMON, *own, PLUGINS, f"seed={seed}"]
    return [f"{key}={value}" for key, value in dict(word.split("=", 1) for word in every).items()]


def parts(dataset: str) -> dict[str, str]:
    """Names of the datasets that were spoilt."""
    kinds = ("Few", "Some", "Black", "Split", "Enough")
    return {kind.upper(): f"{PARTS}.{kind}{SUFFIX.get(dataset, '')}" for kind in kinds}


def train(case: Case, dataset: str, seed: int, folder: Path) -> None:
    """One run; a training that loses its numbers has ended as it may."""
    os.environ["GANCTL_OUTPUTS"] = str(folder.parent)
    settings = prepare(compose(words(case, dataset, seed)))
    try:
        start.train({**settings, "name": folder.name})
    except NotFinite as error:
        print(error)


def in_a_child(work: Any, log: Path) -> int:
    """A process of its own, forked so that PyTorch is imported once; its output goes to a file."""
    sys.stdout.flush()
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            work()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
    os._exit(0)


def outcome(case: Case, dataset: str, seed: int, run: Run, seconds: float) -> dict[str, Any]:
    """What the doctor said, first and last."""
    found = read(run.folder / FILE)
    last, red = found[-1], [each.images for each in found if each.verdict.level == "red"]
    return {
        "case": case.name,
        "dataset": dataset,
        "seed": seed,
        "expected": list(case.causes) or ["healthy"],
        "verdict": last.verdict.name,
        "level": last.verdict.level,
        "first_red": red[0] if red else None,
        "yellow": sum(each.verdict.level == "yellow" for each in found),
        "checks": len(found),
        "images": last.images,
        "words": last.verdict.words,
        "advice": last.advice.override if last.advice else None,
        "seconds": round(seconds, 1),
    }


def run_all(cases: Sequence[Case], seeds: Sequence[int], work: Path) -> list[dict[str, Any]]:
    """Every case, dataset and seed that has no line yet; returns all lines."""
    work.mkdir(parents=True, exist_ok=True)
    lines = work / "doctor-runs.jsonl"
    done = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for seed in seeds:
        for case in cases:
            for dataset in case.datasets:
                if any((each["case"], each["dataset"], each["seed"]) == (case.name, dataset, seed) for each in done):
                    continue
                name = f"{case.name}-{dataset}-{seed}"
                folder, began = work / name, time.monotonic()
                shutil.rmtree(folder, ignore_errors=True)  # of an interrupted run
                code = in_a_child(lambda: train(case, dataset, seed, folder), work / f"{name}.log")  # noqa: B023
                if code:
                    raise SystemExit(f"{name} ended with {code}; see {work / name}.log")
                done.append(outcome(case, dataset, seed, Run(folder), time.monotonic() - began))
                with lines.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(name, done[-1]["level"], done[-1]["verdict"], done[-1]["seconds"], flush=True)
    return done


def is_right(row: dict[str, Any]) -> bool:
    """Flagged, and by a verdict that names what was done."""
    return row["level"] != "green" and row["verdict"] in row["expected"]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The three figures, as counts."""
    ill = [row for row in rows if row["expected"] != ["healthy"]]
    well = [row for row in rows if row["expected"] == ["healthy"]]
    return {
        "seeds": sorted({row["seed"] for row in rows}),
        "failures": len(ill),
        "flagged": sum(row["level"] != "green" for row in ill),
        "right cause": sum(map(is_right, ill)),
        "healthy": len(well),
        "with a red check": sum(row["first_red"] is not None for row in well),
        "with a yellow check": sum(row["yellow"] > 0 for row in well),
        "yellow at the end": sum(row["level"] == "yellow" for row in well),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The confusion table in Markdown: what was done, how often which verdict stood at the end."""
    lines = ["| what was done | datasets | runs | verdicts at the end | right |", "|---|---|---|---|---|"]
    for case in CASES:
        own = [row for row in rows if row["case"] == case.name]
        if own:
            counts = Counter(f"{row['verdict']} ({row['level']})" for row in own)
            right = sum(is_right(row) if case.causes else row["first_red"] is None for row in own)
            said = ", ".join(f"{count} {name}" for name, count in counts.most_common())
            lines.append(f"| {case.name} | {', '.join(case.datasets)} | {len(own)} | {said} | {right} of {len(own)} |")
    return "\n".join([*lines, "", json.dumps(summary(rows))])


def main() -> None:
    """Run what was asked for, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[20, 21])
    parser.add_argument("--only", nargs="+", help="names of cases", default=[case.name for case in CASES])
    parser.add_argument("--work", type=Path, default=Path("outputs/doctor"))
    parser.add_argument("--out", type=Path, default=None)
    choice = parser.parse_args()
    torch.set_num_threads(1)
    rows = run_all([case for case in CASES if case.name in choice.only], choice.seeds, choice.work)
    print(table(rows))
    if choice.out:
        path = choice.out / f"doctor-{date.today().isoformat()}.json"
        content = {"date": date.today().isoformat(), "torch": torch.__version__, "summary": summary(rows), "runs": rows}
        path.write_text(json.dumps(content, indent=1) + "\n")
        print(path)


if __name__ == "__main__":
    main()
