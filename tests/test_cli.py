"""The front door: what each command prints, its exit codes, its words, and how little it imports."""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ganctl import cli, logs
from ganctl.commands import completion, train, trainhelp
from ganctl.commands.runtable import describe_runs
from ganctl.config.confdir import conf_dir
from ganctl.errors import NotFinite, Stopped, UserError
from ganctl.runs import store

HEAVY = ("torch", "hydra", "omegaconf", "pytorch_lightning", "numpy")
CONF = conf_dir()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every test in an empty folder, with nothing of the user's."""
    monkeypatch.chdir(tmp_path)
    for name in ("GANCTL_CONF", "GANCTL_OUTPUTS", "GANCTL_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    root = str(Path(cli.__file__).parents[1])
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root, **environment}, check=False
    )


def test_help_names_every_command_and_how_to_begin(capsys):
    assert cli.main([]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines() if line.startswith("  ")][:3] == ["train", "sample", "list"]
    assert "ganctl train model=dcgan" in told


def test_every_file_of_a_command_is_found():
    folder = Path(cli.__file__).with_name("commands")
    having_run = {file.stem for file in folder.glob("*.py") if "\ndef run(argv" in file.read_text()}
    assert having_run == set(cli.commands())


def test_version(capsys):
    import ganctl

    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"ganctl {ganctl.__version__}\n"


def test_an_unknown_command_is_answered_with_the_nearest(capsys):
    assert cli.main(["trian"]) == 2
    assert capsys.readouterr().err == "ganctl: no command 'trian'; did you mean 'train'? (see ganctl --help)\n"


def raising(error: BaseException):
    def work() -> int:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UserError("images: -5; must be 1 or more"), 2, "ganctl train: images: -5; must be 1 or more\n"),
        (UserError("one", "two"), 2, "ganctl train: 2 mistakes\n  one\n  two\n"),
        (NotFinite("round 3: loss is nan"), 4, "ganctl train: round 3: loss is nan\n"),
        (Stopped("saved", 143), 143, "ganctl train: saved\n"),
        (KeyboardInterrupt(), 130, "ganctl train: interrupted\n"),
    ],
)
def test_an_end_is_told_in_words_and_by_its_exit_code(error, code, told, capsys):
    assert cli.guarded("train", raising(error)) == code
    assert capsys.readouterr().err == told


def test_an_unexpected_error_says_where_its_traceback_is(capsys, monkeypatch):
    assert cli.guarded("train", raising(ZeroDivisionError("by\nnought"))) == 1
    sentence = "ganctl train: stopped by an unexpected error: ZeroDivisionError: by nought"
    assert capsys.readouterr().err == f"{sentence}; set GANCTL_TRACEBACK=1 to see the traceback\n"

    logged = ZeroDivisionError("by nought")
    logged.add_note("the traceback is in outputs/a/log.txt")
    assert cli.guarded("train", raising(logged)) == 1
    assert capsys.readouterr().err == f"{sentence}; the traceback is in outputs/a/log.txt\n"

    monkeypatch.setenv("GANCTL_TRACEBACK", "1")
    assert cli.guarded("train", raising(ZeroDivisionError("by nought"))) == 1
    told = capsys.readouterr().err
    assert "Traceback (most recent call last)" in told
    assert told.endswith(f"{sentence}\n")


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["list"],
        ["list", "runs"],
        ["train", "--help"],
        ["sample", "--help"],
        ["completion", "bash"],
        ["completion", "query", "train", "model=d"],
        ["completion", "query", "sample", "run="],
    ],
    ids=" ".join,
)
def test_what_is_asked_often_imports_nothing_heavy(words):
    code = f"""
import sys
from ganctl.cli import main
main({words!r})
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    found = python(code)
    assert found.returncode == 0
    assert found.stderr == "[]\n"


def test_sampling_imports_no_lightning_and_no_hydra():
    found = python(
        "import sys, ganctl.trained.sampling as s; print([n for n in sys.modules if 'lightning' in n or n == 'hydra'])"
    )
    assert found.stdout == "[]\n", found.stderr


def in_bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `ganctl` is this checkout's."""
    root = str(Path(cli.__file__).parents[1])
    words = f'ganctl() {{ {sys.executable} -m ganctl "$@"; }}\n{script}'
    surroundings = {**os.environ, "PYTHONPATH": root, **environment}
    return subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=surroundings, check=False)


