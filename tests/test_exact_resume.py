"""Killed at any moment and resumed, a run ends bit for bit as the uninterrupted one: every conf/model/*.yaml.

Each training is a process of its own, forked (so that PyTorch is imported once) and ended by a real SIGKILL.
"""

import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch.utils.tensorboard  # noqa: F401 - once, here, not in every child
from model_data import MODELS, PRESETS, overrides, without_weights
from omegaconf import OmegaConf

from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.runs import checkpoint, store
from ganctl.runs.content import fingerprint
from ganctl.training import start

BATCH, ROUNDS = 8, 26
COUNT = 60  # pictures: epochs end in the middle of batches
FIXED = {"gan": ["precision=bf16"], "dcgan": ["precision=32"]}  # the others train in what the machine multiplies


NARROW = {
    "width": 8, "max_width": 8, "critic_width": 8, "own_width": 8, "group_size": 4, "buckets": 64,
    "stable_images": 32, "fade_images": 32, "batch_sizes": "null",
}  # fmt: skip


def settings_of(model: str, *others: str, side: int = 16) -> dict[str, Any]:
    data = overrides(model, [1, side, side], count=COUNT)
    length = [f"images={BATCH * ROUNDS}", f"batch_size={BATCH}", "checkpoint_every=64", "sample_every=128", "keep=2"]
    fixed = ["device=cpu", "trainer.threads=1", "trainer.log_every=3", "trainer.preview=4", "trainer.stretch=0"]
    words = [f"model={model}", *data, *length, *fixed, *others]
    return prepare(compose([f"{key}={value}" for key, value in dict(word.split("=", 1) for word in words).items()]))


def narrowed(model: str) -> list[str]:
    """What makes a model's networks narrow and grow soon, wherever its YAML says how wide they are, or when."""
    tree = OmegaConf.to_container(compose([f"model={model}", *overrides(model, [1, 32, 32])]).tree)
    return list(narrower(tree["model"], "model"))  # type: ignore[index,call-overload]


def narrower(node: Any, path: str) -> Iterator[str]:
    """The same of a part of the config, its interpolations unresolved."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in NARROW and not str(value).startswith("${"):
            yield f"{path}.{key}={NARROW[key]}"
        yield from narrower(value, f"{path}.{key}")


def forked(work: Callable[[], Any], log: Path) -> int:
    """Run `work` in a process of its own; returns its pid."""
    child = os.fork()
    if child:
        return child
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = sys.stderr = os.fdopen(descriptor, "w", buffering=1)
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def ended(pid: int) -> int:
    """Wait; 0 for a good end, negative for the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Kill(pl.Callback):
    """SIGKILL to ourselves once a round is over, before anything of it is saved."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *_: Any) -> None:
        if module.rounds == self.rounds:
            os.kill(os.getpid(), signal.SIGKILL)


def begin_or_resume(settings: dict[str, Any], folder: Path, *callbacks: pl.Callback) -> None:
    """What a user does: train, and after every interruption resume, or begin anew if nothing was saved yet."""
    run = store.Run(folder)
    if run.exists() and store.available(run):
        start.resume(run, recheck(store.read_config(run)), callbacks=callbacks)
    elif run.exists():
        start.train(settings, run=run, callbacks=callbacks)
    else:
        os.environ["GANCTL_OUTPUTS"] = str(folder.parent)
        start.train({**settings, "name": folder.name}, callbacks=callbacks)


def train_through(settings: dict[str, Any], folder: Path, kills: list[int]) -> None:
    """Train to the end, killed after each of the given rounds."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.log"
    for rounds in kills:
        code = ended(forked(lambda rounds=rounds: begin_or_resume(settings, folder, Kill(rounds)), log))
        assert code == -signal.SIGKILL, log.read_text()[-3000:]
    assert ended(forked(lambda: begin_or_resume(settings, folder), log)) == 0, log.read_text()[-3000:]


def outcome(folder: Path) -> dict[str, str]:
    """Fingerprints of everything the checkpoint holds but its config (which has the run's name), and of the losses."""
    content = checkpoint.load(folder / "checkpoints" / "last.ckpt")
    prints = {name: fingerprint(value) for name, value in content.items() if name != "config"}
    return {**prints, "metrics.csv": (folder / "metrics.csv").read_bytes()}


