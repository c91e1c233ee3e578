"""Composing and checking configs: every mistake in its exact words, all of them at once, and nothing else."""

import copy
import os
import subprocess
import sys
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.core.global_hydra import GlobalHydra
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_data import overrides, stand_in, without_weights

import ganctl
from ganctl.config import confdir
from ganctl.config.composition import combinations, mend_argparse, register
from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.config.schema import TrainConfig, rules
from ganctl.errors import UserError
from ganctl.quantities import quantity

CONF = confdir.conf_dir()
MODELS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
DATASETS = ("digits", "mnist", "cifar10")
LOSSES = sorted(file.stem for file in (CONF / "loss").glob("*.yaml"))
BASE = ("dataset=random",)
FAKE = ("dataset=fake", "plugins=[fake_parts]")


@pytest.fixture(autouse=True)
def no_folders_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANCTL_CONF", raising=False)


@pytest.fixture
def user_conf(tmp_path: Path) -> Path:
    """A user's folder with a dataset, a model that needs labels, and a place for more."""
    for group in ("dataset", "model", "loss"):
        (tmp_path / "conf" / group).mkdir(parents=True)
    write(tmp_path / "conf", "dataset/fake", "_target_: fake_parts.Fake\nshape: [1, 16, 16]\nclasses: 0\ncount: 1000\n")
    plain = (CONF / "model" / "dcgan.yaml").read_text()
    labelled = plain.replace(
        "    width: ${model.width}\n", "    width: ${model.width}\n    classes: ${dataset.classes}\n"
    )
    assert labelled.count("classes:") == 2
    write(tmp_path / "conf", "model/cgan", labelled)
    return tmp_path / "conf"


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.yaml").write_text(text)


def prepared(*overrides: str, conf: Path | None = None) -> dict[str, Any]:
    return prepare(compose(overrides, [conf] if conf else []))


