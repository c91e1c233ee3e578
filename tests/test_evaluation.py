"""Evaluating while training and afterwards: training is left bit for bit alone, the best is kept, words are clear."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ganctl.callbacks.evaluation import Evaluating, better, much_worse, summary
from ganctl.cli import main
from ganctl.commands.evaluate import table
from ganctl.config.preparation import compose, prepare
from ganctl.errors import UserError
from ganctl.logs import aloud
from ganctl.metrics import classifier, keys
from ganctl.metrics.contract import Contract, Score
from ganctl.metrics.evaluation import Evaluation, append, read
from ganctl.metrics.panel import Panel
from ganctl.metrics.panels import Wanted
from ganctl.runs import checkpoint, store
from ganctl.runs.content import fingerprint
from ganctl.trained.evaluating import evaluate
from ganctl.training import start

STATE = ("images_seen", "rounds", "game", "average", "optimizers", "random", "tally")


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A classifier that is trained in a moment and trusted whatever it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(classifier, "STEPS", (20, 20))
        patch.setattr(classifier, "ACCURACY", 0.0)
        yield


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def settings_of(
    name: str, *overrides: str, model: str = "dcgan", dataset: str = "digits", images: int = 512
) -> dict[str, Any]:
    small = ["model.width=4", "model.noise_size=8"] if model in ("dcgan", "cgan") else []
    fixed = ["device=cpu", "precision=32", "trainer.threads=1", "trainer.preview=4", "trainer.log_every=5"]
    length = [f"images={images}", "batch_size=32", "sample_every=null", "checkpoint_every=256"]
    chosen = [f"model={model}", f"dataset={dataset}", f"name={name}", *small, *fixed, *length, *overrides]
    return prepare(compose(chosen))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """One run with four evaluations on the way."""
    root = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCTL_OUTPUTS", str(root))
        start.train(settings_of("evaluated", "evaluate_every=128"))
    return store.Run(root / "evaluated")


def test_training_is_bit_for_bit_what_it_would_be_without(trained: store.Run, outputs: Path) -> None:
    start.train(settings_of("plain"))
    states = [checkpoint.load(folder / "checkpoints" / "last.ckpt") for folder in (trained.folder, outputs / "plain")]
    prints = [{key: fingerprint(state[key]) for key in STATE} for state in states]
    assert prints[0] == prints[1]
    assert (outputs / "plain" / "metrics.csv").read_bytes() == trained.metrics_file.read_bytes()


def test_what_an_evaluated_run_leaves(trained: store.Run) -> None:
    found = read(trained.folder / "evaluations.jsonl")
    assert [each.images_seen for each in found] == [128, 256, 384, 512]
    assert {each.origin for each in found} == {"training"}
    keys = [score.key for score in found[0].scores]
    assert keys == ["fd", "covered", "modes", "kl", "diversity", "neighbours", "duplicates"]
    assert all(score.floor is not None for score in found[0].scores)
    assert found[0].scores[0].contract.count == 2_048
    best = min(found, key=lambda each: each.score("fd").value)
    kept = checkpoint.load(trained.checkpoints / "best.ckpt")
    assert kept["images_seen"] == best.images_seen
    result = json.loads(trained.result_file.read_text())
    assert result["best"]["value"] == best.score("fd").value
    assert result["best"]["images_seen"] == best.images_seen
    events = [path.read_bytes() for path in trained.folder.glob("tensorboard/events*")]
    assert any(b"evaluation/FD-classifier" in each for each in events)


def test_the_command_repeats_what_training_saw(trained: store.Run) -> None:
    """Same samples, same reference: the last evaluation of training and `evaluate` of last.ckpt give one score."""
    wanted = Wanted(metrics=["fd", "coverage", "diversity"], count=2_048)
    found = evaluate(trained.folder, "last", wanted, device="cpu").evaluation
    during = read(trained.folder / "evaluations.jsonl")[-1]
    assert found.scores == during.scores
    assert found.checkpoint == "last.ckpt"


def test_resumed_it_ends_as_it_would_have(outputs: Path, trained: store.Run) -> None:
    """Stopped after 300 images and resumed: the same lines, the same best."""
    settings = settings_of("broken", "evaluate_every=128")
    start.train({**settings, "images": 300})
    run = store.Run(outputs / "broken")
    lines = (run.folder / "evaluations.jsonl").read_text().splitlines()
    assert [json.loads(line)["images_seen"] for line in lines] == [128, 256, 320]
    (run.folder / "evaluations.jsonl").write_text("\n".join(lines[:2]) + "\n")
    start.resume(run, settings)
    ends = [(each / "evaluations.jsonl").read_text() for each in (run.folder, trained.folder)]
    assert ends[0] == ends[1]
    callbacks = [checkpoint.load(each.checkpoints / "last.ckpt")["callbacks"]["evaluating"] for each in (run, trained)]
    assert callbacks[0] == callbacks[1]


CONTRACT = Contract("bars", "a", "train", 360, 200, "classifier", "b", "none", "float32", True, 0, "x 1")


class Scripted:
    """A judge that has its values already; None is a failure."""

    def __init__(self, *values: float | None, key: str = "fd") -> None:
        self.values, self.keys = iter(values), (key,)

    def evaluate(self, game: Any, images_seen: int) -> Evaluation:
        value = next(self.values)
        if value is None:
            raise RuntimeError("out of memory")
        (key,) = self.keys
        return Evaluation(images_seen, (Score(key, "FD-classifier", value, CONTRACT, floor=2.0),))


def follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *values: float | None, key: str = "fd"
) -> tuple[list[int], SimpleNamespace, Evaluating]:
    """Play the callback through these values; the rounds in which the best was kept, the trainer, the callback."""
    monkeypatch.setattr(
        "ganctl.callbacks.evaluation.scored", lambda judge, module: judge.evaluate(None, module.images_seen)
    )
    kept: list[int] = []
    trainer = SimpleNamespace(should_stop=False, is_global_zero=True, loggers=[])
    judge = Scripted(*values, key=key)
    callback = Evaluating(judge, tmp_path / "e.jsonl", 10, lambda m: kept.append(m.images_seen), key, stop=True)
    module = SimpleNamespace(images_seen=0, told_at=0)
    callback.on_train_start(trainer, module)  # type: ignore[arg-type]
    for number in range(len(values)):
        if not trainer.should_stop:
            module.told_at, module.images_seen = module.images_seen, 10 * (number + 1)
            callback.on_train_batch_end(trainer, module)  # type: ignore[arg-type]
    return kept, trainer, callback


def test_three_much_worse_evaluations_stop_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Best 10; 15 is not yet worse than 1.5 times that; 16, 15, 16, 17, 16: the run of three ends at the last."""
    kept, trainer, callback = follow(tmp_path, monkeypatch, 20, 10, 16, 15, 16, 17, 16)
    assert kept == [10, 20]
    assert trainer.should_stop
    assert callback.state_dict() == {
        "best": {"key": "fd", "name": "FD-classifier", "value": 10, "images_seen": 20},
        "worse": 3,
    }