@pytest.mark.parametrize("model", MODELS)
def test_killed_and_resumed_ends_bit_for_bit_the_same(model: str, tmp_path: Path) -> None:
    words = FIXED.get(model, [])
    settings = settings_of(model, *words)
    chance = random.Random(model)
    kills = sorted({chance.randint(5, 12), chance.randint(13, ROUNDS - 1)})
    whole = settings_of(model, *words, "trainer.stretch=60")  # told only when something is due
    train_through(whole, tmp_path / "whole", [])
    train_through(settings, tmp_path / "killed", kills)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole"), f"killed after rounds {kills}"
    pictures = [sorted((tmp_path / name / "samples").glob("0*.png")) for name in ("whole", "killed")]
    assert [p.read_bytes() for p in pictures[0]] == [p.read_bytes() for p in pictures[1]]


@pytest.mark.slow
@pytest.mark.parametrize("model", PRESETS)
def test_presets_too_with_narrow_networks(model: str, tmp_path: Path) -> None:
    """The paper's depth, rates and schedules, at 32 pixels and a few channels, so that a CPU can play them."""
    words = [*without_weights(model), *narrowed(model)]
    chance = random.Random(model)
    kills = sorted({chance.randint(5, 12), chance.randint(13, ROUNDS - 1)})
    train_through(settings_of(model, *words, "trainer.stretch=60", side=32), tmp_path / "whole", [])
    train_through(settings_of(model, *words, side=32), tmp_path / "killed", kills)
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole"), f"killed after rounds {kills}"


def test_adaptive_augmentation_and_lazy_penalties_resume_exactly(tmp_path: Path) -> None:
    adaptive = ["augment=ada", "augment.strength=0.5", "loss=r1_lazy_small", "model.game.discriminator.norm=none"]
    settings = settings_of("dcgan", *adaptive)
    train_through(settings, tmp_path / "whole", [])
    train_through(settings, tmp_path / "killed", [6, 19])
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_sampling_and_saving_leave_training_as_it_was(tmp_path: Path) -> None:
    often = settings_of("dcgan", "sample_every=8", "checkpoint_every=8")
    never = settings_of("dcgan", "sample_every=null", "checkpoint_every=null")
    train_through(often, tmp_path / "often", [])
    train_through(never, tmp_path / "never", [])
    assert outcome(tmp_path / "often") == outcome(tmp_path / "never")


def killed_at_random(settings: dict[str, Any], folder: Path, kills: int, chance: random.Random) -> int:
    """SIGKILL from outside at random moments, then resume; until `kills` were given. Returns how many hit training."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    log, given = folder.parent / "soak.log", 0
    while True:
        pid = forked(lambda: begin_or_resume(settings, folder), log)
        if given < kills:
            time.sleep(chance.uniform(0.3, 2.0))
            os.kill(pid, signal.SIGKILL)
        code = ended(pid)
        assert code in (0, -signal.SIGKILL), log.read_text()[-3000:]
        if code == 0:
            return given
        given += 1


@pytest.mark.slow
@pytest.mark.parametrize("temporary", ["same", "other"])
def test_a_hundred_kills_at_random_moments(temporary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`other`: the temporary folder on another filesystem, where a rename is a copy."""
    if temporary == "other":
        monkeypatch.setenv("TMPDIR", "/dev/shm")
    chance, total = random.Random(temporary), 0
    settings = settings_of(
        "dcgan",
        "model.width=16",
        "checkpoint_every=16",
        "images=4000",
        "dataset.shape=[1,32,32]",
        "trainer.stretch=0.05",
    )
    train_through(settings, tmp_path / "whole", [])
    expected = outcome(tmp_path / "whole")
    attempt = 0
    while total < 60:
        folder = tmp_path / f"killed{attempt}"
        total += killed_at_random(settings, folder, 60 - total, chance)
        assert outcome(folder) == expected
        leftovers = [path for path in folder.rglob("*") if ".part-" in path.name or ".old-" in path.name]
        assert not leftovers
        attempt += 1
    print(f"{total} kills, {attempt} runs, temporary folder: {temporary}")