def mistakes(*overrides: str, conf: Path | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        prepared(*overrides, conf=conf)
    return list(caught.value.mistakes)


# What comes out


def test_defaults_come_from_the_schema() -> None:
    found = prepared(*BASE)
    assert found["images"] == 300_000
    assert found["trainer"] == {
        "log_every": 50,
        "clip": None,
        "threads": None,
        "processes": 1,
        "preview": 64,
        "stretch": 0.05,
        "deterministic": False,
    }
    assert found["choices"]["model"] == "dcgan"
    assert found["choices"]["loss"] == "non_saturating"
    assert found["overrides"] == ["dataset=random"]
    facts = {"shape": [3, 32, 32], "classes": 0, "count": 1024, "names": []}
    assert found["description"] == {**facts, "source": None, "attributes": False, "groups": []}
    assert list(found)[: len(rules(TrainConfig))] == list(rules(TrainConfig))


def test_what_comes_out_is_plain_and_survives_yaml() -> None:
    found = prepared(*BASE, "loss=r1", "model.game.discriminator.norm=none")
    assert yaml.safe_load(yaml.safe_dump(found)) == found
    assert "${" not in yaml.safe_dump(found)


def test_the_shape_comes_from_the_dataset_and_is_not_left_in_its_node() -> None:
    found = prepared(*BASE, "dataset.shape=[1,64,32]")
    assert found["model"]["game"]["generator"]["shape"] == [1, 64, 32]
    digits = prepared("dataset=digits", "dataset.size=28")
    assert digits["model"]["game"]["discriminator"]["shape"] == [1, 28, 28]
    assert "shape" not in digits["dataset"]


@pytest.mark.parametrize(
    ("text", "images"),
    [("1e6", 10**6), ("300k", 300_000), ("2M", 2 * 10**6), ("50_000", 50_000), ("'7'", 7), ("1.5k", 1500)],
)
def test_lengths_are_understood_as_people_write_them(text: str, images: int) -> None:
    found = prepared(*BASE, f"images={text}", f"sample_every={text}")
    assert (found["images"], found["sample_every"]) == (images, images)


def test_interpolated_lengths_are_numbers() -> None:
    schedule = "{_target_: ganctl.schedules.Linear, start: 1, end: 0, end_images: '${images}'}"
    found = prepared(*BASE, "images=1M", f"model.schedules.generator.lr={schedule}")
    assert found["model"]["schedules"]["generator"]["lr"]["end_images"] == 1_000_000


def test_whole_numbers_may_be_written_with_an_exponent() -> None:
    assert prepared(*BASE, "batch_size=1e2")["batch_size"] == 100


def test_a_loss_of_the_model_can_be_replaced() -> None:
    found = prepared(*BASE, "model=wgan", "loss=hinge")
    assert found["choices"]["loss"] == "hinge"
    assert found["model"]["game"]["adversarial"] == {"_target_": "ganctl.losses.adversarial.Hinge"}


def test_keys_of_components_need_no_plus() -> None:
    found = prepared(*BASE, "model.optimizers.generator.weight_decay=0.1", "+model.optimizers.generator.eps=1e-6")
    assert found["model"]["optimizers"]["generator"]["weight_decay"] == 0.1
    assert found["model"]["optimizers"]["generator"]["eps"] == 1e-6


def test_items_of_lists_can_be_set() -> None:
    penalties = "loss.penalties=[{_target_: ganctl.losses.regularizers.R1, weight: 10}]"
    norm = "model.game.discriminator.norm=none"
    found = prepared(*BASE, penalties, "loss.penalties.0.weight=2", norm)
    assert found["model"]["game"]["penalties"][0]["weight"] == 2


def test_checking_draws_no_random_number(user_conf: Path) -> None:
    painter = "model.game.generator={_target_: fake_parts.Painter}"
    torch.manual_seed(7)
    before = torch.get_rng_state()
    prepared(*FAKE, painter, "~model.game.generator.width", conf=user_conf)
    assert torch.equal(torch.get_rng_state(), before)


def test_checking_needs_no_memory() -> None:
    """A generator of 4 TB."""
    found = prepared(*BASE, "model=gan", "model.noise_size=1_000_000", "model.game.generator.hidden=[1_000_000]")
    assert found["model"]["noise_size"] == 1_000_000


@pytest.mark.parametrize(("model", "dataset"), zip(MODELS, cycle(DATASETS), strict=False))
def test_every_model_prepares(model: str, dataset: str) -> None:
    """On pictures, or on noise of the kind that it learns from."""
    single = stand_in(model) == "random"
    data = [f"dataset={dataset}"] if single else overrides(model, [3, 64, 64])
    found = prepared(f"model={model}", *data, *without_weights(model))
    assert set(found["model"]) >= {"game", "optimizers", "every", "schedules", "average"}


@pytest.mark.slow
@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("model", MODELS)
def test_every_model_prepares_on_every_dataset(model: str, dataset: str) -> None:
    test_every_model_prepares(model, dataset)


def test_a_loss_for_a_model_without_one_is_refused() -> None:
    with pytest.raises(UserError) as found:
        prepare(compose(["dataset=random", "model=vae", "loss=hinge", "batch_size=0"]))
    assert "loss=hinge: model=vae does not use it; leave it out" in found.value.mistakes
    assert "batch_size: 0; must be 1 or more" in found.value.mistakes
    assert len(found.value.mistakes) == 2


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_prepares(loss: str) -> None:
    fitting = "model=wgan" if loss == "wasserstein" else "model.game.discriminator.norm=none"
    assert prepared("dataset=random", f"loss={loss}", fitting)["choices"]["loss"] == loss


def test_every_option_has_a_caption() -> None:
    for file in CONF.glob("*/*.yaml"):
        assert file.read_text().startswith("# "), file


# One mistake


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("model=dcgann", "model=dcgann: no such model; did you mean 'dcgan'?"),
        ("augment=null", "augment=null: no such augment; there are: ada, ada_cifar10, ada_ffhq256, diffaugment, none"),
        ("modle=dcgan", "modle: no such key; did you mean 'model'?"),
        ("model.widht=3", "model.widht: no such key; did you mean 'model.width'?"),
        ("model.game.generator.widht=3",
         "model.game.generator: DCGANGenerator takes no 'widht'; did you mean 'width'?"),
        ("model.optimizers.generator.lrr=1", "model.optimizers.generator: Adam takes no 'lrr'; did you mean 'lr'?"),
        ("model.average.rampp=1", "model.average: Average takes no 'rampp'; did you mean 'ramp'?"),
        ("lr=1e-4",
         "lr: no such key; did you mean 'model.optimizers.discriminator.lr' or 'model.optimizers.generator.lr'?"),
        ("+foo=1", "foo: no such key"),
        ("++trainer.foo=1",
         "trainer.foo: no such key; "
         "trainer has log_every, clip, threads, processes, preview, stretch, deterministic"),
        ("+batch_size=3", "+batch_size=3: batch_size is there already; leave out the '+'"),
        ("~nothing", "nothing: no such key"),
        ("seed", "seed: is not key=value, such as model=dcgan"),
        ("name=größe", "name=größe: cannot be read; put a value with special signs in quotes: \"name='größe'\""),
        ("model=DCGAN", "model=DCGAN: no such model; did you mean 'dcgan'?"),
        ("a b=c", "a b=c: is not key=value, such as model=dcgan"),
        ("=3", "=3: is not key=value, such as model=dcgan"),
        (
            "seed=1,2",
            "seed=1,2: several values make a sweep; add -m, write a list, [1,2], or quote a value that holds commas: "
            "\"seed='1,2'\"",
        ),
        ("images=-5", "images: -5; must be 1 or more"),
        ("images=0", "images: 0; must be 1 or more"),
        ("images=many", "images: 'many' is not a number of images; write 300k, 2M, 1e6 or 50000"),
        ("images=1.5", "images: 1.5 is not a whole number of images"),
        ("images=true", "images: true is not a number of images; write 300k, 2M, 1e6 or 50000"),
        ("images=null", "images: null is not a number of images; write 300k, 2M, 1e6 or 50000"),
        ("images=inf", "images: inf is not a whole number of images"),
        ("sample_every=0", "sample_every: 0; must be 1 or more"),
        ("batch_size=0", "batch_size: 0; must be 1 or more"),
        ("batch_size=abc", "batch_size: 'abc' is not a whole number"),
        ("batch_size=1.5", "batch_size: 1.5 is not a whole number"),
        ("batch_size=", "batch_size: '' is not a whole number"),
        ("batch_size=[1]", "batch_size: [1] is not a whole number"),
        ("batch_size=2000", "batch_size: 2000; the dataset has 1024 images; set batch_size=1024 or less"),
        ("batch_size=${nowhere}", "batch_size: ${nowhere} finds nothing"),
        ("seed=-1", "seed: -1; must be 0 or more"),
        ("seed=4294967296", "seed: 4294967296; must be 4294967295 or less"),
        ("compile=1", "compile: 1 is not true or false"),
        ("precision=64", "precision: '64' is not accepted; choose auto, 32, bf16, 16"),
        ("device=tpu", "device: 'tpu' is not a device; choose auto, cpu, cuda, mps, idle or GPU numbers such as [0,2]"),
        ("device=[0,0]",
         "device: [0, 0] is not a device; choose auto, cpu, cuda, mps, idle or GPU numbers such as [0,2]"),
        ("trainer.processes=3", "batch_size: 64; must be a multiple of 3, the number of devices"),
        ("name=a/b/c", "name: 'a/b/c'; use a plain folder name, such as first-try, or group/first-try"),
        ("name=..", "name: '..'; use a plain folder name, such as first-try, or group/first-try"),
        ("keep=-1", "keep: -1; must be 0 or more"),
        ("trainer.log_every=0", "trainer.log_every: 0; must be 1 or more"),
        ("trainer.clip=0", "trainer.clip: 0.0; must be more than 0"),
        ("plugins=[os.path, not-a-module]",
         "plugins: 'not-a-module' is not the name of a module, such as my_package.models"),
        ("plugins=[nowhere_to_be_found]", "plugins: there is no module 'nowhere_to_be_found'"),
        ("plugins=fake_parts", "plugins: 'fake_parts' is not a list of texts"),
        ("dataset.shape=[3,32]", "dataset.shape: [3, 32]; must be [channels, height, width], each 1 or more"),
        ("dataset.count=0", "dataset.count: 0; must be 1 or more"),
        ("dataset.flip=maybe", "dataset.flip: 'maybe' is not true or false"),
        ("model.width=abc", "model.width: 'abc' is not a whole number"),
        ("model.noise_size=0", "model.noise_size: 0; must be 1 or more"),
        ("model.noise_size=???", "model.noise_size: must be given; write model.noise_size=..."),
        ("~model.game.generator.shape",
         "model.game.generator.shape: missing; DCGANGenerator needs a list of whole numbers"),
        ("model.game.generator.shape=${dataset.shap}",
         "model.game.generator.shape: ${dataset.shap} finds nothing; did you mean 'dataset.shape'?"),
        ("model.game.adversarial._target_=a.B",
         "model.game.adversarial._target_: is taken from loss.adversarial._target_; "
         "set loss.adversarial._target_ instead"),
        ("model.game=5", "model.game: 5 is not a mapping; see conf/model/dcgan.yaml"),
        ("~model.average", "model.average: null is not a mapping; see conf/model/dcgan.yaml"),
        ("model.every.critic=5", "model.every.critic: the game has no such turn; there are: discriminator, generator"),
        ("model.every.generatr=5", "model.every.generatr: the game has no such turn; did you mean 'generator'?"),
        ("model.every.generator=0", "model.every.generator: 0 is not a number of rounds; must be 1 or more"),
        ("model.every.generator=5.0", "model.every.generator: 5.0 is not a number of rounds; must be 1 or more"),
        ("~model.optimizers.generator", "model.optimizers.generator: missing; the turn 'generator' needs an optimizer"),
        ("model.optimizers.generator.lr=-1", "model.optimizers.generator: Invalid learning rate: -1.0"),
        ("model.optimizers.generator.betas=[0.5]", "model.optimizers.generator.betas: [0.5] is not a list of 2 values"),
        ("model.schedules.generator.lr=3",
         "model.schedules.generator.lr: 3 is not a Schedule; write its _target_ and arguments"),
        ("model.average.ramp=0", "model.average.ramp: 0.0; must be more than 0"),
        ("model.game.generator._target_=torch.hub.load",
         "model.game.generator._target_: 'torch.hub.load' is refused; accepted are classes of ganctl, torch.nn, "
         "torch.optim, torchvision.datasets and of your plugins; "
         "if torch.hub is a module of yours, add plugins=[torch.hub]"),
        ("loss.penalties=[3]", "loss.penalties.0: 3 is not a Regularizer; write its _target_ and arguments"),
        ("loss.penalties=[{_target_: ganctl.losses.regularizers.R1, weight: x}]",
         "loss.penalties.0.weight: 'x' is not a number or a Schedule"),
        ("dataset=folder", "dataset.root: must be given; write dataset.root=..."),
    ],
)  # fmt: skip
def test_words_of_one_mistake(override: str, sentence: str) -> None:
    base = () if override.startswith("dataset=") else BASE
    assert mistakes(*base, override) == [sentence]


