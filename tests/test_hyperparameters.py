"""TensorBoard's HParams tab: written once at a run's end, also when the run was continued."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganctl import api
from ganctl.training.hyperparameters import hyperparameters

SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "model=gan", "batch_size=16", "trainer.log_every=1"]
SMALL += ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]", "trainer.preview=4"]
SMALL += ["device=cpu", "precision=32", "trainer.threads=1"]


def test_options_and_what_was_typed_are_hyperparameters():
    settings = {
        "seed": 3,
        "batch_size": 16,
        "images": 50_000,
        "choices": {"model": "gan"},
        "overrides": ["model=gan", "images=50k", "name=first", "model.optimizers.generator.lr=1e-4", "plugins=[a]"],
    }
    assert hyperparameters(settings) == {
        "model": "gan",
        "seed": 3,
        "batch_size": 16,
        "images": 50_000,
        "model.optimizers.generator.lr": 1e-4,
    }


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    return tmp_path


def session(folder: Path) -> tuple[list[Path], dict, dict[str, float]]:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    files = sorted((folder / "tensorboard").glob("*.hparams"))
    told = EventAccumulator(str(folder / "tensorboard")).Reload()
    contents = told.summary_metadata
    start = HParamsPluginData.FromString(contents["_hparams_/session_start_info"].plugin_data.content)
    values = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.session_start_info.hparams.items()
    }
    return files, values, {tag: told.Scalars(tag)[-1].value for tag in told.Tags()["scalars"]}


def test_a_run_is_told_once_also_when_continued(outputs):
    api.train(*SMALL, "images=64", "seed=5", "name=a")
    files, values, _ = session(outputs / "a")
    assert len(files) == 1
    assert (values["model"], values["seed"], values["images"], values["batch_size"]) == ("gan", 5, 64, 16)
    api.resume(outputs / "a", images=128)
    files, values, metrics = session(outputs / "a")
    assert len(files) == 1
    assert values["images"] == 128
    assert metrics["training/images_seen"] == 128
    assert "generator/adversarial" in metrics
