"""A training from its settings to its folder: what it leaves, and how it ends when it cannot go on."""

import csv
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.amp import GradScaler

from ganctl.callbacks.evaluation import Evaluating
from ganctl.cli import main
from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.errors import INTERRUPTED, NOT_FINITE, TERMINATED, NotFinite, Stopped, UserError
from ganctl.module import GameModule
from ganctl.pictures import captioned, strip
from ganctl.precision import WORKSPACE, deterministic
from ganctl.runs import checkpoint, store
from ganctl.runs.content import fingerprint
from ganctl.training import start

BATCH = 8


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def settings_of(*overrides: str) -> dict[str, Any]:
    data = ["dataset=random", "dataset.shape=[1,8,8]", "dataset.count=40"]
    size = ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]"]
    length = ["images=160", f"batch_size={BATCH}", "sample_every=80", "checkpoint_every=80", "trainer.log_every=2"]
    chosen = [
        "model=gan",
        *data,
        *size,
        *length,
        "device=cpu",
        "precision=32",
        "trainer.preview=4",
        "trainer.stretch=0",
        "name=run",
    ]
    return prepare(compose(last_of_each([*chosen, *overrides])))


def last_of_each(words: list[str]) -> list[str]:
    """A later word takes the place of an earlier one with the same key."""
    return [f"{key}={value}" for key, value in dict(word.split("=", 1) for word in words).items()]


class After(pl.Callback):
    """Does something once after a round."""

    def __init__(self, rounds: int, act: Any) -> None:
        self.rounds, self.act = rounds, act

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        if module.rounds == self.rounds:
            self.act(module)


class Told(pl.Callback):
    """Notes after which rounds it was told."""

    def __init__(self) -> None:
        self.rounds: list[int] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        self.rounds.append(module.rounds)


def test_callbacks_are_told_of_rounds_in_which_something_is_due():
    told = Told()
    start.train(settings_of("trainer.stretch=60", "trainer.log_every=7", "checkpoint_every=96"), callbacks=[told])
    assert told.rounds == [7, 10, 12, 14, 20]  # logs 7, 14; samples 10, 20 (80 images); a checkpoint 12; the end 20


def test_without_stretches_callbacks_are_told_of_every_round():
    told = Told()
    start.train(settings_of("trainer.stretch=0"), callbacks=[told])
    assert told.rounds == list(range(1, 21))