def test_slow_progress_does_not_stop_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, trainer, _ = follow(tmp_path, monkeypatch, 10, 14, 16, 16, 9, 12, 13.6, 13.6)
    assert kept == [10, 50]
    assert not trainer.should_stop


@pytest.mark.parametrize(("key", "best"), [("fd", [10, 40]), ("psnr", [10, 20])])
def test_the_best_is_the_lowest_distance_and_the_highest_psnr(
    key: str, best: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20, 30, 25, 18; an equal value is no better."""
    kept, _, callback = follow(tmp_path, monkeypatch, 20, 30, 25, 18, 18, key=key)
    assert kept == best
    assert callback.best["images_seen"] == best[-1]
    assert [better(Score(key, key, value, CONTRACT), 20.0) for value in (19, 20, 21)] == [
        key == "fd",
        False,
        key == "psnr",
    ]


def test_which_scores_are_better_when_they_are_lower() -> None:
    """Distances, divergences and copies; all others (of those that have a best) grow as pictures get better."""
    lower = {key for key in keys.NAMES if Score(key, key, 0.0, CONTRACT).lower_is_better}
    assert lower == {"fd", "kd", "kl", "l1", "lpips", "duplicates"}
    assert Score("fd/a2b", "FD", 0.0, CONTRACT).lower_is_better
    assert not Score("conditional/colour", "accuracy", 0.0, CONTRACT).lower_is_better


def test_near_the_floor_nothing_is_worse() -> None:
    """Real pictures score 2: from 1 to 2.9 is no loss, 3.1 is."""
    score = Score("fd", "FD-classifier", 2.9, CONTRACT, floor=2.0)
    assert not much_worse(score, 1.0)
    assert much_worse(replace(score, value=3.1), 1.0)
    covered = Score("covered", "classes covered", 6, CONTRACT)
    assert much_worse(covered, 10.0)
    assert not much_worse(covered, 9.0)


def test_a_failing_evaluation_does_not_end_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept, trainer, _ = follow(tmp_path, monkeypatch, 5, None, 4)
    assert kept == [10, 30]
    assert not trainer.should_stop
    assert "The evaluation at 20 images failed (out of memory); training goes on" in caplog.text
    assert len(read(tmp_path / "e.jsonl")) == 2


def test_a_generator_that_fails_in_an_evaluation_goes_on_in_training_mode(trained: store.Run) -> None:
    from ganctl.callbacks.evaluation import scored
    from ganctl.training.parts import game_of, module_of

    settings = store.read_config(trained)
    module = module_of(settings, game_of(settings))
    with pytest.raises(RuntimeError, match="out of memory"):
        scored(Scripted(None), module)
    assert all(part.training for part in module.game.generator.modules())


def test_a_score_that_cannot_be_watched_is_refused(outputs: Path) -> None:
    with pytest.raises(UserError, match=r"early_stop: no score 'fdd'; did you mean 'fd'\?"):
        settings_of("wrong", "evaluate_every=128", "early_stop=fdd")
    with pytest.raises(UserError, match="early_stop: fd was given, and nothing is evaluated; set evaluate_every=25k"):
        settings_of("wrong", "early_stop=fd")


def test_watching_a_score_takes_it(outputs: Path) -> None:
    start.train(settings_of("watched", "evaluate_every=512", "early_stop=recall"))
    assert "512 images: recall-classifier " in (outputs / "watched" / "log.txt").read_text()
    (found,) = read(outputs / "watched" / "evaluations.jsonl")
    assert found.score("recall") is not None
    assert json.loads((outputs / "watched" / "result.json").read_text())["best"]["key"] == "recall"


def test_the_score_that_decides_stands_first_in_the_line() -> None:
    """Five of six are shown: the last of all, as it decides, and the first four of the others."""
    found = Evaluation(0, tuple(Score(key, key.upper(), 2.0, CONTRACT) for key in ("a", "b", "c", "d", "e", "f")))
    assert summary(found, found.scores[-1]) == "F 2  A 2  B 2  C 2  D 2"
    assert summary(found, None) == "A 2  B 2  C 2  D 2  E 2"


def test_points_leave_plots(outputs: Path) -> None:
    settings = settings_of("ring", "evaluate_every=256", "dataset.count=4000", model="gan", dataset="ring8")
    start.train(settings)
    found = read(outputs / "ring" / "evaluations.jsonl")
    assert [score.key for score in found[0].scores] == ["modes", "high_quality", "kl"]
    plots = sorted(path.name for path in (outputs / "ring" / "scatter").iterdir())
    assert plots == ["000000256.png", "000000512.png"]
    assert json.loads((outputs / "ring" / "result.json").read_text())["best"]["key"] == "kl"


def test_the_command_prints_a_table_and_writes(trained: store.Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", f"run={trained.folder}", "n=300", "ckpt=best", "device=cpu"]
    before = len(read(trained.folder / "evaluations.jsonl"))
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "FD-classifier" in told
    assert "300 samples (seed 0, averaged weights) against 1,438 of digits 1x16x16, train" in told
    assert "(data 1" in told  # the class histogram
    assert "diversity ratio" in told
    (picture,) = (trained.folder / "evaluation").glob("nearest-*.png")
    assert str(picture) in told
    found = read(trained.folder / "evaluations.jsonl")
    assert len(found) == before + 1
    assert (found[-1].origin, found[-1].checkpoint) == ("evaluate", "best.ckpt")


def test_the_histogram_for_the_gallery(trained: store.Run) -> None:
    """The share of every class among 1,000 samples, and the variety, in one call."""
    found = evaluate(trained.folder, wanted=Wanted(metrics=["coverage", "diversity"], count=1_000), device="cpu")
    histogram = found.evaluation.histogram
    assert list(histogram) == [str(digit) for digit in range(10)]
    assert sum(histogram.values()) == pytest.approx(1)
    assert found.evaluation.score("diversity") is not None


def test_conditional_models_are_asked_for_their_classes(outputs: Path) -> None:
    settings = settings_of("labelled", images=64, model="cgan")
    start.train(settings)
    found = evaluate(outputs / "labelled", wanted=Wanted(metrics=["conditional"], count=200), device="cpu").evaluation
    assert 0 <= found.score("conditional").value <= 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["n=50"], "n: 50 samples; fd needs 128 here; set n=128 or more"),
        (["n=30", "metrics=fd,kd"], "n: 30 samples; kd needs 40 here; set n=40 or more"),
        (["metrics=conditional"], "conditional needs a model that can be asked for a class, such as cgan"),
        (["extractor=classifier", "weights=x.pth"], "weights: Inception's, and extractor=classifier takes none"),
        (["metrics=coverage,nice"], "metrics: no metric 'nice' here"),
        (["metrics=psnr"], "metrics: no metric 'psnr' here"),
        (["extractor=inception"], "which is not here; put it into"),
        (["metrics=fid", "extractor=random"], "fid is a score of Inception's features"),
        (["ckpt=9k"], "ckpt: 9k is not in"),
    ],
)
def test_mistakes_are_told_in_words(
    trained: store.Run, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert main(["evaluate", f"run={trained.folder}", "device=cpu", *words]) == 2
    assert told in capsys.readouterr().err


def test_a_run_without_checkpoints(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store.create(store.outputs_root(), "empty", settings_of("empty"), {}, 10)
    assert main(["evaluate", "run=empty"]) == 2
    assert (
        "empty has no checkpoint, and its state is: interrupted; start it again under another name"
        in capsys.readouterr().err
    )


def test_panels_are_made_once(trained: store.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each evaluation during training draws and scores; the reference is not looked at again."""
    made: list[Panel] = []
    begin = Panel.__init__

    def noted(self: Panel, *arguments: Any, **named: Any) -> None:
        made.append(self)
        begin(self, *arguments, **named)

    monkeypatch.setattr(Panel, "__init__", noted)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(trained.folder.parent))
    start.train(settings_of("counted", "evaluate_every=128", images=256))
    assert len(made) == 1


