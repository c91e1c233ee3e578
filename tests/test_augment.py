"""Augmentation: exact where it can be, the same for every picture alone, gradients through it, state that resumes."""

import math
from collections.abc import Callable

import pytest
import torch
from model_data import overrides

from ganctl.config.preparation import compose, prepare
from ganctl.games.game import Clock
from ganctl.networks import ada
from ganctl.networks.ada import ADA
from ganctl.networks.augment import (
    Augment,
    DiffAugment,
    NoAugment,
    brightness,
    contrast,
    covered,
    cutout,
    saturation,
    translation,
)
from ganctl.schedules import Linear
from ganctl.training.parts import game_of

CHANGING = [DiffAugment(), DiffAugment(policy=["colour"]), DiffAugment(policy=["cutout"]), ADA(strength=0.8)]


def pictures(*shape: int) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(*shape) * 2 - 1


def test_no_augment_hands_on_the_picture() -> None:
    image = pictures(2, 1, 4, 4)
    assert NoAugment()(image) is image


@pytest.mark.parametrize("augment", CHANGING, ids=lambda augment: type(augment).__name__)
@pytest.mark.parametrize("shape", [(8, 1, 28, 28), (8, 2, 9, 12), (8, 3, 96, 32), (8, 4, 5, 5)], ids=str)
def test_any_size_and_channels(augment: Augment, shape: tuple[int, ...]) -> None:
    """The shape stays, the pictures change, and every picture receives a gradient."""
    image = pictures(*shape).requires_grad_()
    changed = augment(image)
    (gradient,) = torch.autograd.grad(changed.square().sum(), image)
    assert changed.shape == image.shape
    assert changed.isfinite().all()
    assert not torch.allclose(changed, image)
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize("augment", CHANGING, ids=lambda augment: type(augment).__name__)
def test_half_precision_stays_half(augment: Augment) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert augment(pictures(4, 3, 8, 8).bfloat16()).dtype == torch.bfloat16


def test_translation_moves_by_an_eighth_at_most() -> None:
    """One lit pixel in the middle of 16x8: it lands within 2 rows and 1 column, and every such place is met."""
    image = torch.zeros(2000, 1, 16, 8)
    image[:, 0, 8, 4] = 1.0
    torch.manual_seed(0)
    places = {tuple(place) for place in translation(image)[:, 0].nonzero()[:, 1:].tolist()}
    assert places == {(row, column) for row in range(6, 11) for column in range(3, 6)}


def test_translation_brings_in_grey() -> None:
    """Of a white picture of 16x16 moved by (dy, dx), (16 - |dy|) * (16 - |dx|) pixels stay white."""
    torch.manual_seed(0)
    moved = translation(torch.ones(500, 1, 16, 16))
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert {int(count) for count in moved.sum((1, 2, 3))} <= {a * b for a in range(14, 17) for b in range(14, 17)}


def test_cutout_covers_half_of_each_side() -> None:
    """8x8: at most 4x4 pixels are cut, fewer only where the rectangle stands over the edge."""
    torch.manual_seed(0)
    cut = 64 - cutout(torch.ones(500, 1, 8, 8)).sum((1, 2, 3))
    assert cut.max() == 16
    assert cut.min() == 4  # a corner: its middle is the picture's corner
    assert covered(torch.ones(500, 1, 1, 1), 8, 0.5).sum(1).max() == 4


@pytest.mark.parametrize(
    ("change", "image", "least", "most"),
    [
        (brightness, torch.zeros(1, 1, 1, 1), -0.5, 0.5),  # what is added to a grey pixel
        (contrast, torch.tensor([[[[1.0, -1.0]]]]), 0.5, 1.5),  # how far white and black still are from their mean
        (saturation, torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1), 0.0, 2.0),  # how far red still is from its grey
    ],
    ids=["brightness", "contrast", "saturation"],
)
def test_colours_change_by_as_much_as_the_paper_says(
    change: Callable[[torch.Tensor], torch.Tensor], image: torch.Tensor, least: float, most: float
) -> None:
    torch.manual_seed(0)
    found = change(image.expand(4000, -1, -1, -1))[:, 0, 0, 0]
    assert least <= found.min() < least + 0.01
    assert most - 0.01 < found.max() <= most


