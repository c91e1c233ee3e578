"""The doctor: verdicts from constructed signals, advice that composes, checks that leave training as it was."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ganctl.callbacks.doctor import Doctor, sentence
from ganctl.callbacks.recorder import Recorder
from ganctl.cli import main
from ganctl.config.preparation import compose, prepare
from ganctl.data.dataset import TensorTable
from ganctl.doctor.advice import REMEDIES, Advice, advise
from ganctl.doctor.examination import Examination, win_rate
from ganctl.doctor.history import FILE, Diagnosis, read, rewind
from ganctl.doctor.rules import Verdict, diagnose
from ganctl.doctor.signals import Facts, Signals, from_window
from ganctl.doctor.view import View
from ganctl.errors import NotFinite, UserError
from ganctl.networks.interfaces import Discriminator
from ganctl.runs import checkpoint, store
from ganctl.runs.content import fingerprint
from ganctl.trained.diagnosing import diagnosed
from ganctl.training import start

FACTS = Facts(pictures=60_000, spread=0.6, names=tuple("0123456789"), expected=(0.1,) * 10)
WELL = Signals(
    0,
    0,
    wins=0.95,
    gradients={"discriminator": 5.0, "generator": 4.0},
    diversity=0.97,
    neighbours=1.1,
    duplicates=0.0,
    nearest=1.3,
    contrast=0.98,
    gap=0.01,
    shares=(0.1,) * 10,
)


def checks(*changes: dict[str, Any], before: dict[str, Any] | None = None) -> list[Signals]:
    """Six checks as `before` says, then three as `changes` say; one given: three alike, but a falling gap falls on."""
    rows = [before or {}] * 6 + (list(changes) if len(changes) == 3 else falling(changes[0], before or {}))
    return [replace(WELL, images_seen=10_000 * n, rounds=160 * n, **row) for n, row in enumerate(rows, start=1)]


def falling(now: dict[str, Any], before: dict[str, Any]) -> list[dict[str, Any]]:
    """Three checks that end as `now`: where the gap was larger before, with 1.08, 1.04 and 1 times that of now."""
    gap = now.get("gap") or 0.0
    if not gap or gap >= (before.get("gap") or WELL.gap):
        return [now] * 3
    return [{**now, "gap": gap * times} for times in (1.08, 1.04, 1.0)]


def verdict(history: list[Signals], facts: Facts = FACTS, images: int = 90_000) -> Verdict:
    return diagnose(View(history, facts, images))


STUCK = {"gap": 0.5}  # before as well: nothing gets better


@pytest.mark.parametrize(
    ("now", "before", "name", "level"),
    [
        ({}, {}, "healthy", "green"),
        ({"wins": 1.0}, {}, "healthy", "green"),  # winning always is no illness while pictures are good
        ({"wins": 0.52}, {}, "healthy", "green"),  # guessing neither
        ({"gap": 0.28, "diversity": 0.3, "wins": 1.0}, {"gap": 0.4}, "healthy", "green"),  # poor, and learning
        ({"gap": 0.4, "wins": 1.0}, {"gap": 0.6}, "discriminator dominates", "yellow"),  # at the end: not learned
        ({"gap": 0.4, "wins": 0.6}, {"gap": 0.6}, "generator dominates", "yellow"),
        ({"gap": 0.4, "wins": 0.9}, {"gap": 0.6}, "healthy", "green"),  # a fair game, and learning
        ({"gap": 1.6, "diversity": 0.1, "duplicates": 0.9}, {"gap": 0.4}, "diverged", "red"),  # no picture of the data
        ({"gap": 1.3, "diversity": 0.1, "duplicates": 0.9}, {"gap": 0.4}, "mode collapse", "red"),
        ({"finite": False, "gap": None, "diversity": None}, {}, "diverged", "red"),
        ({"contrast": 0.02, "duplicates": 1.0, "diversity": 0.0}, {}, "diverged", "red"),  # blank, not one digit
        ({"gap": 0.6, "diversity": 0.5}, {"gap": 0.1}, "diverged", "red"),  # six times the best gap
        ({"gap": 0.5, "diversity": 1.6, "wins": 0.9}, {"gap": 0.45}, "diverged", "red"),
        ({"gradients": {"generator": 900.0}}, {}, "gradients explode", "red"),  # 225 times
        ({"gradients": {"generator": 300.0}}, {}, "healthy", "green"),  # 75 times
        ({"wins": 0.4, "gap": 0.5, "diversity": 0.5}, STUCK, "generator dominates", "red"),
        ({"wins": 0.6, "gap": 0.2}, {"gap": 0.2}, "generator dominates", "yellow"),
        ({"wins": 0.6, "gap": 0.2}, {"gap": 0.4}, "healthy", "green"),  # early, and learning
        ({"duplicates": 0.5}, {}, "mode collapse", "red"),
        ({"neighbours": 0.01, "diversity": 0.5, "gap": 0.2}, {"gap": 0.4}, "mode collapse", "red"),  # improving or not
        ({"neighbours": 0.05, "diversity": 0.5, "gap": 0.2}, {"gap": 0.4}, "healthy", "green"),
        ({"neighbours": 0.05, "diversity": 0.7, "gap": 0.2}, {"gap": 0.2}, "mode collapse", "yellow"),
        ({"duplicates": 0.1, "gap": 0.2}, {"gap": 0.4}, "healthy", "green"),
        ({"diversity": 0.2, "gap": 0.25}, {"gap": 0.25}, "mode collapse", "red"),
        ({"diversity": 0.5, "gap": 0.09}, {"gap": 0.09}, "mode collapse", "yellow"),
        ({"wins": 0.9, "gap": 0.5, "gradients": {"generator": 0.2}}, STUCK, "gradient vanishes", "red"),  # a 20th
        ({"wins": 1.0, "gap": 0.4, "gradients": {"generator": 0.1}}, {"gap": 0.6}, "gradient vanishes", "red"),
        ({"wins": 0.9, "gap": 0.4, "gradients": {"generator": 0.1}}, {"gap": 0.6}, "healthy", "green"),
        ({"wins": 1.0, "gap": 0.5}, STUCK, "discriminator dominates", "red"),
        (
            {"wins": 1.0, "gap": 0.4, "gradients": {"discriminator": 0.01, "generator": 4.0}},  # 0.25 %: sure
            {"gap": 0.6},
            "discriminator dominates",
            "red",
        ),
        (
            {"contrast": 1.4, "gap": 2.5, "diversity": 0.2},
            {"gap": 2.5},
            "diverged",
            "red",
        ),  # glaring, far from all data
        (
            {"contrast": 1.4, "gap": 2.5, "wins": 0.1},
            {"gap": 2.5},
            "generator dominates",
            "red",
        ),  # nobody keeps it near
        ({"nearest": 0.3}, {}, "overfitting", "red"),
        ({"seen_wins": 0.98, "unseen_wins": 0.6}, {}, "overfitting", "red"),
        ({"seen_wins": 0.9, "unseen_wins": 0.8}, {}, "overfitting", "yellow"),
        ({"seen_wins": 0.9, "unseen_wins": 0.88}, {}, "healthy", "green"),
        ({"gap": 0.2}, {"gap": 0.08}, "no longer improving", "yellow"),  # 2.5 times the best, 3 of 9 checks ago
    ],
)
def test_a_verdict_follows_from_its_signals(now: dict, before: dict, name: str, level: str) -> None:
    found = verdict(checks(now, before=before))
    assert (found.name, found.level) == (name, level), found.words
    assert found.words.endswith(".")


def test_one_odd_check_is_no_verdict() -> None:
    assert verdict(checks({}, {}, {"duplicates": 1.0, "diversity": 0.0})).name == "healthy"
    assert verdict(checks({}, {"duplicates": 1.0}, {"duplicates": 1.0})).name == "mode collapse"


def test_a_moment_without_progress_is_a_warning_only() -> None:
    """A critic that always wins, over a generator that learns slowly, and then no more."""
    gaps = [0.8, 0.75, 0.7, 0.65, 0.6, *[0.55] * 8]
    history = [
        replace(WELL, images_seen=10_000 * n, rounds=160 * n, gap=gap, wins=1.0) for n, gap in enumerate(gaps, start=1)
    ]
    levels = [verdict(history[:end], images=260_000).level for end in (7, 8, 10, 12, 13)]
    assert levels == ["green", "yellow", "yellow", "yellow", "red"]


def test_slow_progress_is_a_warning_only() -> None:
    """As of WGAN at the paper's rate: 2 % a check is no trend within three checks, and one within nine."""
    gaps = [0.8 * 0.98**n for n in range(20)]
    history = [
        replace(WELL, images_seen=10_000 * n, rounds=160 * n, gap=gap, wins=1.0) for n, gap in enumerate(gaps, 1)
    ]
    assert {verdict(history[:end]).level for end in range(10, 21)} == {"yellow"}