def test_the_table_says_of_ratios_that_near_1_is_good() -> None:
    scores = tuple(Score(key, key, 0.5, CONTRACT) for key in ("fd", "covered", "diversity", "neighbours", "memorised"))
    rows = [row.split() for row in table(Evaluation(64, scores))[1:]]
    better = ["lower", "higher", "near 1", "near 1", "near 1"]
    assert [" ".join(row[2:]) for row in rows] == better


def test_bytes_that_are_no_text_spoil_only_their_own_line(tmp_path: Path) -> None:
    append(tmp_path / "a", Evaluation(64, ()))
    with (tmp_path / "a").open("ab") as file:
        file.write(b"\xff\xfe\n")
    append(tmp_path / "a", Evaluation(128, ()))
    assert [each.images_seen for each in read(tmp_path / "a")] == [64, 128]


@pytest.mark.parametrize("count", [5, 2])
def test_of_few_pictures_what_can_be_measured_is(outputs: Path, count: int) -> None:
    data = ["dataset=random", "dataset.shape=[1,8,8]", f"dataset.count={count}"]
    fixed = ["model=gan", "images=4", "batch_size=2", "device=cpu", "precision=32", "name=few", "trainer.preview=4"]
    start.train(prepare(compose([*data, *fixed])))
    with aloud() as said:
        if count == 5:
            found = evaluate("few", device="cpu", wanted=Wanted(extractor="random")).evaluation
            assert {score.key for score in found.scores} == {"diversity", "neighbours", "duplicates"}
        else:
            with pytest.raises(UserError, match="metrics: none can be measured with 10000 samples and 2 real pictures"):
                evaluate("few", device="cpu", wanted=Wanted(extractor="random"))
    left_out = f"memorisation is left out: it needs 10 pictures, and there are {count}"
    assert left_out in [record.getMessage() for record in said]
    with pytest.raises(UserError, match="diversity needs 3 pictures or more of each kind; there are 2 samples"):
        evaluate("few", device="cpu", wanted=Wanted(metrics=["diversity"], count=2, extractor="random"))
