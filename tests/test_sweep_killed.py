"""Real sweeps in two processes, ended by a real SIGKILL: what goes on afterwards loses no run and plays none twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganctl import cli
from ganctl.metrics import evaluation
from ganctl.runs import store
from ganctl.runs.store import Run
from ganctl.sweeps import study
from ganctl.sweeps.table import rows_of

IMAGES = 6000
SMALL = ["dataset=ring8", "model=gan", "batch_size=16", f"images={IMAGES}", "evaluate_every=3000", "sample_every=null"]
SMALL += ["checkpoint_every=160", "device=cpu", "precision=32", "trainer.threads=1", "name=s"]
TWO = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
SEARCH = ["search=kl", "trials=3", "model.optimizers.generator.lr=interval(1e-4,1e-3)", *TWO]
SWEEP = ["-m", "seed=1,2,3"]
PATIENCE_SECONDS = 240


def begin(place: Path, *words: str) -> "subprocess.Popen[bytes]":
    """`ganctl train` in a session of its own, as a terminal would have it."""
    surroundings = {name: text for name, text in os.environ.items() if name not in ("GANCTL_OUTPUTS", "GANCTL_CONF")}
    surroundings |= {"PYTHONPATH": str(Path(cli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganctl", "train", *words]
    with (place / "told.txt").open("ab") as told:
        return subprocess.Popen(command, cwd=place, env=surroundings, stdout=told, stderr=told, start_new_session=True)


def wait_until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def runs_in(folder: Path) -> list[Run]:
    return sorted(store.runs_at(folder), key=lambda run: run.name)


def kill_in_the_middle(place: Path, words: list[str], at_once: int, *, everything: bool) -> list[Run]:
    """SIGKILL when that many runs have saved something; to the whole session, or to the counting process alone."""
    child, folder = begin(place, *SMALL, *words), place / "outputs" / "s"
    wait_until(lambda: sum(bool(store.available(run)) for run in runs_in(folder)) == at_once)
    (os.killpg if everything else os.kill)(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    begun = runs_in(folder)
    assert {store.stored_status(run).state for run in begun} <= {"running", "interrupted"}
    return begun


def go_on(place: Path) -> str:
    """`ganctl train resume=s` to its end; what it said."""
    child = begin(place, "resume=s")
    code = child.wait(timeout=PATIENCE_SECONDS)
    told = (place / "told.txt").read_text()
    assert code == 0, told
    return told


def demand_three_whole_runs(place: Path, begun: list[Run]) -> None:
    folder = place / "outputs" / "s"
    rows = rows_of(folder)
    assert [(row.number, row.status) for row in rows] == [(1, "finished"), (2, "finished"), (3, "finished")]
    runs = runs_in(folder)
    assert {run.folder for run in begun} < {run.folder for run in runs}
    assert sorted(place / row.folder for row in rows) == [run.folder for run in runs]  # three folders, none twice
    for run in runs:
        assert store.read_status(run).images_seen >= IMAGES
        seen = [each.images_seen for each in evaluation.read(run.folder / evaluation.FILE)]
        assert seen[-2:] == [3008, 6000]  # before them, one of the moment when the run was told to stop
        assert seen == sorted(set(seen))
        lines = run.metrics_file.read_text().splitlines()
        assert [line.split(",")[0] for line in lines] == ["images_seen", *map(str, [*range(800, IMAGES, 800), IMAGES])]


def test_a_search_killed_whole_goes_on(tmp_path):
    pytest.importorskip("optuna")
    begun = kill_in_the_middle(tmp_path, SEARCH, 2, everything=True)
    folder = tmp_path / "outputs" / "s"
    with (folder / study.FILE).open("ab") as journal:  # as if it had been killed while writing to the disk
        journal.write(b'{"op_code":6,"wor')
    with (folder / ".rows.jsonl").open("ab") as journal:
        journal.write(b'{"number": 7, "ov')
    told = go_on(tmp_path)
    assert "3 of 3 trials to go" in told
    assert "best   run" in told
    demand_three_whole_runs(tmp_path, begun)
    trials = study.trials(study.study_of(folder, lower_is_better=True, seed=0))
    assert [(each.number, each.state.name) for each in trials] == [(0, "COMPLETE"), (1, "COMPLETE"), (2, "COMPLETE")]
    for trial, row in zip(trials, rows_of(folder), strict=True):
        assert trial.value == row.losses["kl"]
        rate = store.read_config(Run(tmp_path / row.folder))["model"]["optimizers"]["generator"]["lr"]
        assert rate == pytest.approx(trial.params["model.optimizers.generator.lr"], rel=1e-5)


@pytest.mark.parametrize(
    ("launcher", "at_once"), [([], 1), pytest.param(TWO, 2, marks=pytest.mark.slow)], ids=["basic", "joblib"]
)
def test_a_sweep_whose_counting_process_is_killed_goes_on_at_once(launcher, at_once, tmp_path):
    begun = kill_in_the_middle(tmp_path, [*SWEEP, *launcher], at_once, everything=False)
    told = go_on(tmp_path)  # while the runs of the killed sweep are still saving
    assert "a sweep of 3 runs, 3 to go, in outputs/s" in told
    demand_three_whole_runs(tmp_path, begun)
    assert "0 to go" in go_on(tmp_path)
