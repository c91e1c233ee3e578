"""What `dry_run=true` tells of memory: by hand, of growing models, with adaptive augmentation.

Every conf/model/*.yaml is counted in tests/test_every_model.py and tests/test_presets.py.
"""

import pytest
import torch
from model_data import overrides, own_side
from torch import Tensor, nn

from ganctl.building.weightless import weightless
from ganctl.config.preparation import compose, prepare
from ganctl.training.parts import dataset_of, game_of
from ganctl.training.plan import counting, kept_for_backward, plan


def settings_of(model: str, *others: str) -> dict:
    side = own_side(model)
    data = overrides(model, [3, side, side])
    return prepare(compose([f"model={model}", *data, "batch_size=4", "device=cpu", *others]))


def kept(settings: dict, images: int, batch_size: int = 4) -> int | None:
    with weightless():
        game = game_of(settings)
    return kept_for_backward(game, dataset_of(settings), images, batch_size)


def test_what_a_layer_keeps_by_hand() -> None:
    """A linear layer keeps its input (8 numbers) and, for the input's gradient, its weight (12); a sum nothing."""
    layer = nn.Linear(4, 3)
    image = torch.zeros(2, 4, requires_grad=True)
    with counting() as found:
        layer(image).sum()
    assert sum(found.values()) == (2 * 4 + 4 * 3) * 4


@pytest.mark.parametrize("model", ["dcgan", "stylegan2_ada", "pix2pix", "stackgan_64"])
def test_adaptive_augmentation_is_counted(model: str) -> None:
    settings = settings_of(model, "augment=none"), settings_of(model, "augment=ada")
    without, augmented = (kept(each, each["images"]) for each in settings)
    assert without is not None
    assert augmented is not None
    assert augmented > without
    twice = kept(settings[1], settings[1]["images"], batch_size=8)
    assert augmented < twice < 2.2 * augmented  # type: ignore[operator]  # what a picture needs, and the weights


def test_a_growing_model_is_counted_as_it_stands_at_the_end() -> None:
    """4, 8, 16 and 32 pixels: fully grown after 12k + 3 * 24k images."""
    settings = settings_of("progan")
    sizes = [kept(settings, images) for images in (0, 36_000, 60_000, 84_000, 10**9)]
    assert None not in sizes
    assert sizes == sorted(sizes)  # type: ignore[type-var]
    assert sizes[0] < sizes[1] < sizes[2] < sizes[3] == sizes[4]  # type: ignore[operator]


def test_a_batch_that_shrinks_as_pictures_grow_is_told() -> None:
    growth = "model.game.growth.batch_sizes={32:2}"
    assert plan(settings_of("progan", "images=100k", growth)).rstrip().count("for a batch of 2\n") == 1
    assert plan(settings_of("progan", "images=10k", growth)).rstrip().count("for a batch of 4\n") == 1


@pytest.mark.parametrize(("model", "times"), [("srgan", 1), ("srresnet", 0)])
def test_what_stands_in_for_vgg_is_told_beforehand(model: str, times: int) -> None:
    told = plan(settings_of(model))
    assert told.count("\n\nnotice     content: features of random filters stand in for those of VGG19") == times
    assert told.count("notice") == times


def test_a_growing_model_that_cannot_grow_is_told() -> None:
    assert "\n\nnotice     growth: 5,000 images end at 4x4; 32x32 is faded in from" in plan(
        settings_of("progan", "images=5k")
    )
    assert "notice" not in plan(settings_of("progan", "images=84k"))


def test_of_parts_that_look_at_values_only_the_weights_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def looks(self: nn.Module, image: Tensor) -> Tensor:
        return image * float(image.mean())

    monkeypatch.setattr("ganctl.networks.augment.NoAugment.forward", looks)
    told = plan(settings_of("dcgan"))
    assert "for weights, optimizers and average\n" in told
