"""Shared fixtures: where the real data lies, and one thread so that tests do not fight over the cores."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded data and classifiers go to a folder of the test run, unless GANCTL_CACHE names one."""
    with pytest.MonkeyPatch.context() as patch:
        if "GANCTL_CACHE" not in os.environ:
            patch.setenv("GANCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder and a cache of the test's own, and no data elsewhere."""
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANCTL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def find_data() -> Path | None:
    """GANCTL_DATA, else shared/data beside the checkout."""
    places = [os.environ.get("GANCTL_DATA"), str(Path(__file__).resolve().parents[2] / "shared" / "data")]
    return next((Path(place) for place in places if place and Path(place).is_dir()), None)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with MNIST/raw and the picture zips; the test is skipped where there is none."""
    root = find_data()
    if root is None:
        pytest.skip("no real data: set GANCTL_DATA to a folder holding MNIST/raw, cars64.zip, ...")
    return root
