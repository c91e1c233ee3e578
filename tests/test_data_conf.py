"""The YAML of each dataset says exactly what its constructor takes."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from ganctl.data.dataset import Dataset

FILES = sorted((Path(__file__).parents[1] / "conf" / "dataset").glob("*.yaml"))
OURS = {"cifar10", "digits", "fashion_mnist", "folder", "mnist", "random"}


def target(settings: dict) -> type[Dataset]:
    module, name = settings.pop("_target_").rsplit(".", 1)
    return getattr(import_module(module), name)


def test_all_are_there() -> None:
    assert {file.stem for file in FILES} >= OURS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_keys_are_the_arguments_and_values_build(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# ")
    assert len(text.splitlines()[0]) <= 110  # one line of `ganctl list`
    settings = yaml.safe_load(text)
    kind = target(settings)
    assert issubclass(kind, Dataset)
    assert list(settings) == list(inspect.signature(kind).parameters)
    if "???" not in settings.values():
        kind(**settings)