def test_progress_that_will_not_arrive_is_told_once_half_of_the_training_is_over() -> None:
    """7 % a check: the last three have a median of 0.48, a fifth less than the three before, which took 30k images."""
    gaps = [0.8 * 0.93**n for n in range(9)]
    history = [
        replace(WELL, images_seen=10_000 * n, rounds=160 * n, gap=gap, wins=1.0) for n, gap in enumerate(gaps, 1)
    ]
    assert verdict(history, images=200_000).level == "green"  # not half yet
    assert verdict(history, images=170_000).level == "green"  # 80k more: 0.48 * 0.804 ** (8 / 3) = 0.27
    slow = verdict(history, images=120_000)  # 30k more: 0.48 * 0.804
    assert (slow.name, slow.level) == ("discriminator dominates", "yellow")
    assert "the gap of the samples to the data is 0.48, and at this pace 0.39 when the training ends" in slow.words
    wild = [replace(each, wins=0.9, diversity=1.6) for each in history]
    assert verdict(wild, images=170_000).level == "green"
    assert (verdict(wild, images=120_000).name, verdict(wild, images=120_000).level) == ("diverged", "red")


def test_an_explosion_that_is_the_larger_part_of_the_past() -> None:
    """Six of nine checks are huge: their median is no past to compare with. A good training may grow as much."""
    norms = [1.0, 1.0, 2.0, *[5e3] * 6]
    for gap, name in ((0.9, "gradients explode"), (0.04, "healthy")):
        history = [
            replace(WELL, images_seen=10_000 * n, rounds=160 * n, gap=gap, gradients={"discriminator": norm})
            for n, norm in enumerate(norms, start=1)
        ]
        assert verdict(history).name == name