def test_a_signal_ends_a_stretch():
    class Interrupted(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
            game, play = module.game, module.game.advance

            def advance(clock: Any) -> None:
                if clock.rounds == 3:
                    os.kill(os.getpid(), signal.SIGTERM)
                play(clock)

            game.advance = advance

    rarely = ["trainer.stretch=60", "trainer.log_every=50", "sample_every=null", "checkpoint_every=null"]
    with pytest.raises(Stopped) as stopped:
        start.train(settings_of(*rarely), callbacks=[Interrupted()])
    assert stopped.value.exit_code == TERMINATED
    assert "terminated after 32 images and saved" in str(stopped.value)  # the round in which it came was the fourth


def test_the_last_rounds_are_logged_too(outputs):
    """20 rounds in windows of 7: the last 6 make a row of their own, which a longer training replaces."""
    result = start.train(settings_of("trainer.log_every=7"))
    with (outputs / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["rounds"] for row in rows] == ["7", "14", "20"]
    assert result["losses"]["discriminator/adversarial"] == float(rows[-1]["discriminator/adversarial"])
    run = store.Run(outputs / "run")
    start.resume(run, recheck(store.read_config(run), ["images=240"]))
    start.train(settings_of("trainer.log_every=7", "images=240", "name=whole"))
    assert (run.folder / "metrics.csv").read_bytes() == (outputs / "whole" / "metrics.csv").read_bytes()


def test_a_checkpoint_is_told_to_the_runs_status(outputs):
    def look(module: Any) -> None:
        assert store.read_status(store.Run(outputs / "run")).images_seen == 80

    start.train(settings_of(), callbacks=[After(10, look)])


def test_what_a_run_leaves(outputs):
    result = start.train(settings_of())
    folder = outputs / "run"
    assert result["images_seen"] == 160
    assert result["rounds"] == 20
    assert json.loads((folder / "result.json").read_text())["state"] == "finished"
    assert store.read_status(store.Run(folder)).state == "finished"
    assert sorted(path.name for path in (folder / "samples").glob("*")) == [
        "000000000.png",
        "000000080.png",
        "000000160.png",
        "progress.gif",
    ]
    assert (folder / "checkpoints" / "000000160.ckpt").exists()
    assert list((folder / "tensorboard").glob("events*"))
    assert "device: cpu" in (folder / "log.txt").read_text()
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert [int(row["rounds"]) for row in rows] == list(range(2, 21, 2))
    assert float(rows[0]["generator/adversarial"]) > 0


def test_checkpoints_are_plain_and_name_themselves(outputs):
    start.train(settings_of())
    content = torch.load(outputs / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["kind"] == "ganctl checkpoint"
    assert content["config"]["choices"]["model"] == "gan"
    assert content["images_seen"] == 160


def test_of_numbered_checkpoints_the_latest_are_kept(outputs):
    """80 images, one every 16: of five the last two, each with what it says."""
    start.train(settings_of("images=80", "checkpoint_every=16", "keep=2", "sample_every=null"))
    run = store.Run(outputs / "run")
    assert {path.name for path in run.checkpoints.glob("0*")} == {"000000064.ckpt", "000000080.ckpt"}
    seen = {images: checkpoint.load(path)["images_seen"] for images, path in store.numbered(run).items()}
    assert seen == {64: 64, 80: 80}
    assert checkpoint.load(run.checkpoints / "last.ckpt")["images_seen"] == 80


def test_the_seed_decides_how_networks_begin(outputs):
    """Two seeds, and the first once more."""
    begun: list[torch.Tensor] = []

    class Begun(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
            for network in (module.game.generator, module.game.discriminator):
                begun.append(next(network.parameters()).detach().clone())

    for name, seed in (("one", 1), ("two", 2), ("again", 1)):
        short = [f"images={BATCH}", "sample_every=null", "checkpoint_every=null"]
        start.train(settings_of(*short, f"seed={seed}", f"name={name}"), callbacks=[Begun()])
    generators, discriminators = begun[::2], begun[1::2]
    for one, two, again in (generators, discriminators):
        assert torch.equal(one, again)
        assert (one != two).all()


def test_sheets_of_a_growing_model_say_its_stage(outputs):
    """4x4 up to 80 images, faded to 160: the round drawn at 160 began at 152, which is 72/80 of the way."""
    growth = [f"model.game.growth.{phase}_images=80" for phase in ("stable", "fade")]
    small = ["model=progan", "model.width=4", "model.max_width=4", "images=240", "checkpoint_every=null"]
    chosen = ["dataset=random", "dataset.shape=[1,8,8]", "device=cpu", "precision=32", "trainer.preview=4", "name=run"]
    start.train(prepare(compose([*small, *growth, *chosen, f"batch_size={BATCH}", "sample_every=80"])))
    stages = {0: "4x4", 80: "4x4", 160: "8x8 faded in by 90%", 240: "8x8"}
    for images, stage in stages.items():
        with Image.open(outputs / "run" / "samples" / f"{images:09d}.png") as file:
            sheet = np.asarray(file)
        line = strip(sheet.shape[1])
        assert (captioned(sheet[:-line], stage) == sheet).all(), images
    assert (outputs / "run" / "samples" / "progress.gif").is_file()


@pytest.mark.parametrize(("model", "times"), [("srgan", 1), ("srresnet", 0)])
def test_what_stands_in_for_vgg_is_told_at_the_start(model, times, outputs, capsys):
    """On the terminal and in log.txt, with how to get the paper's; nothing where the paper's own loss is taken."""
    small = [f"model={model}", "model.width=4", "model.blocks=1", "images=8", "batch_size=4", "dataset=random_superres"]
    chosen = ["dataset.shape=[3,16,16]", "device=cpu", "precision=32", "trainer.preview=2", "name=run"]
    start.train(prepare(compose([*small, *chosen, "sample_every=null", "checkpoint_every=null"])))
    told = "content: features of random filters stand in for those of VGG19"
    remedy = "set model.content._target_=ganctl.losses.vgg.VGG19 model.content.weight=0.006"
    for text in (capsys.readouterr().out, (outputs / "run" / "log.txt").read_text()):
        assert (text.count(told), text.count(remedy)) == (times, times)


def test_a_resumed_run_is_told_only_what_its_new_length_brings(outputs, monkeypatch, capsys):
    monkeypatch.setattr("ganctl.games.latent.LatentGame.notices", lambda game, images: ["a part", f"ends at {images}"])
    with pytest.raises(Stopped):
        start.train(settings_of(), callbacks=[After(6, lambda _: os.kill(os.getpid(), signal.SIGTERM))])
    assert "a part\nends at 160\n" in capsys.readouterr().out
    run = store.Run(outputs / "run")
    start.resume(run, recheck(store.read_config(run)))
    told = capsys.readouterr().out
    assert ("a part" in told, "ends at" in told) == (False, False)
    start.resume(run, recheck(store.read_config(run), ["images=200"]))
    told = capsys.readouterr().out
    assert ("a part" in told, "ends at 200" in told) == (False, True)


def test_a_turn_with_an_interval_plays_in_every_kth_round(outputs):
    start.train(settings_of("model.every.generator=4"))
    rows = list(csv.DictReader((outputs / "run" / "metrics.csv").open()))
    played = [row["generator/adversarial"] != "" for row in rows]
    assert played == [False, True] * 5  # windows of two rounds; the generator plays in rounds 4, 8, ...


def test_a_lazy_penalty_counts_the_plays_of_its_turn(outputs):
    lazy = "{_target_: ganctl.losses.regularizers.R1, weight: 1.0, every: 2}"
    start.train(settings_of("model.every.discriminator=4", f"loss.penalties=[{lazy}]", "trainer.log_every=1"))
    rows = list(csv.DictReader((outputs / "run" / "metrics.csv").open()))
    played = [bool(row["discriminator/adversarial"]) for row in rows]
    penalised = [number for number, row in enumerate(rows) if row.get("discriminator/R1")]
    assert [number for number, was in enumerate(played) if was] == [3, 7, 11, 15, 19]
    assert penalised == [3, 11, 19]  # every second of its plays


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)])
def test_a_signal_finishes_the_round_saves_and_says_how_to_go_on(number, code, outputs):
    with pytest.raises(Stopped, match=r"after 56 images and saved; continue with: ganctl train resume=.*run") as end:
        start.train(settings_of(), callbacks=[After(6, lambda _: os.kill(os.getpid(), number))])
    assert end.value.exit_code == code
    run = store.Run(outputs / "run")
    assert (store.read_status(run).state, store.read_status(run).images_seen) == ("interrupted", 56)
    assert checkpoint.load(run.checkpoints / "last.ckpt")["rounds"] == 7
    assert [path.name for path in run.samples.glob("*.png")] == ["000000000.png"]  # none out of turn
    assert start.resume(run, recheck(store.read_config(run)))["rounds"] == 20


