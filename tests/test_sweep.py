"""Sweeps: titles, tables, locks, signals; and a real one, with a run that fails among runs that finish."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from ganctl import cli
from ganctl.commands import compare
from ganctl.config.preparation import compose, prepare
from ganctl.runs import store
from ganctl.runs.store import Run
from ganctl.sweeps import gpulock, process
from ganctl.sweeps import run as sweeprun
from ganctl.sweeps.plan import Plan, swept_keys, title
from ganctl.sweeps.run import watched
from ganctl.sweeps.table import Row, add_row, print_table, rows_of, write_table

SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "model=gan", "batch_size=16", "images=64", "trainer.log_every=1"]
SMALL += ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]", "trainer.preview=4"]
SMALL += ["device=cpu", "precision=32"]


def test_a_title_holds_what_differs_by_short_names():
    jobs = [["model=gan", "a.b.lr=1", "seed=1"], ["model=gan", "a.b.lr=2", "seed=2"]]
    swept = swept_keys(jobs)
    assert swept == ["a.b.lr", "seed"]
    assert title(jobs[0], swept) == "lr=1,seed=1"
    assert title(["a.lr=1", "b.lr=2", "seed=3"], ["a.lr", "b.lr"]) == "a.lr=1,b.lr=2"
    assert title(["a.lr=1", "seed=3"], []) == "lr=1,seed=3"


def test_a_plan_is_read_as_it_was_saved_and_hands_signals_on(tmp_path):
    plan = Plan(str(tmp_path), ["seed=1"], ["seed"], [])
    plan.save()
    assert Plan.load(tmp_path) == plan
    assert plan.signals() == []
    plan.hand_on(signal.SIGINT)
    plan.hand_on(signal.SIGINT)
    assert plan.signals() == [2, 2]


def test_a_sweep_that_was_killed_ends_its_runs(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert Plan(str(tmp_path), [], [], [], pid=gone.pid).signals() == [signal.SIGTERM]
    assert Plan(str(tmp_path), [], [], [], host="elsewhere", pid=gone.pid).signals() == []


def test_the_table_gives_each_loss_a_column_and_is_sorted(tmp_path):
    add_row(tmp_path, Row(2, "seed=2", "failed", reason="no, really"))
    add_row(tmp_path, Row(1, "seed=1", "finished", 64, 3.5, "here", losses={"d/a": 0.5}))
    assert [row.number for row in rows_of(tmp_path)] == [1, 2]
    with (tmp_path / "sweep.csv").open() as file:
        first, second = csv.DictReader(file)
    assert first == {
        "number": "1",
        "overrides": "seed=1",
        "status": "finished",
        "images_seen": "64",
        "seconds": "3.5",
        "folder": "here",
        "reason": "",
        "d/a": "0.5",
    }
    assert (second["reason"], second["d/a"]) == ("no, really", "")


def test_an_empty_table_has_a_header(tmp_path):
    write_table(tmp_path, [])
    assert (tmp_path / "sweep.csv").read_text() == "\n"


def test_two_claims_take_different_gpus_and_a_third_waits(tmp_path):
    took = []

    def third() -> None:
        with gpulock.claim(["0", "1"], folder=tmp_path) as claim:
            took.append((claim.gpus, time.monotonic()))

    with gpulock.claim(["0", "1"], folder=tmp_path) as one:
        with gpulock.claim(["0", "1"], folder=tmp_path) as two:
            assert (one.gpus, two.gpus) == (("0",), ("1",))
            waiting = threading.Thread(target=third)
            waiting.start()
            time.sleep(0.1)
            assert took == []
        freed = time.monotonic()
        waiting.join()
    assert took[0][0] == ("1",)
    assert took[0][1] >= freed


def test_a_claim_can_be_given_up(tmp_path):
    def give_up() -> None:
        raise sweeprun.Abandoned

    held, wanted = (gpulock.claim(["0"], folder=tmp_path, waiting=give_up) for _ in range(2))
    with held, pytest.raises(sweeprun.Abandoned), wanted:
        pass
    with gpulock.claim(["1", "0"], everyone=True, folder=tmp_path) as both:
        assert both.gpus == ("0", "1")


def test_a_lock_lives_as_long_as_the_child_that_inherited_it(tmp_path):
    with gpulock.claim(["0"], folder=tmp_path) as claim:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=claim.files)

    def give_up() -> None:
        raise sweeprun.Abandoned

    with pytest.raises(sweeprun.Abandoned), gpulock.claim(["0"], folder=tmp_path, waiting=give_up):
        pass
    child.communicate(b"\n")
    with gpulock.claim(["0"], folder=tmp_path, waiting=give_up):
        pass


def test_visible_gpus_follow_the_environment(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpulock.visible(2) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-a1")
    assert gpulock.visible(2) == ["3", "GPU-a1"]


CHILD = """
import os, signal, sys, time
heard = []
signal.signal(signal.SIGINT, lambda *_: heard.append(1))
print("ganctl train: begun", file=sys.stderr, flush=True)
open("ready", "w").close()
while len(heard) < 2:
    time.sleep(0.02)