def test_losses_are_shown_and_never_judged() -> None:
    """A collapse inside the textbook's band (0.5 and 1.7), and a healthy run far outside of it."""
    inside = {"losses": {"discriminator/adversarial": 0.51, "generator/adversarial": 1.67}}
    outside = {"losses": {"discriminator/adversarial": 0.0001, "generator/adversarial": 40.0}}
    assert verdict(checks({**inside, "duplicates": 1.0, "diversity": 0.0})).name == "mode collapse"
    assert verdict(checks(outside)).name == "healthy"


def test_missing_classes_are_named() -> None:
    shares = (0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    found = verdict(checks({"shares": shares, "gap": 0.2}, before={"gap": 0.2}))
    assert (found.name, found.level) == ("mode collapse", "red")
    assert "not drawn: 4, 5, 6, 7, 8, 9" in found.words
    one = (0.11,) * 9 + (0.005,)  # under a tenth of its share
    found = verdict(checks({"shares": one, "gap": 0.2}, before={"gap": 0.2}))
    assert (found.name, found.level) == ("mode collapse", "yellow")
    assert "not drawn: 9)" not in found.words
    assert found.words.endswith("not drawn: 9.")


def test_without_labels_or_pictures_nothing_is_claimed_of_them() -> None:
    unlabelled = replace(FACTS, names=(), expected=())
    assert verdict(checks({"shares": ()}), unlabelled).name == "healthy"
    nothing = dict.fromkeys(("wins", "diversity", "neighbours", "duplicates", "nearest", "contrast", "gap"))
    pairs = replace(unlabelled, pictures=50, spread=None)  # 50 pairs are usual for some tasks
    found = verdict(checks(nothing, before=nothing), pairs)
    assert (found.name, found.words) == (
        "healthy",
        "Numbers are finite, gradients within their past; samples were not judged.",
    )
    explosive = checks({**nothing, "gradients": {"generator": 5e3}}, before=nothing)
    assert verdict(explosive, pairs).name == "gradients explode"


def test_what_the_data_lacks_comes_first() -> None:
    assert "Only 48 pictures" in verdict(checks({}), replace(FACTS, pictures=48)).words
    assert verdict(checks({}), replace(FACTS, pictures=48)).level == "red"
    assert "are the same" in verdict(checks({}), replace(FACTS, spread=0.0)).words
    found = verdict(checks({}), replace(FACTS, pictures=800))
    assert (found.name, found.level) == ("data problem", "yellow")
    assert verdict(checks({"nearest": 0.2}), replace(FACTS, pictures=800)).name == "overfitting"


def test_nothing_is_said_too_early() -> None:
    young = [replace(WELL, images_seen=1_000, rounds=299, duplicates=1.0)]
    assert verdict(young).name == "too early"
    old = [replace(WELL, images_seen=10_000, rounds=300, duplicates=1.0)]
    assert verdict(old).name == "mode collapse"
    assert verdict(old, images=1_000_000).name == "too early"  # 1 % of a long training


def test_judged_alone_a_check_counts_as_it_stands() -> None:
    poor = [replace(WELL, images_seen=50_000, rounds=900, diversity=0.2, gap=0.25)]
    assert diagnose(View(poor, FACTS, 50_000)).name == "healthy"  # it may be learning
    assert diagnose(View(poor, FACTS, 50_000, alone=True)).name == "mode collapse"


BITS = ["device=cpu", "trainer.threads=1", "batch_size=16", "trainer.preview=4", "dataset=digits", "dataset.size=8"]
MODELS = {
    "dcgan": ["model.width=4"],
    "wgan": ["model.width=4"],
    "gan": [],
    "r1gan": ["model.width=4"],
    "stylegan2_ada": [],
}


OTHER = ("dataset=random", "dataset.shape=[1,8,8]", "dataset.classes=3")


def settings_of(model: str, *overrides: str) -> dict[str, Any]:
    words = [f"model={model}", *MODELS.get(model, []), *BITS, *overrides]
    other = "dataset=random" in overrides
    return prepare(compose([word for word in words if not (other and word in ("dataset=digits", "dataset.size=8"))]))


@pytest.mark.parametrize("model", MODELS)
def test_every_advice_composes_and_changes_something(model: str) -> None:
    settings = settings_of(model, *OTHER)
    uneven = replace(FACTS, weights={"discriminator": 10, "generator": 1_000})
    every = [
        advise(Verdict(name, "red", ""), settings, facts)
        for name in REMEDIES
        for facts in (FACTS, replace(FACTS, spread=0.0), uneven)
    ]
    assert None not in every
    for override in {advice.override for advice in every if advice}:
        key = override.partition("=")[0]
        taken = [line.partition("=")[0] for line in settings["overrides"]]
        kept = [name != key and not name.startswith(f"{key}.") for name in taken]
        given = [line for line, keep in zip(settings["overrides"], kept, strict=True) if keep]
        assert without_words(prepare(compose([*given, override]))) != without_words(settings), override


def without_words(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "overrides"}


def test_advice_fits_the_run() -> None:
    assert advise(Verdict("healthy", "green", ""), settings_of("dcgan"), FACTS) is None
    fast = settings_of("dcgan", "model.optimizers.discriminator.lr=4e-3", "model.optimizers.generator.lr=1e-4")
    strong = advise(Verdict("discriminator dominates", "red", ""), fast, FACTS)
    assert strong is not None
    assert strong.override == "model.optimizers.discriminator.lr=0.0001"  # as the generator's
    rare = settings_of("dcgan", "model.every={generator: 8}")
    assert advise(Verdict("discriminator dominates", "red", ""), rare, FACTS).override == "model.every.generator=1"
    clipped = settings_of("wgan")
    assert advise(Verdict("discriminator dominates", "red", ""), clipped, FACTS).override == (
        "model.optimizers.generator.lr=0.0002"  # four times the paper's
    )
    narrow = settings_of("dcgan", "model.game.discriminator.width=1")
    small = replace(FACTS, weights={"discriminator": 10, "generator": 1_000})
    weak = advise(Verdict("generator dominates", "red", ""), narrow, small)
    assert weak is not None
    assert weak.override == "model.game.discriminator.width=4"
    saturating = settings_of("dcgan", "loss=minimax")
    for name in ("gradient vanishes", "discriminator dominates"):
        assert advise(Verdict(name, "red", ""), saturating, FACTS).override == "loss=non_saturating"


def table(count: int, labelled: bool = True) -> TensorTable:
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (count, 1, 8, 8), generator=chance, dtype=torch.uint8)
    return TensorTable(images, torch.arange(count) % 10 if labelled else None, torch.device("cpu"))