def test_clipping_beside_scaled_gradients_is_refused() -> None:
    words = "trainer.clip: 1.0; gradients are scaled with precision=16; set precision=bf16 or clip=null"
    assert words in mistakes(*BASE, "trainer.clip=1", "precision=16")  # and, without a GPU, that it needs one
    assert prepared(*BASE, "trainer.clip=1", "precision=bf16")["trainer"]["clip"] == 1.0


def test_an_optimizer_that_asks_for_the_loss_again_is_refused() -> None:
    found = mistakes(
        *BASE, "model.optimizers.generator._target_=torch.optim.LBFGS", "~model.optimizers.generator.betas"
    )
    assert found == [
        "model.optimizers.generator: LBFGS asks for the loss several times a step; choose another optimizer"
    ]


def test_a_key_given_twice() -> None:
    assert mistakes(*BASE, "seed=1", "seed=2", "seed=3") == ["seed: given 3 times; give it once"]


def test_a_size_that_the_networks_cannot_make() -> None:
    sentence = "pictures of 5x5 are too small for this network; both sides must be 7 or more, the nearest size is 7x7"
    assert mistakes(*BASE, "dataset.shape=[1,5,5]") == [
        f"model.game.generator: {sentence}",
        f"model.game.discriminator: {sentence}",
    ]


