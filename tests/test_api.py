"""Training from Python, as from the command line."""

import pytest
import torch

import ganctl
from ganctl.api import written
from ganctl.errors import UserError
from ganctl.runs import store

SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "model=gan"]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (2e-4, "0.0002"),
        ("50k", "50k"),
        ([0, 2], "[0,2]"),
        ("my photos", "'my photos'"),
        ("it's", "'it\\'s'"),
    ],
)
def test_values_are_written_as_they_are_typed(value, word):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    assert written(value) == word
    assert OverridesParser.create().parse_override(f"key={word}").value() == value


def test_train_sample_and_resume(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hidden = {"model.game.generator.hidden": [16], "model.game.discriminator.hidden": [16], "trainer.preview": 4}
    settings = {"images": 64, "batch_size": 16, "name": "first", "device": "cpu", "precision": "32"}
    result = ganctl.train(*SMALL, **settings, **hidden)
    assert result["images_seen"] == 64
    assert ganctl.load(result["folder"]).sample(3).shape == (3, 1, 8, 8)
    assert ganctl.resume("first", images=96)["images_seen"] == 96
    assert store.read_status(store.find("newest")).images_seen == 96
    torch.set_num_threads(1)


def test_mistakes_are_raised_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        ganctl.train("model=gan", imges=3, seed=-1)
    assert caught.value.mistakes == (
        "imges: no such key; did you mean 'images'?",
        "seed: -1; must be 0 or more",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_printed_and_nothing_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "dataset").mkdir(parents=True)
    (tmp_path / "mine" / "dataset" / "tiny.yaml").write_text(
        "_target_: ganctl.data.small.Random\nshape: [1, 8, 8]\ncount: 64\n"
    )
    assert ganctl.train("model=gan", dataset="tiny", config_dirs="mine", dry_run=True, device="cpu") == {}
    assert "data       64 images" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_goes_on_is_not_trained_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"resume: outputs/x among the settings of a new run; .*ganctl.resume\(RUN\)"):
        ganctl.train(*SMALL, resume="outputs/x")
    assert list(tmp_path.iterdir()) == []


def test_what_the_package_offers():
    assert {"train", "resume", "load", "save_grid"} <= set(dir(ganctl))
    with pytest.raises(AttributeError, match="module 'ganctl' has no attribute 'nothing'"):
        ganctl.nothing  # noqa: B018