sys.exit(130)
"""


def test_signals_of_the_sweep_reach_a_run_one_by_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(process, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(process, "worker_command", lambda folder: [sys.executable, "-c", CHILD])
    sent: list[int] = []

    def signals() -> list[int]:
        if Path("ready").exists() and len(sent) < 2:
            sent.append(signal.SIGINT)
            time.sleep(0.2)  # the next one comes after the first was heard
        return sent

    code, told = process.play_apart(tmp_path, signals, {})
    assert (code, told) == (130, "begun")
    assert (tmp_path / "stderr.txt").read_text() == "ganctl train: begun\n"


def test_a_leashed_process_ends_when_the_other_end_closes():
    code = "import time; from ganctl.sweeps.process import stop_with_parent; stop_with_parent(); time.sleep(30)"
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=environment)
    time.sleep(0.3)
    assert child.poll() is None
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=10) == -signal.SIGTERM


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANCTL_OUTPUTS", raising=False)
    monkeypatch.delenv("GANCTL_CONF", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    return tmp_path


def test_mistakes_of_all_runs_are_told_before_any_begins(elsewhere, capsys):
    words = ["-m", *SMALL, "seed=1,-2", "imges=3", "hydra/launcher=jolib", "name=s"]
    assert cli.main(["train", *words]) == 2
    assert capsys.readouterr().err == (
        "ganctl train: 3 mistakes\n"
        "  hydra/launcher=jolib: no such option; did you mean 'joblib'?\n"
        "  imges: no such key; did you mean 'images'?\n"
        "  seed: -2; must be 0 or more (in seed=-2)\n"
    )
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_there_is_told_before_any_run_begins(elsewhere, capsys):
    assert cli.main(["train", "-m", *(word for word in SMALL if "device" not in word), "seed=1,2", "device=cuda"]) == 2
    assert "this machine shows no NVIDIA GPU" in capsys.readouterr().err
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("name=a,b", "name: belongs to the whole sweep; give one value"),
        ("model.game.generator.hidden=interval(1,2)", "an interval cannot be counted; write the values: a,b,c"),
        ("loss=glob(h*)", "loss=glob(h*): glob() is not taken; write the names: a,b,c"),
        ("hydra.luncher=3", "hydra.luncher=3: Hydra knows no such setting, or no such value of it"),
    ],
)
def test_what_a_sweep_refuses(elsewhere, word, told, capsys):
    assert cli.main(["train", "-m", "seed=1,2", word]) == 2
    assert told in capsys.readouterr().err


def test_a_dry_sweep_lists_its_runs(elsewhere, capsys):
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "loss=hinge,least_squares", "dry_run=true"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 runs, all checked:"
    assert lines[2] == "  seed=1,loss=least_squares"
    assert list(elsewhere.iterdir()) == []


def early_stop_of(*words: str) -> str | None:
    return watched(prepare(compose([*SMALL, *words])))["early_stop"]


def test_the_doctor_may_end_runs_of_a_sweep_unless_the_user_said_otherwise():
    assert early_stop_of() == "doctor"
    assert early_stop_of("early_stop=null") is None
    assert early_stop_of("early_stop=diversity", "evaluate_every=32") == "diversity"
    assert early_stop_of("doctor_every=null") is None


def test_a_comparison_plays_all_runs_to_the_same_length():
    assert compare.evaluations(["model=gan,dcgan", "images=50k"]) == ["evaluate_every=10000", "early_stop=null"]
    assert compare.evaluations(["images=50k", "early_stop=doctor"]) == ["evaluate_every=10000"]
    assert compare.evaluations(["images=50k,20k", "early_stop=doctor"]) == ["evaluate_every=4000"]
    assert compare.evaluations(["minutes=1"]) == [compare.ENDLESS, "images=100M", "early_stop=null"]


def test_a_run_that_the_doctor_ended_is_no_failure_and_is_not_played_again(elsewhere, monkeypatch, capsys):
    """The second of two runs is found sick halfway."""
    played = []

    def play_apart(folder, signals, environment, inherited=(), quiet=False):
        run = Run(folder)
        seen = 32 if played else 64
        played.append(store.read_config(run)["early_stop"])
        store.write_result(run, {"images_seen": seen, "verdict": "mode collapse"})
        store.update_status(run, state="finished", images_seen=seen)
        return 0, ""

    monkeypatch.setattr(sweeprun, "play_apart", play_apart)
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "name=s"]) == 0
    told = capsys.readouterr().out
    assert "run 2 (seed=2): stopped early: the doctor says mode collapse" in told
    assert [row.status for row in rows_of(elsewhere / "outputs" / "s")] == ["finished", "stopped early"]
    assert played == ["doctor", "doctor"]
    assert cli.main(["train", "resume=s"]) == 0
    assert "a sweep of 2 runs, 0 to go, in outputs/s" in capsys.readouterr().out
    assert len(played) == 2


def test_a_run_that_its_score_ended_has_finished_and_says_why(elsewhere, monkeypatch, capsys):
    def play_apart(folder, signals, environment, inherited=(), quiet=False):
        best = {"key": "diversity", "name": "diversity", "value": 0.91, "images_seen": 32}
        store.write_result(Run(folder), {"images_seen": 48, "best": best, "verdict": "healthy"})
        store.update_status(Run(folder), state="finished", images_seen=48)
        return 0, ""

    monkeypatch.setattr(sweeprun, "play_apart", play_apart)
    watched = ["early_stop=diversity", "evaluate_every=16"]
    assert cli.main(["train", "-m", *SMALL, *watched, "seed=1,2", "name=s"]) == 0
    why = "stopped early, as it had become worse than at its best (diversity 0.91 after 32 images: best.ckpt)"
    assert f"run 2 (seed=2): {why}" in capsys.readouterr().out
    assert [row.status for row in rows_of(elsewhere / "outputs" / "s")] == ["finished", "finished"]


def test_a_sweep_that_goes_on_keeps_its_settings_and_is_played_once_at_a_time(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(sweeprun, "play_apart", lambda folder, *_, **__: (130, "interrupted"))
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "name=s"]) == 1
    assert "interrupted" in capsys.readouterr().out
    assert cli.main(["train", "resume=s", "images=1M", "hydra/launcher=jolib"]) == 2
    assert capsys.readouterr().err == (
        "ganctl train: 2 mistakes\n"
        "  images=1M: a sweep keeps its settings; only hydra's launcher may change\n"
        "  hydra/launcher=jolib: no such option; did you mean 'joblib'?\n"
    )
    other = "import sys, time; from pathlib import Path; from ganctl.runs.lock import hold\n"
    other += "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", other, str(elsewhere / "outputs" / "s" / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert cli.main(["train", "resume=s"]) == 2
        holder.kill()
    assert f"outputs/s is being played by process {holder.pid} on host" in capsys.readouterr().err


EVIL = "raise SystemExit('imported')\n"


def test_a_sweeps_folder_is_trusted_with_no_module_and_no_class(elsewhere, monkeypatch, capsys):
    monkeypatch.setattr(sweeprun, "play_apart", lambda folder, *_, **__: (130, "interrupted"))
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "name=s"]) == 1
    folder = elsewhere / "outputs" / "s"
    (folder / "evil.py").write_text(EVIL)
    plan = json.loads((folder / ".plan.json").read_text())
    plan["settings"][1]["plugins"] = ["outputs.s.evil"]
    plan["settings"][1]["model"]["game"]["_target_"] = "outputs.s.evil.Game"
    (folder / ".plan.json").write_text(json.dumps(plan))
    capsys.readouterr()
    assert cli.main(["train", "resume=s"]) == 2
    told = capsys.readouterr().err
    assert "outputs.s.evil.Game" in told
    assert "(in seed=2)" in told
    plan["settings"][1] = plan["settings"][0]
    plan["hydras"] = ["hydra.callbacks.x._target_=os.system", "hydra/launcher=basic"]
    (folder / ".plan.json").write_text(json.dumps(plan))
    assert cli.main(["train", "resume=s"]) == 2
    assert "hydra.callbacks.x._target_=os.system: stands in " in capsys.readouterr().err


def test_what_lies_in_a_runs_folder_gives_way_to_the_sweeps_checked_settings(elsewhere, monkeypatch):
    played = []

    def play_apart(folder, *_, **__):
        played.append(store.read_config(Run(folder))["plugins"])
        return 130, "interrupted"

    monkeypatch.setattr(sweeprun, "play_apart", play_apart)
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "name=s"]) == 1
    run = Run(next(path for path in (elsewhere / "outputs" / "s").iterdir() if path.name.startswith("1-")))
    store.write_config(run, {**store.read_config(run), "plugins": ["evil"]})
    cli.main(["train", "resume=s"])
    assert played == [[]] * 4


@pytest.mark.parametrize("what", ["callbacks", "job_logging"])
def test_hydras_own_settings_in_a_yaml_are_refused(elsewhere, capsys, what):
    """In a train.yaml, and in an option that sets them from below."""
    (elsewhere / "conf" / "model").mkdir(parents=True)
    ours = Path(cli.__file__).parents[1] / "conf"
    evil = {"callbacks": {"x": {"_target_": "logging.FileHandler", "filename": "x"}}}
    evil["job_logging"] = {"handlers": {"x": {"class": "logging.FileHandler", "filename": "x"}}}
    hydras = f"hydra: {json.dumps({what: evil[what]})}\n"
    (elsewhere / "conf" / "train.yaml").write_text((ours / "train.yaml").read_text() + hydras)
    words = ["-m", *SMALL, "seed=1,2", "name=s", "--config-dir", "conf"]
    assert cli.main(["train", *words]) == 2
    assert "train.yaml: hydra: belongs on the command line" in capsys.readouterr().err
    (elsewhere / "conf" / "train.yaml").unlink()
    (elsewhere / "conf" / "model" / "dcgan.yaml").write_text("# @package _global_\n" + hydras)
    assert cli.main(["train", *words]) == 2
    assert f"hydra.{what}: stands in a YAML file, and could run anything" in capsys.readouterr().err
    assert not (elsewhere / "x").exists()


@pytest.mark.parametrize("word", ["dry_run=TRUE", "dry_run=True", "dry_run=true"])
def test_a_dry_run_of_a_sweep_trains_nothing_however_it_is_written(elsewhere, word, capsys):
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", word]) == 0
    assert "2 runs, all checked" in capsys.readouterr().out
    assert not (elsewhere / "outputs").exists()


def test_a_switch_that_cannot_be_read_is_a_mistake(elsewhere, capsys):
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "dry_run=perhaps"]) == 2
    assert "dry_run" in capsys.readouterr().err
    assert not (elsewhere / "outputs").exists()


def test_a_sweep_in_a_folder_with_an_apostrophe(elsewhere, monkeypatch, capsys):
    place = elsewhere / "Bob's"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr(sweeprun, "play_apart", lambda folder, *_, **__: (130, "interrupted"))
    assert cli.main(["train", "-m", *SMALL, "seed=1,2", "name=s"]) == 1
    assert len(rows_of(place / "outputs" / "s")) == 2


def test_a_sweep_whose_plan_is_damaged_is_told_in_words(elsewhere, capsys):
    folder = elsewhere / "outputs" / "s"
    folder.mkdir(parents=True)
    short = json.dumps({"folder": str(folder), "titles": ["seed=1"], "swept": [], "config_dirs": [], "settings": []})
    for text in ("{", short):
        (folder / ".plan.json").write_text(text)
        assert cli.main(["train", "resume=s"]) == 2
        assert ".plan.json cannot be read (" in capsys.readouterr().err


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Two runs at once, of which the first goes to infinity; a key that only the optimizer knows is set, too."""
    place = tmp_path_factory.mktemp("sweep")
    words = ["model.optimizers.discriminator.lr=1e38,1e-3", "model.optimizers.generator.eps=1e-7", *SMALL]
    words += ["name=s", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    environment = {name: value for name, value in environment.items() if name not in ("GANCTL_OUTPUTS", "GANCTL_CONF")}
    command = [sys.executable, "-m", "ganctl", "train", *words[:2], "-m", *words[2:]]
    found = subprocess.run(command, capture_output=True, text=True, cwd=place, env=environment, check=False)
    return found, place


def test_a_failed_run_is_reported_and_the_others_go_on(swept):
    found, place = swept
    assert found.returncode == 1, found.stderr
    with (place / "outputs" / "s" / "sweep.csv").open() as file:
        failed, good = csv.DictReader(file)
    assert (failed["overrides"], failed["status"]) == ("lr=1e+38", "not finite")
    assert "is not finite" in failed["reason"] or " is nan" in failed["reason"] or " is inf" in failed["reason"]
    assert (good["overrides"], good["status"], good["images_seen"]) == ("lr=0.001", "finished", "64")
    assert float(good["generator/adversarial"]) > 0
    assert good["folder"] == "outputs/s/2-lr=0.001"
    assert (place / good["folder"] / "checkpoints" / "last.ckpt").exists()


def test_a_sweep_ends_with_a_table_and_leaves_no_logs_of_hydra(swept):
    found, place = swept
    assert "lr=0.001" in found.stdout
    assert "run 1 (lr=1e+38): " in found.stdout
    assert "outputs/s/sweep.csv" in found.stdout
    assert found.stderr == ""
    names = {path.name for path in place.rglob("*")}
    assert ".hydra" not in names
    assert not any(name.endswith(".log") for name in names)
    assert {path.name for path in (place / "outputs" / "s").iterdir() if path.is_dir()} == {"1-lr=1e+38", "2-lr=0.001"}


def test_brackets_in_settings_are_shown(tmp_path, capsys):
    print_table(tmp_path, [Row(1, "policy=[colour]"), Row(2, "only=[good] :cat:")])
    shown = capsys.readouterr().out
    assert "policy=[colour]" in shown
    assert "only=[good] :cat:" in shown


def test_the_score_that_is_watched_stands_first_in_the_table(tmp_path, capsys):
    losses = {"fd": 30.0, "precision": 0.9, "recall": 0.5, "covered": 7, "duplicates": 0.25}
    print_table(tmp_path, [Row(1, "seed=1", losses=losses)], "duplicates")
    shown = capsys.readouterr().out
    assert shown.index("duplicates 0.25") < shown.index("fd 30") < shown.index("recall 0.5")
    assert "covered" not in shown