def test_saturation_needs_colours() -> None:
    """Grey pixels stay; two channels are no colours; the mean of the three channels is kept."""
    torch.manual_seed(0)
    two, three = torch.randn(4, 2, 3, 3), torch.randn(4, 3, 3, 3)
    assert saturation(two) is two
    assert torch.allclose(saturation(three).mean(1), three.mean(1), atol=1e-6)
    grey = torch.randn(4, 1, 3, 3).expand(-1, 3, -1, -1)
    assert torch.allclose(saturation(grey), grey, atol=1e-6)


def test_unknown_change_is_named() -> None:
    with pytest.raises(ValueError, match="policy: color; known are colour, translation, cutout"):
        DiffAugment(policy=["color"])  # type: ignore[list-item]


def test_ada_without_strength_is_free() -> None:
    """At strength 0 the picture is handed on, and no random number is drawn."""
    image, before = pictures(2, 3, 4, 4), torch.get_rng_state()
    assert ADA()(image) is image
    assert torch.equal(torch.get_rng_state(), before)


def test_ada_changes_nothing_by_identity_maps() -> None:
    image, none = pictures(4, 3, 12, 10), torch.tensor(0.0)
    assert torch.allclose(ada.resampled(image, none), image, atol=1e-5)
    assert torch.allclose(ada.recoloured(image, none), image, atol=1e-6)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_ada_quarter_turns_are_exact(quarters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turned picture's pixels are the picture's own."""
    image = pictures(2, 1, 6, 6)
    turn = ada.rotation(torch.full((2,), quarters * math.pi / 2))
    monkeypatch.setattr(ada, "source_map", lambda image, strength: turn)
    turned = ada.resampled(image, torch.tensor(1.0))
    assert any(torch.allclose(turned, image.rot90(k, (2, 3)), atol=1e-5) for k in {quarters, -quarters})


def test_ada_shift_is_in_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked from 2 columns to the right and 1 row below; the border mirrors its edge pixels."""
    image = pictures(1, 1, 6, 10)
    move = ada.shift(torch.tensor([2.0]), torch.tensor([1.0]))
    monkeypatch.setattr(ada, "source_map", lambda image, strength: move)
    moved = ada.resampled(image, torch.tensor(1.0))
    assert torch.allclose(moved[:, :, :-1, :-2], image[:, :, 1:, 2:], atol=1e-5)
    assert torch.allclose(moved[:, :, -1, :-2], image[:, :, -1, 2:], atol=1e-5)


def test_ada_oblong_pictures_turn_without_shear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps work in pixels: by a quarter turn the middle of 4x8 pixels, which stays in the picture, is turned itself."""
    image = pictures(1, 1, 4, 8)
    turn = ada.rotation(torch.tensor([math.pi / 2]))
    monkeypatch.setattr(ada, "source_map", lambda image, strength: turn)
    turned = ada.resampled(image, torch.tensor(1.0))
    middle = slice(2, 6)
    assert torch.allclose(turned[..., middle], image[..., middle].rot90(1, (2, 3)), atol=1e-5)


def test_ada_mirrors_half_of_the_pictures_that_it_may() -> None:
    torch.manual_seed(0)
    maps = ada.source_map(torch.zeros(400, 1, 8, 16), torch.tensor(0.5))
    determinant = torch.linalg.det(maps[:, :2, :2])
    assert (determinant.abs() > 0.4).all()
    assert (determinant < 0).float().mean().item() == pytest.approx(0.25, abs=0.06)  # mirrored: 1/2 of strength


def test_ada_scales_and_stretches_by_its_papers_deviations() -> None:
    """By 2^(0.2 n) both: a size alters an area by its square, 2^(0.4 n); a stretch parts the axes by 2^(0.4 n)."""
    torch.manual_seed(0)
    maps = ada.source_map(torch.zeros(20_000, 1, 8, 16), torch.tensor(1.0))[:, :2, :2]
    assert torch.linalg.det(maps).abs().log2().std().item() == pytest.approx(0.4, rel=0.05)
    longer, shorter = torch.linalg.svdvals(maps).unbind(1)
    assert (longer / shorter).log2().square().mean().sqrt().item() == pytest.approx(0.4, rel=0.05)


def test_ada_changes_each_picture_with_its_strength() -> None:
    """Of each of the colour changes alone; the picture stays with (1 - p)^k, luma flip counting half.

    p = 0.3 on one channel: brightness, contrast, half of the flips: 0.7 * 0.7 * 0.85 = 0.4165.
    """
    torch.manual_seed(0)
    image = torch.full((4000, 1, 1, 1), 0.5)
    same = (ada.recoloured(image, torch.tensor(0.3)) == image).float().mean().item()
    assert same == pytest.approx(0.4165, abs=0.03)


def test_ada_colours_of_three_channels() -> None:
    """Hue and saturation keep grey pixels grey: the three channels stay equal under every change."""
    torch.manual_seed(0)
    changed = ada.recoloured(torch.full((200, 3, 1, 1), 0.4), torch.tensor(0.9))
    assert torch.allclose(changed[:, 0], changed[:, 1], atol=1e-5)
    assert torch.allclose(changed[:, 0], changed[:, 2], atol=1e-5)
    assert changed.flatten().unique().numel() > 100


def play(augment: ADA, signs: float, rounds: int, start: int = 0, batch: int = 100) -> int:
    """Rounds of `batch` images whose reals score +1, or -1; returns the images seen."""
    for number in range(rounds):
        augment.advance(start + number * batch)
        augment.observe(torch.full((batch,), signs))
    return start + rounds * batch


def test_ada_follows_the_sign_of_reals() -> None:
    """All reals positive: r = 1 > 0.6, so 4 rounds of 100 images raise it by 400 / 500 000 = 0.0008; negative lowers.

    Decisions fall at the beginning of rounds 4, 8 and 12: three of them within 13 rounds.
    """
    augment = ADA()
    seen = play(augment, 1.0, rounds=13)
    assert augment.watched()["augment"].item() == pytest.approx(0.0024, rel=1e-4)
    play(augment, -1.0, rounds=5, start=seen)  # r over one + 3 negatives is below 0.6
    assert augment.strength.item() == pytest.approx(0.0016, rel=1e-4)


def test_ada_holds_between_its_limits() -> None:
    augment = ADA(ramp_images=1000, limit=0.5)
    play(augment, 1.0, rounds=21)
    assert augment.strength.item() == pytest.approx(0.5)
    augment = ADA(ramp_images=1000)
    play(augment, -1.0, rounds=9)
    assert augment.strength.item() == 0.0


def test_ada_resumes_where_it_stood() -> None:
    """Saved in the middle of an interval and loaded: the same strength at the end."""
    whole = ADA(ramp_images=5000)
    play(whole, 1.0, rounds=20)
    first, second = ADA(ramp_images=5000), ADA(ramp_images=5000)
    seen = play(first, 1.0, rounds=7)
    second.load_state_dict(first.state_dict())
    play(second, 1.0, rounds=13, start=seen)
    assert whole.strength.item() == second.strength.item() > 0


def test_ada_begun_late_does_not_jump() -> None:
    """Added to a run of a million images, the strength moves only by what was seen since."""
    augment = ADA()
    play(augment, 1.0, rounds=5, start=1_000_000)
    assert augment.strength.item() == pytest.approx(0.0008, rel=1e-4)


def test_ada_of_a_given_strength() -> None:
    """Without a target nothing moves it but its schedule, from 0 to 0.4 over 1000 images: 0.1 after 250."""
    fixed = ADA(target=None, strength=0.2)
    play(fixed, 1.0, rounds=9)
    assert fixed.strength.item() == pytest.approx(0.2)
    assert not fixed.reads_sign
    scheduled = ADA(target=None, strength=Linear(0.0, 0.4, end_images=1000))
    scheduled.advance(250)
    assert scheduled.strength.item() == pytest.approx(0.1)


@pytest.mark.parametrize("model", ["dcgan", "cyclegan", "stargan", "stackgan", "pix2pix", "vaegan"])
def test_games_tell_their_augmentation_the_time(model: str) -> None:
    """One model of each game: half of the way to 0.4 after 500 of 1,000 images."""
    line = "{_target_: ganctl.schedules.Linear, start: 0, end: 0.4, end_images: 1000}"
    chosen = ["augment=ada", "augment.target=null", f"augment.strength={line}", "batch_size=8", "device=cpu"]
    game = game_of(prepare(compose([f"model={model}", *overrides(model, [1, 16, 16]), *chosen])))
    game.advance(Clock(500, 0))
    assert game.augment.strength.item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"strength": 0.9}, "strength: 0.9, limit: 0.8"),
        ({"strength": Linear(0.0, 0.4, end_images=10)}, "target: 0.6; a strength on a schedule"),
        ({"interval": 0}, "interval: 0"),
    ],
)
def test_impossible_settings(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ADA(**settings)  # type: ignore[arg-type]