def test_python_m_ganctl_into_a_pipe():
    found = in_bash("ganctl list | head -1; echo ${PIPESTATUS[0]}")
    assert found.stdout.splitlines() == ["augments  (augment=...)", "0"]
    assert found.stderr == ""


@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", ["--help", "--version", "list models", "train --help", "sample --help"])
def test_a_reader_who_has_gone_away_is_no_error(words, buffered):
    """The reader closes its end before anything is written: `sleep` makes sure of that."""
    found = in_bash(f"(sleep 0.3; ganctl {words}; echo $? >&2) | true", PYTHONUNBUFFERED=buffered)
    assert found.stderr == "0\n"


def test_the_help_says_what_a_dry_run_does(capsys):
    assert cli.main(["train", "--help"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "dry_run=false" in line)
    assert all(word in line for word in ("open the data", "memory", "stop"))


def test_list_shows_each_option_with_the_first_comment_of_its_file(capsys):
    assert cli.main(["list", "models"]) == 0
    told = capsys.readouterr().out
    caption = (CONF / "model" / "dcgan.yaml").read_text().splitlines()[0].removeprefix("# ")
    assert next(line for line in told.splitlines() if line.strip().startswith("dcgan ")).split(maxsplit=1)[1] == caption
    assert all(f"\n  {file.stem} " in told for file in (CONF / "model").glob("[!_]*.yaml"))


def test_a_folder_of_the_users_adds_and_replaces(capsys, tmp_path, monkeypatch):
    own = tmp_path / "own"
    (own / "model").mkdir(parents=True)
    (own / "model" / "mine.yaml").write_text("# My own\nwidth: 3\n")
    (own / "model" / "dcgan.yaml").write_text("# A better DCGAN\n")
    monkeypatch.setenv("GANCTL_CONF", str(own))
    assert cli.main(["list", "models"]) == 0
    told = capsys.readouterr().out
    assert "A better DCGAN" in told
    assert "My own" in told
    assert "Radford" not in told
    monkeypatch.delenv("GANCTL_CONF")
    assert cli.main(["list", "models", f"config_dir={own}"]) == 0
    assert "My own" in capsys.readouterr().out


def test_a_missing_folder_of_the_users_is_a_mistake(capsys, monkeypatch):
    monkeypatch.setenv("GANCTL_CONF", "nowhere")
    assert cli.main(["list"]) == 2
    assert capsys.readouterr().err == (
        "ganctl list: GANCTL_CONF: no such folder 'nowhere'; make it, or leave GANCTL_CONF out\n"
    )


def test_list_of_something_unknown(capsys):
    assert cli.main(["list", "modles"]) == 2
    assert "ganctl list: modles: nothing to list under that name; did you mean 'models'?" in capsys.readouterr().err


def make_run(outputs: Path, name: str, loss: float, model: str = "gan") -> store.Run:
    run = store.create(outputs, name, {"model": {}}, {"model": model, "dataset": "digits"}, images=640)
    run.metrics_file.write_text(f"images_seen,rounds,generator/adversarial,discriminator/wins\n64,1,{loss},0.5\n")
    store.update_status(run, state="finished", images_seen=64)
    return run


def test_list_runs_shows_the_last_figures_and_sorts(tmp_path):
    assert describe_runs(outputs=tmp_path).startswith(f"no runs in {tmp_path} yet")
    for name, loss in (("a", 2.0), ("b", 1.0), ("sweep/1-c", 3.0)):
        make_run(tmp_path, name, loss)
    rows = describe_runs("generator/adversarial", tmp_path).splitlines()
    assert [row.split()[0] for row in rows] == ["run", "b", "a", "sweep/1-c"]
    assert rows[1].split()[1:6] == ["finished", "gan", "digits", "64", "of"]
    assert rows[1].endswith("generator/adversarial 1")  # what is only watched is not in this table
    assert [row.split()[0] for row in describe_runs("-run", tmp_path).splitlines()] == ["run", "sweep/1-c", "b", "a"]
    with pytest.raises(UserError, match="sort=generator/adversrial: no run has that; did you mean 'generator/adv"):
        describe_runs("generator/adversrial", tmp_path)


def test_only_runs_are_sorted(capsys):
    assert cli.main(["list", "models", "sort=fd"]) == 2
    assert "sort: fd was given, and only runs are sorted: ganctl list runs sort=..." in capsys.readouterr().err


def test_flags_may_stand_anywhere_on_a_line_of_train():
    line = train.read(["model=gan", "-m", "seed=1,2", "--config-dir", "a", "--cfg=job", "--config-dir=b", "images=1"])
    assert line.overrides == ["model=gan", "seed=1,2", "images=1"]
    assert line.multirun
    assert line.cfg
    assert line.config_dirs == ["a", "b"]
    assert not line.help
    assert train.read(["seed=-1", "resume=newest"]).resumes == ["newest"]
    assert train.read(["resume=null"]).resumes == []


def test_every_mistake_in_the_flags_is_named():
    with pytest.raises(UserError) as caught:
        train.read(["--mulitrun", "--images=3", "--seed", "--cfg", "hydra", "--config-dir"])
    assert caught.value.mistakes == (
        "--mulitrun: no such flag; did you mean '--multirun'?",
        "--images=3: no such flag; settings have no dashes: images=3",
        "--seed: no such flag; settings have no dashes: seed=...",
        "--cfg: hydra was given; only job is accepted: --cfg job",
        "--config-dir: no folder given; write --config-dir DIR",
    )


def test_resume_takes_no_flags(capsys):
    assert cli.main(["train", "-m", "resume=newest", "--cfg", "job"]) == 2
    assert capsys.readouterr().err == (
        "ganctl train: 2 mistakes\n"
        "  --multirun: cannot stand beside resume=, which takes the run's own settings\n"
        "  --cfg: cannot stand beside resume=, which takes the run's own settings\n"
    )


def test_resume_without_a_run(capsys):
    assert cli.main(["train", "resume=newest"]) == 2
    assert "ganctl train: run: no run to take in outputs" in capsys.readouterr().err


def test_torchrun_is_refused(capsys, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    assert cli.main(["train"]) == 2
    assert "torchrun: start ganctl train without it" in capsys.readouterr().err


def test_cfg_job_prints_the_composed_yaml(capsys):
    import yaml

    assert cli.main(["train", "--cfg", "job", "model=gan", "dataset=random", "images=1M"]) == 0
    tree = yaml.safe_load(capsys.readouterr().out)
    assert tree["images"] == "1M"
    assert tree["model"]["game"]["generator"]["shape"] == "${dataset.shape}"
    assert "hydra" not in tree


def test_mistakes_of_train_come_together_and_leave_nothing(capsys, tmp_path):
    assert cli.main(["train", "model=dcgann", "imags=3", "--config-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("ganctl train: 2 mistakes\n")
    assert "  model=dcgann: no such model; did you mean 'dcgan'?\n" in told
    assert "  imags: no such key; did you mean 'images'?\n" in told
    assert list(tmp_path.iterdir()) == []


def test_help_of_train_names_groups_settings_flags_and_examples():
    told = trainhelp.explain()
    for group in ("model", "dataset", "loss", "augment"):
        assert f"  {group}=" in told
    assert "dcgan*" in told
    assert "  images=300k " in told
    assert "-m, --multirun" in told
    assert "ganctl train model=dcgan dataset=mnist" in told


def test_the_examples_of_the_help_compose():
    from ganctl.config.composition import combinations, compose

    for line in trainhelp.EXAMPLES.splitlines():
        words = [word for word in train.read(line.split()[2:]).overrides if not word.startswith("hydra")]
        if not any(word.startswith("resume=") for word in words):
            for job in combinations(words):
                assert compose(job).mistakes == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("trai", ["train"]),
        ("train model=dcg", ["model=dcgan"]),
        ("train -m model=gan,dcg", ["model=gan,dcgan"]),
        ("train mod", ["model="]),
        ("train model", ["model=", "model."]),
        ("train model.ga", ["model.game."]),
        ("train model=gan model.game.generator.hid", ["model.game.generator.hidden="]),
        ("train loss=hinge loss.adv", ["loss.adversarial="]),
        ("train trainer.cl", ["trainer.clip="]),
        ("train precision=b", ["precision=bf16"]),
        ("train --conf", ["--config-dir"]),
        ("sample ema=", ["ema=true", "ema=false"]),
        ("sample format=g", ["format=grid"]),
        ("sample ckpt=l", ["ckpt=last"]),
        ("list mod", ["models"]),
        ("train sear", ["search="]),
        ("train search=kl", ["search=kl"]),
        ("compare ev", ["evaluate=", "evaluate_every="]),
        ("compare model=dcg", ["model=dcgan"]),
        ("report ck", ["ckpt="]),
        ("completion z", ["zsh"]),
        ("nothing a", []),
    ],
)
def test_completion(words, found):
    assert completion.query(words.split(" ")) == found


def test_completion_knows_the_runs(tmp_path):
    make_run(tmp_path / "outputs", "first", 1.0)
    assert completion.query(["sample", "run=outputs/f"]) == ["run=outputs/first"]
    assert completion.query(["train", "resume=o"]) == ["resume=outputs/first"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_the_script_for_bash_completes():
    root = str(Path(cli.__file__).parents[1])
    script = f"""
ganctl() {{ PYTHONPATH={root} {sys.executable} -m ganctl "$@"; }}
eval "$(ganctl completion bash)"
for COMP_LINE in "ganctl trai" "ganctl train -m model=gan,dcg"; do
    COMP_POINT=${{#COMP_LINE}}; COMPREPLY=(); _ganctl 2>/dev/null; echo "${{COMPREPLY[*]}}"
done
"""
    found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert found.stdout.splitlines() == ["train", "gan,dcgan"]


def test_the_next_command_quotes_a_folder_with_a_space(capsys, tmp_path: Path) -> None:
    from ganctl.commands.train import conclude

    folder = tmp_path / "my run"
    conclude({"folder": str(folder), "use": "sample"})
    assert f"ganctl sample run='{folder}'" in capsys.readouterr().out


def test_words_that_nobody_reads_end_no_training(tmp_path, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone, contextlib.redirect_stdout(gone):
        with logs.logged_to(tmp_path / "log.txt"):
            logging.getLogger("ganctl").info("one")
            logging.getLogger("ganctl").info("two")
        assert cli.guarded("train", lambda: print("three")) == 0
    assert capfd.readouterr() == ("", "")
    assert [line.split(" INFO ")[1] for line in (tmp_path / "log.txt").read_text().splitlines()] == ["one", "two"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "model=gan,dcgan", "--cfg", "job"], "--cfg: prints the settings of one run; leave out -m, and give"),
        (["trials=20"], "trials: belongs to a search; say for which score, such as search=fd"),
        (["init_from="], "init_from: no run was named; write init_from=RUN"),
        (["dataset=folder", "dataset.root="], "dataset.root: no folder was named; write dataset.root=PATH"),
        (
            ["++resume=first"],
            "resume: first among the settings of a new run; a run goes on by `ganctl train resume=",
        ),
    ],
)
def test_what_train_cannot_do_with_its_words(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", *words]) == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_flags_mean_nothing_beside_a_sweep_that_goes_on(tmp_path, capsys):
    (tmp_path / ".plan.json").write_text("{}")
    assert cli.main(["train", f"resume={tmp_path}", "-m", f"resume={tmp_path}"]) == 2
    told = capsys.readouterr().err
    assert "--multirun: cannot stand beside resume=" in told
    assert "resume: given 2 times; give it once" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("buffered", ["", "1"])
def test_output_that_cannot_be_written_is_told_in_words(buffered):
    found = in_bash("ganctl --version > /dev/full; echo $? >&2", PYTHONUNBUFFERED=buffered)
    told, code = found.stderr.splitlines()  # in whole sentences, whether it shows at once or at the end
    assert "No space left on device" in told
    assert code == "1"


def test_what_is_noticed_is_told_once_and_the_logger_left_as_it_was(capsys):
    log = logging.getLogger("ganctl")
    log.setLevel(logging.DEBUG)
    before = log.level, log.propagate, list(log.handlers)
    with logs.aloud() as said, logs.aloud() as inner:
        for _ in range(2):
            logging.getLogger("ganctl.data").info("3 pictures")
        assert not log.propagate
    assert capsys.readouterr().out == "3 pictures\n"
    assert [record.getMessage() for record in said] == [record.getMessage() for record in inner] == ["3 pictures"]
    with logs.aloud(silent=True) as said:
        log.info("4 pictures")
    assert capsys.readouterr().out == ""
    assert [record.getMessage() for record in said] == ["4 pictures"]
    assert (log.level, log.propagate, list(log.handlers)) == before