def game_of(model: str, *overrides: str) -> Any:
    from ganctl.training import parts

    torch.manual_seed(0)
    return parts.game_of(settings_of(model, *overrides))


def painting(game: Any, pictures: torch.Tensor) -> Any:
    """The game, whose generator now paints the given pictures, whatever the noise."""
    game.paint = lambda inputs: pictures[torch.arange(len(inputs)) % len(pictures)]
    return game


def test_samples_like_the_data_have_no_gap_and_copies_of_one_have_no_variety() -> None:
    data, game = table(1_024), game_of("dcgan")
    examination = Examination(data, game, 10, tuple("0123456789"))
    others = (torch.rand(256, 1, 8, 8, generator=torch.Generator().manual_seed(2)) * 2 - 1).clamp(-1, 1)
    found = examination.measure(painting(game, others), torch.device("cpu"))
    assert found["gap"] == pytest.approx(0, abs=0.01)
    assert found["diversity"] == pytest.approx(1, abs=0.02)
    assert found["neighbours"] == pytest.approx(1, abs=0.05)
    one = data.batch(torch.tensor([3]), torch.Generator()).image
    found = examination.measure(painting(game, one), torch.device("cpu"))
    assert found["diversity"] == 0
    assert found["nearest"] < 1e-2  # a product of matrices leaves that much of nothing
    assert found["duplicates"] == 1
    assert found["shares"] == (0, 0, 0, 1, 0, 0, 0, 0, 0, 0)  # it is the picture of a three
    assert found["gap"] == pytest.approx(1, abs=0.1)  # 2 E|x - y| - E|y - y'|, and all are about equally far apart
    broken = painting(game, torch.full((1, 1, 8, 8), torch.nan))
    assert examination.measure(broken, torch.device("cpu")) == {"finite": False}


