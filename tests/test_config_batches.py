"""Models and datasets that do not fit together, and trainings lengthened beyond the end of their schedules."""

from typing import Any

import pytest

from ganctl.config.preparation import compose, prepare
from ganctl.config.rechecking import recheck
from ganctl.errors import UserError

SMALL = ("model.width=4", "model.blocks=1", "dataset.shape=[3,16,16]", "batch_size=2", "images=640", "device=cpu")


def refused(*overrides: str) -> str:
    with pytest.raises(UserError) as refusal:
        prepare(compose(list(overrides)))
    return str(refusal.value)


def test_a_dataset_of_another_kind_is_refused() -> None:
    assert refused("model=cyclegan", "dataset=digits") == (
        "model=cyclegan learns from two domains without pairs, and dataset=digits gives single pictures; "
        "choose dataset=unpaired"
    )
    assert refused("model=dcgan", "dataset=random_unpaired") == (
        "model=dcgan learns from single pictures, and dataset=random_unpaired gives two domains without pairs; "
        "choose dataset=folder"
    )


def test_many_domains_need_labels() -> None:
    assert refused("model=stargan", "dataset=random") == (
        "model=stargan needs labels, and dataset=random has none; choose dataset=cifar10"
    )


@pytest.fixture
def saved() -> dict[str, Any]:
    return prepare(compose(["model=cyclegan", "dataset=random_unpaired", *SMALL]))


def test_the_rate_falls_to_zero_at_the_end_of_the_training(saved: dict[str, Any]) -> None:
    schedule = saved["model"]["schedules"]["generators"]["lr"]
    assert (schedule["start"], schedule["images"], schedule["hold"]) == (4e-4, 640, 0.5)


def test_a_run_whose_rate_ended_is_not_lengthened(saved: dict[str, Any]) -> None:
    recheck(saved)
    recheck(saved, ["images=320"])
    with pytest.raises(UserError) as refusal:
        recheck(saved, ["images=2k"])
    assert refusal.value.mistakes[0] == (
        "images=2000: model.schedules.generators.lr falls to 0 at 640 images, so nothing would be learned after; "
        "leave the length as it was, or begin another run with init_from=RUN"
    )


def test_a_run_without_such_a_schedule_is_lengthened() -> None:
    settings = prepare(compose(["model=cyclegan", "dataset=random_unpaired", *SMALL, "model.schedules=null"]))
    assert recheck(settings, ["images=2k"])["images"] == 2000