def poison(module: Any) -> None:
    with torch.no_grad():
        next(module.game.generator.parameters()).fill_(float("nan"))


def test_a_number_that_is_not_finite_stops_training_and_keeps_the_last_good_checkpoint(outputs):
    with pytest.raises(NotFinite, match=r"round 14: .* in the .*'s turn is nan.*model\.optimizers\.\w+\.lr") as end:
        start.train(settings_of(), callbacks=[After(12, poison)])
    assert end.value.exit_code == NOT_FINITE
    run = store.Run(outputs / "run")
    assert store.read_status(run).state == "not finite"
    good = checkpoint.load_newest_good(run).content
    assert good["rounds"] == 10
    assert all(value.isfinite().all() for value in good["game"].values() if value.is_floating_point())


def test_poisoned_weights_are_never_saved(outputs):
    """Between two readings of the losses, right before a checkpoint."""
    with pytest.raises(NotFinite, match=r"round 10: "):
        start.train(settings_of("trainer.log_every=50", "sample_every=null"), callbacks=[Poisoned(9)])
    assert not (outputs / "run" / "checkpoints" / "last.ckpt").exists()


class Poisoned(pl.Callback):
    """Spoils the weights before a round."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        if module.rounds == self.rounds:
            poison(module)


def test_a_run_in_use_is_refused(outputs):
    start.train(settings_of())
    run = store.Run(outputs / "run")
    with run.lock(), pytest.raises(UserError, match="in use by process"):
        start.resume(run, recheck(store.read_config(run), ["images=240"]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
@pytest.mark.parametrize("device", ["cuda", "[0,2]", "idle"])
def test_a_gpu_asked_for_and_none_there_leaves_nothing(device, outputs):
    with pytest.raises(UserError, match="shows no NVIDIA GPU; set device=auto or device=cpu"):
        start.train(settings_of(f"device={device}"))
    assert not outputs.exists()


def test_data_that_cannot_be_opened_leaves_nothing(outputs, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(BATCH):
        (pictures / f"{index}.png").write_bytes(b"not a picture")
    data = ["dataset=folder", f"dataset.root={pictures}", "dataset.size=8"]
    settings = prepare(compose(["model=gan", *data, f"batch_size={BATCH}", "device=cpu"]))
    with pytest.raises(UserError, match="not one readable picture"):
        start.train(settings)
    assert not outputs.exists()


def test_longer_than_before(outputs):
    start.train(settings_of())
    run = store.Run(outputs / "run")
    assert start.resume(run, recheck(store.read_config(run), ["images=240"]))["images_seen"] == 240


def test_a_new_length_is_kept_for_the_next_time(outputs):
    start.train(settings_of())
    run = store.Run(outputs / "run")
    stopper = After(25, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="after 208 images and saved"):
        start.resume(run, recheck(store.read_config(run), ["images=320"]), callbacks=[stopper])
    with pytest.raises(UserError, match=r"run is to have images=200, 208 images seen; give a greater length"):
        start.resume(run, recheck(store.read_config(run), ["images=200"]))
    assert start.resume(run, recheck(store.read_config(run)))["images_seen"] == 320


def test_a_run_whose_minutes_are_over_is_left_as_it_is(outputs):
    start.train(settings_of("images=80k", "minutes=0.005"))
    run = store.Run(outputs / "run")
    assert store.read_status(run).state == "finished"
    with pytest.raises(UserError, match=r"is finished, its minutes=0.005 are over; give more, such as minutes=0.01"):
        start.resume(run, recheck(store.read_config(run)))
    seen = store.read_status(run).images_seen
    assert start.resume(run, recheck(store.read_config(run), ["minutes=0.02"]))["images_seen"] > seen


def test_a_value_that_is_only_written_otherwise_is_no_change(outputs):
    start.train(settings_of())
    saved = store.read_config(store.Run(outputs / "run"))
    assert recheck(saved, ["images=240", "sample_every=8e1"])["sample_every"] == 80
    with pytest.raises(UserError, match="sample_every=81: a resumed run keeps its own sample_every"):
        recheck(saved, ["sample_every=81"])


def test_a_run_may_be_trained_beside_the_main_thread(outputs):
    found = []
    thread = threading.Thread(target=lambda: found.append(start.train(settings_of())["images_seen"]))
    thread.start()
    thread.join()
    assert found == [160]


def test_a_scaler_is_saved_and_under_it_gradients_are_not_watched(outputs, monkeypatch):
    """As precision=16 has one on a GPU."""
    monkeypatch.setattr(GameModule, "scaler", GradScaler("cpu", init_scale=8.0))
    start.train(settings_of())
    run = store.Run(outputs / "run")
    assert checkpoint.load(run.checkpoints / "last.ckpt")["scaler"]["scale"] == 8.0
    assert "gradient" not in run.metrics_file.read_text()
    fresh = GradScaler("cpu", init_scale=2.0)
    monkeypatch.setattr(GameModule, "scaler", fresh)
    start.resume(run, recheck(store.read_config(run), ["images=240"]))
    assert fresh.get_scale() == 8.0


def test_a_run_that_its_score_ends_draws_what_it_ended_with(outputs, monkeypatch):
    def evaluate(self: Evaluating, trainer: pl.Trainer, module: Any) -> None:
        trainer.should_stop |= module.images_seen >= 56

    monkeypatch.setattr(Evaluating, "evaluate", evaluate)
    assert start.train(settings_of("evaluate_every=24", "early_stop=diversity"))["images_seen"] == 72
    assert (outputs / "run" / "samples" / "000000072.png").exists()


def test_a_finished_run_is_left_as_it_is(outputs):
    start.train(settings_of())
    run = store.Run(outputs / "run")
    before = (run.checkpoints / "last.ckpt").read_bytes()
    with pytest.raises(UserError, match=r"^resume: .*run is finished, \d+ images seen; give a greater length"):
        start.resume(run, recheck(store.read_config(run)))
    assert (run.checkpoints / "last.ckpt").read_bytes() == before
    assert store.read_status(run).state == "finished"


@pytest.mark.parametrize("dataset", ["ring8", "grid25"])
def test_dry_run_of_points(dataset, capsys):
    start.dry_run(prepare(compose(["model=gan_points", f"dataset={dataset}", "batch_size=256", "device=cpu"])))
    assert "MLPGenerator, 99,714 parameters" in capsys.readouterr().out  # 2*128+128 + 6*(128*128+128) + 128*2+2


def test_a_run_killed_between_its_last_checkpoint_and_its_end_is_not_played_on(outputs):
    start.train(settings_of())
    run = store.Run(outputs / "run")
    before = checkpoint.load(run.checkpoints / "last.ckpt")
    store.update_status(run, state="running")
    result = start.resume(run, recheck(store.read_config(run)))
    assert (result["images_seen"], result["rounds"], result["state"]) == (160, 20, "finished")
    assert result["losses"] == before["callbacks"]["recorder"]["latest"]
    assert fingerprint(checkpoint.load(run.checkpoints / "last.ckpt")) == fingerprint(before)
    assert store.read_status(run).state == "finished"


def test_dry_run_tells_and_leaves_nothing(outputs, capsys):
    start.dry_run(settings_of())
    told = capsys.readouterr().out
    assert "MLPGenerator, 2,704 parameters" in told  # 100*16 + 16 in, 16*64 + 64 out
    assert "memory     about" in told
    assert "device     cpu" in told
    assert not outputs.exists()


def test_what_the_data_says_is_told_once_and_logged(outputs, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(BATCH):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(pictures / f"{index}.png")
    (pictures / "live.heic").write_bytes(b"not taken")
    data = ["dataset=folder", f"dataset.root={pictures}", "dataset.size=8", "dataset.channels=1"]
    fixed = ["model=gan", "images=8", f"batch_size={BATCH}", "device=cpu", "name=run", "trainer.preview=4"]
    start.train(prepare(compose([*data, *fixed])))
    run = store.Run(outputs / "run")
    for said in (capsys.readouterr().out, run.log_file.read_text()):
        assert said.count("other files left aside: 1 .heic") == 1
        assert said.count(": 8 pictures") == 1
    start.resume(run, recheck(store.read_config(run), ["images=16"]))
    assert capsys.readouterr().out.count(": 8 pictures") == 1


def test_a_run_whose_data_is_gone_says_where_to_put_it(outputs, tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("pictures").mkdir()
    for index in range(BATCH):
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(f"pictures/{index}.png")
    data = ["dataset=folder", "dataset.root=pictures", "dataset.size=8", "dataset.channels=1"]
    fixed = ["model=gan", "images=8", f"batch_size={BATCH}", "device=cpu", "name=run", "trainer.preview=4"]
    start.train(prepare(compose([*data, *fixed])))
    monkeypatch.chdir(tmp_path)
    cure = "put it back there, or a link to it, or set GANCTL_DATA to the folder that holds it"
    for words in (["evaluate", "run=run"], ["doctor", "run=run", "fresh=true"], ["train", "resume=run", "images=16"]):
        assert main([*words]) == 2
        told = capsys.readouterr().err
        assert f"dataset.root: no such folder 'pictures', on which the run was trained; {cure}" in told
    monkeypatch.setenv("GANCTL_DATA", str(tmp_path / "here"))
    assert main(["train", "resume=run", "images=16"]) == 0


def test_ctrl_c_before_the_first_round_leaves_nothing(outputs, monkeypatch):
    def interrupted(session):
        raise KeyboardInterrupt

    monkeypatch.setattr(start.Session, "play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.train(settings_of())
    assert list(outputs.iterdir()) == []


def test_ctrl_c_while_lightning_sets_up_leaves_nothing_and_hears_another(outputs):
    class Pressed(pl.Callback):
        def setup(self, *_: Any, **__: Any) -> None:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        start.train(settings_of(), callbacks=[Pressed()])
    assert list(outputs.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("workspace", [None, ":16:8"])
def test_a_fixed_order_of_sums_is_asked_for_and_given_up_again(workspace, monkeypatch):
    monkeypatch.delenv(WORKSPACE, raising=False)
    if workspace:
        monkeypatch.setenv(WORKSPACE, workspace)
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.deterministic
        assert os.environ[WORKSPACE] == (workspace or ":4096:8")
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
    assert os.environ.get(WORKSPACE) == workspace


def test_a_run_may_ask_for_a_fixed_order_of_sums():
    seen = []
    start.train(settings_of("trainer.deterministic=true"), callbacks=[After(1, lambda _: seen.append(order()))])
    assert (seen, order()) == ([True], False)


def order() -> bool:
    """Whether sums are taken in a fixed order."""
    return torch.are_deterministic_algorithms_enabled()