def test_a_win_rate_counts_pairs() -> None:
    assert win_rate(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 1.0])) == 0.5
    assert win_rate(torch.tensor([1.0]), torch.tensor([1.0])) == 0.5  # equal scores count half


class Brightness(Discriminator):
    """Scores a picture by its mean."""

    feature_size = 1

    def features(self, image: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        return image.mean((1, 2, 3))

    def score(self, features: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        return features


def shades(least: int, most: int, count: int) -> TensorTable:
    """Pictures of these grey levels, each pixel by chance."""
    chance = torch.Generator().manual_seed(1)
    images = torch.randint(least, most + 1, (count, 1, 8, 8), generator=chance, dtype=torch.uint8)
    return TensorTable(images, torch.arange(count) % 10, torch.device("cpu"))


def test_training_pictures_and_held_out_ones_are_not_taken_for_each_other() -> None:
    """White to train on, black held out, grey painted: judged by brightness the first always win, the others never."""
    data, game = shades(250, 255, 64), game_of("dcgan")
    data.held_out = lambda: shades(0, 5, 32)  # type: ignore[method-assign]
    game.discriminator = Brightness()
    found = Examination(data, game, 10).measure(painting(game, torch.zeros(1, 1, 8, 8)), torch.device("cpu"))
    assert (found["seen_wins"], found["unseen_wins"]) == (1.0, 0.0)


def test_few_labels_or_pictures_are_no_reason_to_fail() -> None:
    game = game_of("dcgan")
    assert Examination(table(2), game).facts == replace(
        Examination(table(2), game).facts, pictures=2, spread=0.0, names=()
    )
    assert "Only 2 pictures" in verdict(checks({}), Examination(table(2), game).facts).words
    unlabelled = Examination(table(20, labelled=False), game, 0)
    assert unlabelled.facts.names == ()
    assert "shares" not in unlabelled.measure(game, torch.device("cpu"))
    assert Examination(table(20), game, 1_000).facts.names == ()  # too many classes for 256 samples


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("outputs")
        patch.setenv("GANCTL_OUTPUTS", str(folder))
        yield folder


SHORT = ("images=512", "sample_every=null", "checkpoint_every=256", "trainer.log_every=4")
EQUAL = ("game", "average", "optimizers", "random", "images_seen")


@pytest.fixture(scope="module")
def trained(outputs: Path) -> store.Run:
    start.train(settings_of("dcgan", *SHORT, "doctor_every=64", "name=examined"))
    return store.Run(outputs / "examined")


@pytest.fixture(scope="module")
def plain(outputs: Path) -> store.Run:
    start.train(settings_of("dcgan", *SHORT, "doctor_every=null", "name=plain"))
    return store.Run(outputs / "plain")


def test_training_is_bit_for_bit_what_it_would_be_without(trained: store.Run, plain: store.Run) -> None:
    states = [checkpoint.load(run.checkpoints / "last.ckpt") for run in (trained, plain)]
    prints = [{key: fingerprint(state[key]) for key in EQUAL} for state in states]
    assert prints[0] == prints[1]
    assert not (plain.folder / FILE).exists()


def test_what_an_examined_run_leaves(trained: store.Run) -> None:
    lines = [json.loads(line) for line in (trained.folder / FILE).read_text().splitlines()]
    assert [line["images"] for line in lines] == [64, 128, 192, 256, 320, 384, 448, 512]
    assert {line["verdict"] for line in lines} == {"too early"}  # 32 rounds
    assert lines[-1]["level"] == "green"
    assert lines[-1]["signals"]["gradients"].keys() == {"discriminator", "generator"}
    assert lines[-1]["signals"]["gap"] > 0
    assert len(lines[-1]["signals"]["shares"]) == 10
    assert json.loads(trained.result_file.read_text())["verdict"] == "too early"
    events = b"".join(path.read_bytes() for path in trained.folder.glob("tensorboard/events*"))
    assert b"too early" in events
    assert "Doctor: too early" in trained.log_file.read_text()


def test_resumed_it_finds_the_same(trained: store.Run, outputs: Path) -> None:
    """Stopped after 320 images, with lines of checks that the checkpoint does not know, and a torn one."""
    settings = settings_of("dcgan", *SHORT, "doctor_every=64", "name=broken")
    start.train({**settings, "images": 320})
    file = outputs / "broken" / FILE
    later = json.loads(file.read_text().splitlines()[-1])
    file.write_text(file.read_text() + json.dumps({**later, "images": 384}).replace("320", "384") + '\n{"torn')
    start.resume(store.Run(outputs / "broken"), settings)
    assert file.read_text() == (trained.folder / FILE).read_text()


def told(levels: list[str], tmp_path: Path, stop: bool) -> tuple[Doctor, list[bool]]:
    """A doctor whose verdicts are given; whether training was asked to stop after each."""
    doctor = Doctor(object(), Recorder(tmp_path / "m.csv", 1), tmp_path / FILE, 1, {"images": 100}, stop)  # type: ignore[arg-type]
    doctor.examination = type("Given", (), {"facts": FACTS})()
    trainer = type("Trainer", (), {"should_stop": False, "loggers": [], "is_global_zero": True})()
    asked = []
    for number, level in enumerate(levels):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ganctl.callbacks.doctor.diagnose", lambda view, level=level: Verdict("x", level, "y."))
            doctor.conclude(Signals(number, number), trainer)
        asked.append(trainer.should_stop)
    return doctor, asked


def test_three_red_checks_in_a_row_stop_a_training_that_may_be_stopped(tmp_path: Path) -> None:
    levels = ["red", "red", "green", "red", "red", "red"]
    assert told(levels, tmp_path, stop=True)[1] == [False] * 5 + [True]
    assert told(levels, tmp_path, stop=False)[1] == [False] * 6


def test_lost_numbers_leave_a_verdict(tmp_path: Path) -> None:
    doctor, _ = told(["green"], tmp_path, stop=False)
    doctor.settings = settings_of("dcgan")
    trainer = type("Trainer", (), {"should_stop": False, "loggers": [], "is_global_zero": True})()
    module = type("Module", (), {"images_seen": 9, "rounds": 9})()
    doctor.on_exception(trainer, module, NotFinite("round 9: ..."))  # type: ignore[arg-type]
    last = read(tmp_path / FILE)[-1]
    assert (last.verdict.name, last.verdict.level, last.images) == ("diverged", "red", 9)
    assert last.advice == Advice("model.optimizers.discriminator.lr=2e-05", last.advice.words)
    assert sentence(last).startswith("diverged. Losses")


def test_a_check_that_fails_does_not_end_training(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    doctor, _ = told([], tmp_path, stop=False)
    module = type("Module", (), {"images_seen": 9, "rounds": 9, "game": None, "device": None})()
    doctor.examine(None, module)  # type: ignore[arg-type]
    assert "check at 9 images failed" in caplog.text
    assert not (tmp_path / FILE).exists()


def test_early_stop_by_a_doctor_who_makes_no_checks_is_refused() -> None:
    with pytest.raises(UserError, match="early_stop: doctor was given, and it makes no checks; set doctor_every=5k"):
        settings_of("dcgan", "early_stop=doctor", "doctor_every=null")
    settings_of("dcgan", "early_stop=doctor")


def test_a_history_survives_the_file(tmp_path: Path) -> None:
    seen = from_window(64, 4, {"discriminator/wins": 0.5, "generator/gradient": 2.0, "generator/adversarial": 1.0})
    assert (seen.wins, seen.gradients, seen.losses) == (0.5, {"generator": 2.0}, {"generator/adversarial": 1.0})
    one = Diagnosis(Verdict("healthy", "green", "Well."), replace(WELL, losses={"a/b": 1.0}), FACTS, Advice("a=1", "b"))
    (tmp_path / FILE).write_text(json.dumps(one.to_dict()) + "\n")
    assert read(tmp_path / FILE) == [one]
    assert rewind(tmp_path / FILE, -1) == []
    assert (tmp_path / FILE).read_text() == ""


def test_the_command_shows_verdict_numbers_and_ranges(trained: store.Run, capsys: pytest.CaptureFixture) -> None:
    assert main(["doctor", str(trained.folder)]) == 0
    shown = capsys.readouterr().out
    assert "too early (green)" in shown
    assert "variety of samples" in shown
    assert "85-110 % of the data's" in shown
    assert "losses, which prove nothing either way: discriminator/adversarial" in shown


def test_the_command_examines_runs_that_nobody_examined(
    trained: store.Run, plain: store.Run, capsys: pytest.CaptureFixture
) -> None:
    """The plain run's weights are those of the examined one, and so is what is found."""
    assert main(["doctor", f"run={plain.folder}", "device=cpu"]) == 0
    shown = capsys.readouterr().out
    gap = read(trained.folder / FILE)[-1].signals.gap
    assert f"{gap:.3f}" in next(line for line in shown.splitlines() if "gap to the data" in line)
    assert not (plain.folder / FILE).exists()


def test_the_command_in_words(trained: store.Run, outputs: Path, capsys: pytest.CaptureFixture) -> None:
    settings = settings_of("dcgan", *SHORT, "name=empty")
    run = store.create(outputs, "empty", settings, settings["choices"], 512)
    assert main(["doctor", "run=empty"]) == 2
    assert "has no checkpoint, and its state is: interrupted; start it again" in capsys.readouterr().err
    # still training: what was found so far
    (run.folder / FILE).write_text((trained.folder / FILE).read_text().splitlines(keepends=True)[0])
    assert [each.images for each in diagnosed(run)] == [64]
    assert main(["doctor", "run=empty"]) == 0
    assert "64 of 512 images" in capsys.readouterr().out
