"""One run on several devices, here two processes on a CPU: they stop together and are resumed exactly."""

import json
import os
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.data.small import Random
from ganctl.devices import Placement
from ganctl.errors import TERMINATED, GanctlError, NotFinite, Stopped, UserError
from ganctl.runs import checkpoint, store
from ganctl.runs.atomic import write_text
from ganctl.runs.content import fingerprint
from ganctl.runs.status import read_json
from ganctl.training import group, session, start


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


DCGAN = ("dataset=random", "model=dcgan", "loss=r1_lazy_small", "model.game.discriminator.norm=none")
# Its pools are filled by each process alone. Without schedules: they follow the length, which differs here.
CYCLEGAN = ("dataset=random_unpaired", "model=cyclegan", "model.blocks=1", "model.schedules=null")


def settings_of(*overrides: str, network: tuple[str, ...] = DCGAN) -> dict[str, Any]:
    data = ["dataset.shape=[1,16,16]", "dataset.count=60", "model.width=8"]
    length = ["batch_size=16", "checkpoint_every=160", "sample_every=160", "trainer.log_every=3", "trainer.threads=1"]
    fixed = ["trainer.processes=2", "device=cpu", "precision=32", "trainer.preview=4"]
    words = [*data, *network, *length, *fixed, *overrides]  # a later word takes the place of an earlier one
    return prepare(compose([f"{key}={value}" for key, value in dict(word.split("=", 1) for word in words).items()]))


def weights(name: str, outputs: Path) -> dict[str, Any]:
    """What the last checkpoint holds beside its config."""
    content = checkpoint.load(outputs / name / "checkpoints" / "last.ckpt")
    content.pop("config")
    return content


def when(found: Any, act: Any) -> threading.Thread:
    """Act as soon as something is found."""

    def wait() -> None:
        end = time.monotonic() + 120
        while not found() and time.monotonic() < end:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("network", [DCGAN, CYCLEGAN], ids=["dcgan", "cyclegan"])
def test_stopped_together_and_resumed_exactly(outputs, network):
    run = store.Run(outputs / "half")
    early = run.checkpoints / "000000160.ckpt"
    when(early.exists, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match=r"terminated after [\d,]+ images and saved") as stopped:
        start.train(settings_of("images=80k", "name=half", network=network))
    assert stopped.value.exit_code == TERMINATED
    assert store.read_status(run).state == "interrupted"
    length = checkpoint.load(run.checkpoints / "last.ckpt")["images_seen"] + 64
    assert length < 80_000
    start.resume(run, recheck(store.read_config(run), [f"images={length}"]))
    start.train(settings_of(f"images={length}", "name=whole", network=network))
    assert fingerprint(weights("half", outputs)) == fingerprint(weights("whole", outputs))
    assert (run.folder / "metrics.csv").read_bytes() == (outputs / "whole" / "metrics.csv").read_bytes()
    first, (second,) = weights("whole", outputs), weights("whole", outputs)["others"]
    assert not torch.equal(first["random"]["torch"], second["random"]["torch"])  # each draws its own noise


def test_a_process_that_dies_ends_the_run_in_words(outputs):
    run = store.Run(outputs / "torn")
    early = run.checkpoints / "000000160.ckpt"
    when(early.exists, lambda: os.kill(store.read_status(run).pid, signal.SIGKILL))
    with pytest.raises(GanctlError, match=r"torn: one of the run's processes ended unexpectedly .*stderr.txt"):
        start.train(settings_of("images=80k", "name=torn"))
    assert store.read_status(run).state == "failed"
    assert checkpoint.load_newest_good(run).content["images_seen"] >= 160


def test_a_batch_that_cannot_be_shared_is_a_mistake():
    with pytest.raises(UserError, match="batch_size: 17; must be a multiple of 2"):
        settings_of("batch_size=17")


def test_how_an_end_is_told_from_process_to_process(outputs):
    run = store.create(outputs, "told", {})
    for end in (UserError("first", "second"), Stopped("enough", TERMINATED)):
        words = end.mistakes if isinstance(end, UserError) else [str(end)]
        found = {"end": type(end).__name__, "words": words, "exit_code": end.exit_code}
        with pytest.raises(type(end)) as raised:
            group.conclude(run, found, outputs / "stderr.txt")
        assert str(raised.value) == str(end)
        assert raised.value.exit_code == end.exit_code


@pytest.mark.parametrize(
    ("number", "end", "raised"),
    [
        (0, None, False),
        (0, Stopped("enough", TERMINATED), False),
        (0, NotFinite("a sample"), True),
        (0, GanctlError("the disk is full"), True),
        (0, UserError("first", "second"), True),
        (1, NotFinite("a loss"), False),  # as the first process, which must have the time to say so
        (1, UserError("no such file here"), True),
    ],
)
def test_a_process_that_ends_alone_fails_so_that_nobody_waits_for_it(number, end, raised, outputs, monkeypatch):
    run = store.create(outputs, "alone", {})
    monkeypatch.setattr(group, "rank", lambda: number)
    write_text(run.folder / group.ORDER, json.dumps({"settings": {}, "resume": False}))

    def play(settings: dict[str, Any], resuming: bool) -> None:
        if end is not None:
            raise end

    with pytest.raises(type(end)) if raised else nullcontext():
        group.play_share(run, play)
    told = read_json(run.folder / group.OUTCOME).get("end")
    assert told == (None if number else "finished" if end is None else type(end).__name__)


def test_what_only_the_first_process_meets_ends_the_run_in_one_sentence(outputs, capfd):
    """A checkpoint cannot be written; the other process waits for gradients of the first."""
    run = store.Run(outputs / "alone")

    def spoil() -> None:
        run.checkpoints.rename(outputs / "elsewhere")
        run.checkpoints.write_text("no folder any more")

    when((run.checkpoints / "000000160.ckpt").exists, spoil)
    with pytest.raises(GanctlError, match=r"last\.ckpt: could not write .*: Not a directory") as ended:
        start.train(settings_of("images=80k", "name=alone"))
    assert "ended unexpectedly" not in str(ended.value)
    assert store.read_status(run).state == "failed"
    assert not (run.folder / "stderr.txt").exists()
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_signal_that_comes_before_there_is_a_process_is_handed_on_later(outputs, monkeypatch):
    run = store.create(outputs, "early", {})
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    with group.signals_handed_to(run) as deliver:
        signal.raise_signal(signal.SIGINT)
        deliver()
        assert sent == []  # the folder still names this process
        store.update_status(run, pid=4711)
        deliver()
    assert sent == [(4711, signal.SIGINT)]


def test_who_only_starts_the_processes_leaves_the_gpus_alone(monkeypatch):
    opened = []

    class Noticed(Random):
        def open(self, device):
            opened.append(device)
            return super().open(torch.device("cpu"))

    monkeypatch.setattr(session, "place", lambda _: Placement("cuda", (0, 1), "as asked"))
    monkeypatch.setattr(session.parts, "dataset_of", lambda _: Noticed(shape=[1, 8, 8], count=8))
    session.set_up({"device": [0, 1], "batch_size": 8, "trainer": {}})
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    monkeypatch.setenv("RANK", "1")
    session.set_up({"device": [0, 1], "batch_size": 8, "trainer": {}})
    assert opened == [torch.device("cpu"), torch.device("cuda:1")]
