"""Which noise a model is tested on: the random form of the dataset that its YAML names, else of what it learns from."""

import re
from pathlib import Path

import yaml

from ganctl.building.components import resolve
from ganctl.games.game import Game

CONF = Path(__file__).resolve().parents[1] / "conf"
NAMED = re.compile(r"^# ganctl train .*\bdataset=(\w+)", re.MULTILINE)
# paper-size forms of the same classes, too large for most tests: stylegan2_1024, biggan_cifar10, srgan_paper
PRESET = re.compile(r"_(?:(?:ffhq|celeba|imagenet)?(\d+|cifar10)|paper)$")

OPTIONS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
MODELS = [name for name in OPTIONS if not PRESET.search(name)]
PRESETS = [name for name in OPTIONS if PRESET.search(name)]
SIDES = {"cifar10": 32, None: 96}  # of presets whose name says it otherwise


def own_side(model: str) -> int:
    """Pixels of a side: what a preset's name says, 32 for the small forms."""
    found = PRESET.search(model)
    if found is None:
        return 32
    return int(found[1]) if found[1] and found[1].isdigit() else SIDES[found[1]]


def stand_in(model: str) -> str:
    """The option of the group `dataset`."""
    text = (CONF / "model" / f"{model}.yaml").read_text()
    named = NAMED.search(text)
    wanted = [named[1]] if named else []
    game = yaml.safe_load(text).get("game") or {}
    if "_target_" in game:
        wanted.append(resolve(game["_target_"], (Game,), ()).batches.dataset)  # type: ignore[attr-defined]
    found = (f"random_{name}" for name in wanted)
    return next((name for name in found if (CONF / "dataset" / f"{name}.yaml").is_file()), "random")


def fitting(model: str, channels: int) -> int:
    """The channels a test takes instead, where a model has no choice of them."""
    return 3 if stand_in(model) == "random_colorize" else channels


def overrides(model: str, shape: list[int], classes: int = 3, count: int | None = None) -> list[str]:
    """What a test adds to `model=...`: noise of this shape; `classes` where pictures have labels."""
    dataset = stand_in(model)
    shape = [fitting(model, shape[0]), *shape[1:]]
    words = [f"dataset={dataset}", f"dataset.shape={shape}".replace(" ", "")]
    words += [f"dataset.classes={classes}"] if dataset == "random" else []
    return words + ([] if count is None else [f"dataset.count={count}"])


def without_weights(model: str) -> list[str]:
    """What a test adds where a model compares by VGG19, whose weights a machine may not have."""
    asks = "losses.vgg.VGG19," in (CONF / "model" / f"{model}.yaml").read_text()
    return ["model.content._target_=ganctl.losses.vgg.RandomFeatures"] if asks else []
