"""Run folders made by hand, for the tests of tables and pages."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganctl.metrics.contract import Contract, Score
from ganctl.metrics.evaluation import FILE, Evaluation, append
from ganctl.runs import store
from ganctl.runs.store import Run

TERMS = Contract("digits 1x8x8", "1", "train", 100, 200, "classifier", "abcdef0123", "none", "float32", True, 0, "v1")
NAMES = {"fd": "FD-classifier", "precision": "precision", "diversity": "diversity ratio", "covered": "classes covered"}


def settings_of(model: str = "gan", seed: int = 0, dataset: str = "digits", **others: Any) -> dict[str, Any]:
    """What a run saves, as far as a report looks at it."""
    return {
        "images": 640,
        "batch_size": 16,
        "seed": seed,
        "precision": "32",
        "trainer": {"clip": None},
        "dataset": {"_target_": "ganctl.data.small.Digits", "split": "train"},
        "model": {"game": {"_target_": f"ganctl.games.{model}"}},
        "choices": {"model": model, "dataset": dataset},
        "description": {"shape": [1, 8, 8], "classes": 10, "count": 100, "names": ["0"]},
        "overrides": [f"model={model}", f"seed={seed}"],
        **others,
    }


def make_run(outputs: Path, name: str, settings: dict[str, Any], **scores: float) -> Run:
    """A finished run with two evaluations (the first twice as high), two sheets and a curve; no checkpoint."""
    run = store.create(outputs, name, settings, settings["choices"], images=640)
    run.metrics_file.write_text("images_seen,rounds,generator/adversarial\n320,20,2.0\n640,40,1.0\n")
    for seen in (0, 640):
        Image.fromarray(np.full((16, 16, 3), seen % 255, np.uint8)).save(run.samples / f"{seen:09d}.png")
    store.update_status(run, state="finished", images_seen=640, seconds=6.4)
    store.write_result(run, {"peak_memory": 2**30, "parameters": {"generator": 10, "discriminator": 5}})
    for seen, factor in ((320, 2.0), (640, 1.0)):
        add_scores(run, seen, {key: value * factor for key, value in scores.items()})
    return run


def add_scores(run: Run, seen: int, scores: dict[str, float], terms: Contract = TERMS) -> None:
    """One more evaluation."""
    if scores:
        taken = tuple(Score(key, NAMES[key], value, terms, floor=1.0) for key, value in scores.items())
        append(run.folder / FILE, Evaluation(seen, taken, {"0": 1.0}, {"0": 1.0}, origin="training"))