def test_schedules_of_numbers_that_the_optimizer_has_not() -> None:
    schedule = "{_target_: ganctl.schedules.Linear, start: 1, end: 0, end_images: 10}"
    good = [f"model.schedules.generator.{name}={schedule}" for name in ("lr", "beta2", "weight_decay")]
    assert prepared(*BASE, *good)
    assert mistakes(*BASE, f"model.schedules.generator.lrr={schedule}") == [
        "model.schedules.generator.lrr: the optimizer has no such number; did you mean 'lr'?"
    ]
    assert mistakes(*BASE, "model=wgan", f"model.schedules.generator.beta1={schedule}") == [
        "model.schedules.generator.beta1: the optimizer has no such number; "
        "it has lr, momentum, alpha, eps, weight_decay"
    ]


def test_no_such_folder(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    assert mistakes("dataset=folder", f"dataset.root={root}") == [
        f"dataset.root: no such folder {str(root)!r}; put pictures there or set dataset.root=PATH"
    ]


NOWHERE = "no such folder 'nowhere'; put pictures there or set dataset.root=PATH"
NO_SIZE = "0; must be one number of pixels or [height, width], each 1 to 4096"


@pytest.mark.parametrize(
    ("model", "overrides", "found"),
    [
        (
            "dcgan",
            "dataset=folder dataset.root=nowhere dataset.size=0",
            {"dataset.size": NO_SIZE, "dataset.root": NOWHERE},
        ),
        (
            "dcgan",
            "dataset=folder dataset.size=0 dataset.channels=7 dataset.labels=perhaps images=-5",
            {
                "dataset.root": "must be given; write dataset.root=...",
                "images": "-5; must be 1 or more",
                "dataset.labels": "'perhaps' is not 'auto' or 'folders' or 'none'",
                "dataset.size": NO_SIZE,
                "dataset.channels": "7; must be 1 (grey), 3 (colour) or 4 (with alpha)",
            },
        ),
        (
            "dcgan",
            "dataset=digits dataset.size=0 batch_size=5000",
            {"dataset.size": NO_SIZE, "batch_size": "5000; the dataset has 1438 images; set batch_size=1438 or less"},
        ),
        (
            "pix2pix",
            "dataset=pairs dataset.root=nowhere dataset.size=0",
            {"dataset.size": NO_SIZE, "dataset.root": NOWHERE},
        ),
        (
            "stargan",
            "dataset=attributes dataset.root=nowhere dataset.size=0",
            {"dataset.size": NO_SIZE, "dataset.root": NOWHERE},
        ),
        (
            "stackgan",
            "dataset=captions dataset.root=nowhere dataset.longest=0",
            {"dataset.longest": "0; must be 1 to 4096 bytes", "dataset.root": NOWHERE},
        ),
        (
            "inpaint",
            "dataset=inpaint dataset.root=nowhere dataset.size=0",
            {"dataset.size": NO_SIZE, "dataset.root": NOWHERE},
        ),
        (
            "srresnet",
            "dataset=superres dataset.root=nowhere dataset.test=nowhere dataset.factor=7 dataset.crop=0",
            {
                "dataset.factor": "7; must be 2, 3, 4 or 8",
                "dataset.crop": NO_SIZE,
                "dataset.root": NOWHERE,
                "dataset.test": NOWHERE.replace("root", "test"),
            },
        ),
        (
            "cyclegan",
            "dataset=unpaired dataset.root=. dataset.a=x dataset.b=y dataset.size=0",
            {
                "dataset.size": NO_SIZE,
                **{
                    f"dataset.{key}": f"no folder '{name}' in '.', which holds no folders; "
                    f"set dataset.{key}=FOLDER, or dataset.root to the folder above it"
                    for key, name in (("a", "x"), ("b", "y"))
                },
            },
        ),
    ],
)
def test_mistakes_about_files_come_with_those_of_settings(
    model: str, overrides: str, found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANCTL_DATA", raising=False)
    assert mistakes(f"model={model}", *overrides.split()) == [f"{key}: {words}" for key, words in found.items()]


# Labels, and a user's own folder


def test_labels_needed_and_absent(user_conf: Path) -> None:
    assert mistakes("model=cgan", *FAKE, conf=user_conf) == [
        "model=cgan needs labels, and dataset=fake has none; choose dataset=cifar10"
    ]
    assert prepared("model=cgan", *FAKE, "dataset.classes=3", conf=user_conf)["description"]["classes"] == 3


def test_labels_needed_and_absent_in_a_folder(user_conf: Path, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(70):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    overrides = ("dataset=folder", f"dataset.root={tmp_path}", "dataset.labels=none")
    assert mistakes("model=cgan", *overrides, conf=user_conf) == [
        "model=cgan needs labels, and dataset=folder has none; choose dataset=cifar10, or give one subfolder a class"
    ]


def test_a_users_folder_adds_and_replaces(user_conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        user_conf,
        "model/dcgan",
        (CONF / "model" / "dcgan.yaml").read_text().replace("noise_size: 100", "noise_size: 7"),
    )
    assert prepared(*FAKE, conf=user_conf)["model"]["noise_size"] == 7
    assert prepared(*BASE)["model"]["noise_size"] == 100  # the folder is forgotten again
    monkeypatch.setenv("GANCTL_CONF", str(user_conf))
    assert prepared(*FAKE)["model"]["noise_size"] == 7


def test_config_dir_wins_over_the_environment(user_conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    (other / "dataset").mkdir(parents=True)
    write(other, "dataset/fake", "_target_: fake_parts.Fake\ncount: 77\n")
    monkeypatch.setenv("GANCTL_CONF", os.pathsep.join([str(user_conf), str(other)]))
    assert prepared(*FAKE)["description"]["count"] == 1000
    assert prepared(*FAKE, conf=other)["description"]["count"] == 77


def test_missing_folders_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_CONF", os.pathsep.join([str(tmp_path), "gone"]))
    with pytest.raises(UserError) as caught:
        compose([], ["nowhere"])
    assert caught.value.mistakes == (
        "--config-dir: no such folder 'nowhere'; make it, or leave --config-dir out",
        "GANCTL_CONF: no such folder 'gone'; make it, or leave GANCTL_CONF out",
    )


def test_a_users_train_yaml_that_chooses_nothing_is_named(user_conf: Path) -> None:
    write(user_conf, "train", "images: 5k\n")
    with pytest.raises(UserError) as caught:
        compose(["model=dcgan"], [user_conf])
    assert caught.value.mistakes == (
        f"{user_conf}/train.yaml: stands in the place of ganctl's own and chooses no model or dataset; begin with a "
        f"copy of {CONF}/train.yaml, or call it something else",
    )
    write(user_conf, "train", (CONF / "train.yaml").read_text() + "images: 5k\n")
    assert compose(["model=dcgan"], [user_conf]).tree.images == "5k"


def test_a_users_empty_model_is_told_in_one_line(user_conf: Path) -> None:
    write(user_conf, "model/mine", "# nothing yet\n")
    assert mistakes("model=mine", *FAKE, conf=user_conf) == [
        "model: mine.yaml says nothing of a game; write it as conf/model/dcgan.yaml is"
    ]


def test_mistakes_inside_a_users_yaml(user_conf: Path) -> None:
    text = (CONF / "model" / "dcgan.yaml").read_text()
    text = text.replace("    width: ${model.width}\n", "    widht: ${model.width}\n").replace("every: {}", "evry: {}")
    write(user_conf, "model/mine", text.replace("${dataset.shape}", "${dataset.shap}"))
    assert mistakes("model=mine", *FAKE, conf=user_conf) == [
        "model.game.generator.shape: ${dataset.shap} finds nothing; did you mean 'dataset.shape'?",
        "model.game.discriminator.shape: ${dataset.shap} finds nothing; did you mean 'dataset.shape'?",
        "model.game.generator: DCGANGenerator takes no 'widht'; did you mean 'width'?",
        "model.game.discriminator: DCGANDiscriminator takes no 'widht'; did you mean 'width'?",
        "model.evry: nothing uses it; did you mean 'model.every'?",
    ]


def test_wrong_settings_in_a_users_yaml(user_conf: Path) -> None:
    write(user_conf, "train", (CONF / "train.yaml").read_text() + "imagess: 5\nbatch_size: many\n")
    assert mistakes(*FAKE, conf=user_conf) == [
        "imagess: no such key; did you mean 'images'?",
        "batch_size: 'many' is not a whole number",
    ]


def test_yaml_that_cannot_be_read(user_conf: Path) -> None:
    write(user_conf, "model/torn", "game: [1\n")
    (mistake,) = mistakes("model=torn", *FAKE, conf=user_conf)
    assert mistake.startswith("the YAML cannot be composed: ")
    write(user_conf, "model/lost", "defaults:\n  - /loss@_global_.loss: hing\n  - _self_\n")
    (mistake,) = mistakes("model=lost", *FAKE, conf=user_conf)
    assert mistake == "the YAML cannot be composed: In 'model/lost': Could not find 'loss/hing'; did you mean 'hinge'?"


def test_a_yaml_cannot_name_plugins_for_the_user(user_conf: Path) -> None:
    write(user_conf, "model/mine", "# @package _global_\nplugins: [fake_parts]\n")
    found = mistakes("model=mine", "dataset=random", conf=user_conf)
    assert found[0] == "plugins: stand in a YAML file; name them on the command line, so that it is you who trusts them"


def test_a_class_of_a_plugin(user_conf: Path) -> None:
    painter = "model.game.generator={_target_: fake_parts.Painter}"
    found = prepared(*FAKE, painter, "~model.game.generator.width", conf=user_conf)
    assert found["model"]["game"]["generator"]["_target_"] == "fake_parts.Painter"
    assert found["plugins"] == ["fake_parts"]
    (refusal,) = mistakes("dataset=fake", conf=user_conf)
    assert refusal.endswith("if fake_parts is a module of yours, add plugins=[fake_parts]")


def test_settings_that_nothing_reads(user_conf: Path) -> None:
    text = (CONF / "model" / "gan.yaml").read_text()
    write(user_conf, "model/deaf", text.replace("${augment}", "{_target_: ganctl.networks.augment.NoAugment}"))
    assert mistakes("model=deaf", "augment=ada", "dataset=random", conf=user_conf) == [
        "augment=ada: model=deaf does not use it; leave it out"
    ]
    assert prepared("model=deaf", "dataset=random", conf=user_conf)


def test_a_tree_that_contains_itself(user_conf: Path) -> None:
    write(user_conf, "model/round", (CONF / "model" / "gan.yaml").read_text() + "more: ${model}\n")
    assert any("contains itself" in each for each in mistakes("model=round", *FAKE, conf=user_conf))


# Many mistakes


def test_mistakes_of_all_kinds_at_once() -> None:
    overrides = ("modle=wgan", "seed=1,2", "batch_size=0", "images=-5", "precision=64", "trainer.log_every=0")
    deeper = ("dataset.flip=maybe", "model.width=abc", "model.noise_size=0", "model.every.critic=2", "+foo=1")
    optimizers = ("model.optimizers.generator.lr=-1", "model.optimizers.discriminator.lrr=1", "model.average.ramp=0")
    found = mistakes(*BASE, *overrides, *deeper, *optimizers)
    keys = [each.partition(":")[0].partition("=")[0] for each in found]
    assert keys == [
        "seed", "modle", "foo", "images", "batch_size", "precision", "trainer.log_every", "dataset.flip", "model.width",
        "model.every.critic", "model.optimizers.discriminator", "model.optimizers.generator", "model.average.ramp",
    ]  # fmt: skip
    assert len(mistakes(*BASE, "model=dcgann", "batch_size=0")) == 2


def test_constructors_are_tried_in_spite_of_other_mistakes() -> None:
    assert mistakes(*BASE, "model.width=abc", "model.noise_size=0") == [
        "model.width: 'abc' is not a whole number",
        "model.noise_size: 0; must be 1 or more",
    ]


KEYS = [
    *rules(TrainConfig), "model", "loss", "augment", "trainer", "dataset", "model.width", "model.noise_size",
    "model.game", "model.every", "model.game.generator", "model.game.generator.width",
    "model.game.generator._target_", "model.game.prior.size", "model.optimizers", "model.optimizers.generator",
    "model.optimizers.generator.lr", "model.optimizers.generator.betas", "model.every.generator",
    "model.schedules", "model.schedules.generator.lr", "model.average", "model.average.half_life",
    "loss.adversarial", "loss.penalties", "loss.penalties.0.weight", "augment._target_", "dataset.shape",
    "dataset.count", "trainer.log_every", "hydra.job.name", "hydra.searchpath", "nonsense",
    "model.game.adversarial.x", "device.0",
]  # fmt: skip
VALUES = [
    "", "null", "true", "0", "-1", "1", "3", "1e6", "1e-3", "300k", "abc", "'2e-4'", "nan", "inf", "1e999", "[]",
    "[1,2]",
    "{}", "{a: 1}", "{_target_: os.system}", "[{_target_: torch.hub.load}]", "os.system", "${images}", "${model}",
    "${nothing}", "${oc.env:NOT_THERE}", "'${'", "???", "dcgan", "hinge", "wgan", "none", "1,2", "choice(1,2)",
    "int(3)",
    "range(1,3)", "glob(*)", "interval(0,1)", "2026-11-22", "../..", "a b", "\u00e9", "\\", "'", "[", "}",
    "{_target_: ganctl.schedules.Linear, start: 1, end: 0, end_images: 5}", "ganctl.cli.main",
]  # fmt: skip
KNOWN = st.builds(
    "{}{}={}".format, st.sampled_from(["", "", "", "+", "++", "~"]), st.sampled_from(KEYS), st.sampled_from(VALUES)
)
WILD = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(KNOWN, KNOWN, WILD, st.builds("seed={}".format, WILD)), max_size=4))
def test_any_overrides_end_in_settings_or_in_words(overrides: list[str]) -> None:
    found, told = {}, ("",)
    try:
        found = prepare(compose(["dataset=random", *overrides]))
    except UserError as error:
        told = error.mistakes
    assert found or (told and all(told))
    assert not any("Traceback" in mistake for mistake in told)
    assert yaml.safe_load(yaml.safe_dump(found)) == found
    assert not GlobalHydra.instance().is_initialized()


# Sweeps


def test_combinations_of_a_sweep() -> None:
    assert combinations(["model=dcgan,wgan", "seed=range(1,3)", "images=1k"]) == [
        ["model=dcgan", "seed=1", "images=1k"],
        ["model=dcgan", "seed=2", "images=1k"],
        ["model=wgan", "seed=1", "images=1k"],
        ["model=wgan", "seed=2", "images=1k"],
    ]
    with pytest.raises(UserError, match="an interval cannot be counted"):
        combinations(["seed=interval(0,1)"])


def test_composing_inside_of_hydras_own_run() -> None:
    import hydra

    register()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        outer = GlobalHydra.instance().hydra
        assert prepared(*BASE)
        assert GlobalHydra.instance().hydra is outer


# Resuming


@pytest.fixture(scope="module")
def saved() -> dict[str, Any]:
    return prepare(compose(["dataset=random", "images=1k", "model.width=8"]))


def refused(saved: Any, *changes: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        recheck(saved, changes)
    return list(caught.value.mistakes)


def test_a_saved_config_is_accepted_as_it_is(saved: dict[str, Any]) -> None:
    before = copy.deepcopy(saved)
    assert recheck(yaml.safe_load(yaml.safe_dump(saved))) == saved == before


def test_length_and_device_may_change(saved: dict[str, Any]) -> None:
    assert recheck(saved, ["images=2M", "device=cpu"]) == {**saved, "images": 2_000_000, "device": "cpu"}


def test_naming_the_same_again_is_no_change(saved: dict[str, Any]) -> None:
    assert recheck(saved, ["model=dcgan", "batch_size=64", "model.width=8"]) == saved


def test_everything_else_is_refused_with_the_reason(saved: dict[str, Any]) -> None:
    reason = (
        "so that it ends as it would have without the break; only images, minutes, device may change; "
        "leave it out, or start a new run"
    )
    assert refused(
        saved, "batch_size=32", "model=wgan", "model.game={}", "sed=1", "images=-1", "~seed", "seed=1,2", "x"
    ) == [
        f"batch_size=32: a resumed run keeps its own batch_size (64), {reason}",
        f"model=wgan: a resumed run keeps its own model (dcgan), {reason}",
        f"model.game={{}}: a resumed run keeps its own settings, {reason}",
        "sed: no such key; did you mean 'seed'?",
        f"~seed: a resumed run keeps its own seed (0), {reason}",
        "seed=1,2: a run is resumed with one value; leave out the others",
        "x: is not key=value, such as model=dcgan",
        "images: -1; must be 1 or more",
    ]


def test_a_saved_config_with_foreign_classes_is_refused_before_import(
    saved: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "marker_module.py").write_text("raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    hostile = copy.deepcopy(saved)
    hostile["plugins"] = ["marker_module"]  # what a run folder says of plugins counts for nothing
    hostile["dataset"]["_target_"] = "marker_module.Trap"
    hostile["model"]["game"]["generator"]["_target_"] = "marker_module.Trap"
    hostile["model"]["optimizers"]["generator"]["_target_"] = "torch.hub.load"
    found = refused(hostile)
    assert [each.partition(":")[0] for each in found] == [
        "dataset._target_",
        "model.game.generator._target_",
        "model.optimizers.generator._target_",
    ]
    assert all("is refused" in each for each in found)
    assert "marker_module" not in sys.modules


def test_plugins_are_named_again(user_conf: Path) -> None:
    run = prepared(*FAKE, conf=user_conf)
    assert "is refused" in refused(run)[0]
    assert recheck(run, ["plugins=[fake_parts]"]) == run


def test_a_dataset_that_changed_is_refused(saved: dict[str, Any]) -> None:
    changed = copy.deepcopy(saved)
    changed["dataset"]["count"] = 1000
    assert refused(changed) == [
        "dataset: it is not what it was when the run began: count 1024 then, 1000 now; start a new run"
    ]


@pytest.mark.parametrize("content", [None, 5, "text", [], {}, {"model": 5}, {"model": {}}])
def test_a_saved_config_that_is_none(content: Any) -> None:
    assert refused(content)


def test_a_damaged_saved_config_is_told_in_words(saved: dict[str, Any]) -> None:
    for key in saved:
        for value in (None, "text", [{"_target_": "os.system"}]):
            damaged = {**copy.deepcopy(saved), key: value}
            with suppress(UserError):  # and nothing else
                recheck(damaged)


# The rest


def test_quantities_in_words() -> None:
    assert [quantity(text) for text in ("300k", "2M", "1e6", "50_000", 7, 2e3, " 5k ")] == [
        300_000, 2_000_000, 1_000_000, 50_000, 7, 2000, 5000,
    ]  # fmt: skip
    for wrong in ("", "k", "5 k 5", "1.5", "0x10", "nan", "inf", "1e400", "1e17", "three"):
        with pytest.raises(ValueError, match="images"):
            quantity(wrong)


def test_python_3_14s_stricter_argparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydra 1.3 hands a help that is no text to argparse; 3.14 formats it when the argument is added."""
    import argparse

    def strict(self: Any, action: argparse.Action) -> None:
        assert action.help is None or "%" in action.help  # raises TypeError for Hydra's lazy help

    parser = argparse.ArgumentParser()  # 3.14 checks its own help
    monkeypatch.setattr(argparse._ActionsContainer, "_check_help", strict, raising=False)
    mend_argparse()
    mend_argparse()
    action = argparse.Action([], "x")
    action.help = object()
    argparse._ActionsContainer._check_help(parser, action)


def test_where_the_yaml_lies_is_known_without_heavy_imports() -> None:
    heavy = ("torch", "hydra", "omegaconf")
    modules = "ganctl.config.confdir, ganctl.config.schema"
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    root = str(Path(ganctl.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("images", "between"), [("2k", 1_000), ("12k", 1_200), ("300k", 25_000), ("64", 1_000)])
def test_intervals_follow_the_length(images: str, between: int) -> None:
    """A tenth of the training, 1,000 to 25,000 images."""
    found = prepared(*BASE, f"images={images}", "batch_size=8")
    assert (found["sample_every"], found["checkpoint_every"]) == (between, between)


def test_an_interval_of_ones_own_stays() -> None:
    found = prepared(*BASE, "images=300k", "sample_every=7", "checkpoint_every=null")
    assert (found["sample_every"], found["checkpoint_every"]) == (7, None)


def test_a_value_that_cannot_be_read_is_not_called_missing_too() -> None:
    assert mistakes("dataset=folder", "dataset.root=~/photos") == [
        "dataset.root=~/photos: cannot be read; put a value with special signs in quotes: \"dataset.root='~/photos'\""
    ]
