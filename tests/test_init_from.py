"""`init_from=RUN`: networks begin as those of another run, or the command is refused before anything is made."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.errors import UserError
from ganctl.runs import checkpoint, store
from ganctl.runs.content import fingerprint
from ganctl.trained.inheriting import heritage, located
from ganctl.training import start
from ganctl.training.parts import game_of

DATA = ["dataset=random_superres", "dataset.shape=[3,16,16]", "dataset.count=12"]
SMALL = ["device=cpu", "precision=32", "batch_size=4", "trainer.threads=1", "trainer.preview=2", "sample_every=null"]
NETWORK = ["model.width=4", "model.blocks=1"]


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def settings_of(*words: str) -> dict[str, Any]:
    chosen = dict(word.split("=", 1) for word in (*DATA, *SMALL, *NETWORK, *words))
    return prepare(compose([f"{key}={value}" for key, value in chosen.items()]))


def trained(*words: str) -> dict[str, Any]:
    """The last checkpoint of a training."""
    result = start.train(settings_of(*words))
    return checkpoint.load(Path(result["folder"]) / "checkpoints" / "last.ckpt")


def averaged(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    head = "copies.generator."
    return {key.removeprefix(head): value for key, value in content["average"].items() if key.startswith(head)}


@pytest.fixture
def begun() -> dict[str, Any]:
    """A run of SRResNet, called `first`."""
    return trained("model=srresnet", "images=40", "name=first")


def test_the_averaged_weights_are_taken(begun: dict[str, Any]) -> None:
    game = game_of(settings_of("model=srgan"))
    found = heritage(game, located("first"))
    live = {key.removeprefix("generator."): value for key, value in begun["game"].items()}
    assert set(found) == {"generator"}  # the discriminator begins anew
    assert fingerprint(dict(found["generator"])) == fingerprint(averaged(begun)) != fingerprint(live)


def test_training_begins_with_them(begun: dict[str, Any]) -> None:
    """With learning rates of 0 nothing moves: the end is the beginning."""
    still = [f"model.optimizers.{turn}.lr=0" for turn in ("generator", "discriminator")]
    end = trained("model=srgan", "images=8", "init_from=first", "name=second", *still)
    generator = {k.removeprefix("generator."): v for k, v in end["game"].items() if k.startswith("generator.")}
    assert fingerprint(generator) == fingerprint(averaged(begun))
    anew = trained("model=srgan", "images=8", "name=third", *still)
    assert fingerprint(end["game"]["discriminator.last.weight"]) == fingerprint(
        anew["game"]["discriminator.last.weight"]
    )


def test_what_it_began_from_is_recorded_and_newest_is_resolved(begun: dict[str, Any], outputs: Path) -> None:
    settings = settings_of("model=srgan", "init_from=newest")
    assert settings["init_from"] == str(outputs / "first" / "checkpoints" / "last.ckpt")
    start.train({**settings, "images": 8, "name": "second"})
    assert store.read_config(store.Run(outputs / "second"))["init_from"] == settings["init_from"]


def test_a_resumed_run_goes_on_from_its_own_state(begun: dict[str, Any], outputs: Path) -> None:
    """Even where the first run is gone."""
    whole = trained("model=srgan", "images=24", "init_from=first", "name=whole")
    trained("model=srgan", "images=8", "init_from=first", "name=broken")
    os.rename(outputs / "first", outputs / "elsewhere")
    run = store.Run(outputs / "broken")
    start.resume(run, recheck(store.read_config(run), ["images=24"]))
    resumed = checkpoint.load(run.checkpoints / "last.ckpt")
    for part in ("game", "average", "optimizers", "random"):
        assert fingerprint(resumed[part]) == fingerprint(whole[part]), part


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["init_from=frist"], r"^init_from: no run 'frist'.*first.*; give a run folder"),
        (["init_from=first", "model.width=8"], r"^init_from: .*last\.ckpt: its generator does not fit this model's "),
        (["init_from=first", "model.blocks=2"], r"\(blocks\.1\.branch\.0\.bias: missing there, 4 here\); choose a run"),
        (["init_from=first", "model.widht=8"], r"widht"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_folder_is_made(
    begun: dict[str, Any], outputs: Path, words: list[str], expected: str
) -> None:
    with pytest.raises(UserError, match=expected) as error:
        settings_of("model=srgan", "name=second", *words)
    assert len(error.value.mistakes) == 1
    assert not (outputs / "second").exists()


def test_a_run_of_another_game_is_refused(outputs: Path) -> None:
    data = ["dataset=random", "dataset.shape=[3,16,16]", "dataset.count=12", "model.noise_size=4"]
    words = [*data, *SMALL, "model=gan", "images=8", "name=noise"]
    start.train(prepare(compose(words)))
    with pytest.raises(UserError, match=r"its generator does not fit this model's \(.* there, .* here\)"):
        settings_of("model=srresnet", "init_from=noise")


def test_a_damaged_checkpoint_is_refused(begun: dict[str, Any], outputs: Path) -> None:
    path = outputs / "first" / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"^init_from: .*truncated or damaged"):
        settings_of("model=srgan", "init_from=first")
