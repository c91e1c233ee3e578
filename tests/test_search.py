"""A search: what may be chosen, what is refused, a run of trials that is interrupted and goes on, sick runs."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_samples import TERMS

from ganctl import cli
from ganctl.doctor import history
from ganctl.doctor.history import Diagnosis
from ganctl.doctor.rules import Verdict
from ganctl.doctor.signals import Facts, Signals
from ganctl.metrics.contract import Score
from ganctl.metrics.evaluation import FILE, Evaluation, append
from ganctl.runs import store
from ganctl.runs.store import Run
from ganctl.sweeps import run as sweeprun
from ganctl.sweeps import study
from ganctl.sweeps.plan import Plan, Search, title
from ganctl.sweeps.referee import Referee
from ganctl.sweeps.space import Dimension, space_of
from ganctl.sweeps.table import rows_of

RATE = "model.optimizers.generator.lr"
SMALL = ["dataset=ring8", "model=gan", "batch_size=16", "images=64", "device=cpu", "precision=32"]


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GANCTL_OUTPUTS", "GANCTL_CONF"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "outputs"


def only(word: str) -> Dimension:
    (found,), fixed = space_of([word, "model=gan"], [])
    assert fixed == ["model=gan"]
    return found


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("lr=interval(1e-5,1e-3)", Dimension("lr", (), 1e-5, 1e-3, log=True)),
        ("lr=interval(0.1,0.3)", Dimension("lr", (), 0.1, 0.3)),
        ("lr=tag(linear,interval(0.1,3.0))", Dimension("lr", (), 0.1, 3.0)),
        ("lr=tag(log,interval(0.1,0.3))", Dimension("lr", (), 0.1, 0.3, log=True)),
        ("every=interval(1,5)", Dimension("every", (), 1, 5, whole=True)),
        ("loss=hinge,r1", Dimension("loss", ("hinge", "r1"))),
        ("loss=choice(hinge,r1)", Dimension("loss", ("hinge", "r1"))),
        ("every=range(1,4)", Dimension("every", ("1", "2", "3"))),
    ],
)
def test_what_may_be_chosen(word, found):
    assert only(word) == found


def test_values_are_written_as_overrides():
    taken = SimpleNamespace(
        suggest_float=lambda key, low, high, log: 0.000123456789,
        suggest_int=lambda key, low, high, log: 3,
        suggest_categorical=lambda key, choices: choices[1],
    )
    words = [each.suggested(taken) for each in map(only, ("lr=interval(1e-5,1e-3)", "k=interval(1,5)", "loss=a,b"))]
    assert words == ["lr=0.000123457", "k=3", "loss=b"]
    assert only("k=interval(1,5)").corners() == ["k=1", "k=5"]


def test_titles_take_the_shortest_end_that_is_clear():
    keys = ["model.optimizers.generator.lr", "model.optimizers.discriminator.lr", "seed"]
    assert title([f"{key}=1" for key in keys], keys) == "generator.lr=1,discriminator.lr=1,seed=1"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["search=fd_classifier", f"{RATE}=1e-3,1e-4"], "search: no score 'fd_classifier'; did you mean 'fd'?"),
        (["search=precison", f"{RATE}=1e-3,1e-4"], "did you mean 'precision'?"),
        (["search=kl"], "search: nothing to choose; give a key several values"),
        (["search=kl", "trials=no", f"{RATE}=1e-3,1e-4"], "trials: no; must be a whole number, 1 or more"),
        (["-m", "trials=4", f"{RATE}=1e-3,1e-4"], "trials: belongs to a search; say for which score"),
        (["search=kl", f"{RATE}=interval(1e-3,1e-5)"], "the first end must be the lower one"),
        (["search=kl", f"{RATE}=tag(log,interval(-1.0,1.0))"], "a logarithm needs ends above 0"),
        (["search=kl", "loss=glob(h*)"], "loss=glob(h*): glob() is not taken; write the names: a,b,c"),
        (["search=kl", "imges=64", f"{RATE}=1e-3,1e-4"], "imges: no such key; did you mean 'images'?"),
        (["search=kl", "batch_size=-1,16"], "batch_size: -1; must be 1 or more (in batch_size=-1)"),
        (["search=kl", f"{RATE}=1e-3,1e-4", "hydra/launcher=jolib"], "no such option; did you mean 'joblib'?"),
    ],
)
def test_what_a_search_refuses(outputs, words, told, capsys):
    base = [word for word in SMALL if word.partition("=")[0] not in [each.partition("=")[0] for each in words]]
    assert cli.main(["train", *base, *words]) == 2
    assert told in capsys.readouterr().err
    assert not outputs.exists()


def test_without_optuna_one_sentence_says_how_to_get_it(outputs, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert cli.main(["train", *SMALL, "search=kl", f"{RATE}=1e-3,1e-4"]) == 2
    told = 'search: needs Optuna, which is not installed; install it with: pip install "optuna>=5,<6"'
    assert capsys.readouterr().err == f"ganctl train: {told}\n"


def test_a_dry_search_says_what_it_would_choose(outputs, capsys):
    words = ["search=kl", "trials=7", f"{RATE}=interval(1e-5,1e-3)", "seed=1,2", "dry_run=true"]
    assert cli.main(["train", *SMALL, *words]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "a search for the best reverse KL in 7 trials:",
        f"  {RATE}: 1e-05 to 0.001, by the logarithm",
        "  seed: 1, 2",
    ]
    assert not outputs.exists()


class Stage:
    """Plays in place of a process: KL is the distance of the rate from 1e-3 in powers of ten."""

    def __init__(self, ends: dict[int, int]) -> None:
        self.ends = ends  # play -> exit code, where it is not 0
        self.folders: list[str] = []

    def play_apart(self, folder, signals, environment, inherited=(), quiet=False):
        run, code = Run(folder), self.ends.get(len(self.folders), 0)
        self.folders.append(folder.name)
        if code == 130:
            Plan.load(folder.absolute().parent).hand_on(signal.SIGINT)
            store.update_status(run, state="interrupted", images_seen=32)
            return 130, "interrupted"
        if code:
            return code, "round 3: a loss is nan"
        rate = store.read_config(run)["model"]["optimizers"]["generator"]["lr"]
        value = abs(math.log10(rate) + 3)
        append(folder / FILE, Evaluation(64, (Score("kl", "reverse KL", value, TERMS),), origin="training"))
        store.update_status(run, state="finished", images_seen=64)
        return 0, ""


def test_a_search_is_interrupted_and_goes_on(outputs, monkeypatch, capsys):
    pytest.importorskip("optuna")
    stage = Stage({1: 4, 2: 130})  # the second trial fails, the third is interrupted
    monkeypatch.setattr(sweeprun, "play_apart", stage.play_apart)
    assert cli.main(["train", *SMALL, "search=kl", "trials=4", f"{RATE}=interval(1e-5,1e-1)", "name=s"]) == 130
    told = capsys.readouterr().out
    assert "go on  ganctl train resume=outputs/s" in told
    assert [row.status for row in rows_of(outputs / "s")] == ["finished", "not finite", "interrupted"]
    assert cli.main(["train", "resume=s"]) == 0
    told = capsys.readouterr().out
    assert "2 of 4 trials to go" in told
    rows = rows_of(outputs / "s")
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert [row.status for row in rows] == ["finished", "not finite", "finished", "finished"]
    assert "run 2 (" in told
    assert "a loss is nan" in told
    assert stage.folders[3] == stage.folders[2]  # the interrupted run was played on in its folder
    assert len(set(stage.folders)) == 4
    best = min((row for row in rows if row.losses), key=lambda row: row.losses["kl"])
    assert f"best   run {best.number} (lr=" in told
    lines = (outputs / "s" / "sweep.csv").read_text().splitlines()
    assert lines[1].startswith(f"{best.number},")  # the leaderboard
    assert lines[4].startswith("2,")  # what failed comes last
    assert cli.main(["train", "resume=s", "trials=6"]) == 0
    assert len(rows_of(outputs / "s")) == 6
    assert cli.main(["list", "runs", "sort=kl"]) == 0
    assert capsys.readouterr().out.splitlines()[-6:][0] != ""


def test_a_search_that_goes_on_keeps_its_settings(outputs, monkeypatch, capsys):
    pytest.importorskip("optuna")
    monkeypatch.setattr(sweeprun, "play_apart", Stage({}).play_apart)
    assert cli.main(["train", *SMALL, "search=kl", "trials=1", f"{RATE}=1e-3,1e-4", "name=s"]) == 0
    assert cli.main(["train", "resume=s", "images=128"]) == 2
    assert "images=128: a search keeps its settings; only trials= and hydra's launcher" in capsys.readouterr().err
    plan = json.loads((outputs / "s" / ".plan.json").read_text())
    plan["search"]["fixed"].append("plugins=[outputs.s.evil]")
    (outputs / "s" / ".plan.json").write_text(json.dumps(plan))
    assert cli.main(["train", "resume=s", "trials=2"]) == 2
    assert "the search was begun with plugins=[outputs.s.evil]; give plugins= again if" in capsys.readouterr().err
    plan["search"]["fixed"].pop()
    (outputs / "s" / ".plan.json").write_text(json.dumps(plan))
    stored = Plan.load(outputs / "s").search
    assert stored == Search("kl", True, 1, stored.space, stored.fixed)
    assert "early_stop=kl" in stored.fixed
    assert "evaluate_every=16" in stored.fixed


def trial_of(folder: Path, values: list[float]):
    """A new trial beside trials that reached these values at the first two steps."""
    found = study.study_of(folder, lower_is_better=True, seed=1)
    for value in values:
        other = found.ask()
        for step in (1, 2):
            other.report(value, step)
        study.tell(found, other, value)
    return found.ask()


def test_the_referee_does_not_stop_for_little_data(tmp_path):
    pytest.importorskip("optuna")
    referee = Referee(trial_of(tmp_path, []), tmp_path, "kl", 100, list)
    for _ in range(3):
        found = Diagnosis(Verdict("data problem", "red", "Only 80."), Signals(64, 1), Facts(80), None)
        history.append(tmp_path / history.FILE, found)
    assert referee.signals() == []


def test_the_referee_stops_what_the_doctor_sees_red_in_two_checks(tmp_path):
    pytest.importorskip("optuna")
    referee = Referee(trial_of(tmp_path, []), tmp_path, "kl", 100, list)
    assert referee.signals() == []
    for level in ("red", "green", "red", "red"):
        assert referee.signals() == []
        found = Diagnosis(Verdict("collapse", level, "All alike."), Signals(64, 1), Facts(1_000), None)
        history.append(tmp_path / history.FILE, found)
    assert referee.signals() == [signal.SIGTERM]
    assert referee.reason == "stopped early: the doctor says collapse"


def test_the_referee_stops_what_lies_behind_the_median(tmp_path):
    pytest.importorskip("optuna")
    trial = trial_of(tmp_path, [1.0, 2.0, 3.0, 4.0, 5.0])
    for name, values, stopped in (("good", (4.0, 2.9), False), ("bad", (4.0, 3.5), True)):
        (tmp_path / name).mkdir()
        referee = Referee(trial.study.ask(), tmp_path / name, "kl", 100, list)
        found = []
        for seen, value in zip((100, 200), values, strict=True):
            append(tmp_path / name / FILE, Evaluation(seen, (Score("kl", "reverse KL", value, TERMS),)))
            found.append(bool(referee.signals()))
        assert found == [False, stopped]  # the first evaluation is only a beginning
    assert referee.reason == "stopped early: reverse KL 3.5 after 200 images is behind the other trials"


@pytest.mark.slow
def test_a_real_search_in_two_processes(outputs, monkeypatch):
    pytest.importorskip("optuna")
    words = ["search=kl", "trials=3", f"{RATE}=1e-3,1e-4", "name=s", "sample_every=null", "trainer.threads=1"]
    words += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "ganctl", "train", *SMALL, *words]
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert found.returncode == 0, found.stderr
    assert "best   run" in found.stdout
    assert len(rows_of(outputs / "s")) == 3
