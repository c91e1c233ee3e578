"""What an autoencoder gives back, by numbers derived by hand; beside it what it draws."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganctl.data.dataset import Dataset, Description, Table, TensorTable
from ganctl.errors import NotFinite, UserError
from ganctl.games.autoencoding import Autoencoder
from ganctl.games.prior import Gaussian
from ganctl.losses.likelihood import Laplace
from ganctl.metrics.offer import offer
from ganctl.metrics.panels import Wanted, panel_of
from ganctl.networks.interfaces import Encoder, Encoding, Generator

CPU = torch.device("cpu")
SETTINGS = {"dataset": {"_target_": "Noise"}, "choices": {"dataset": "noise"}, "description": {"shape": [1, 16, 16]}}
OFF = 10  # grey levels


class Noise(Dataset):
    """Sixty unlabelled pictures of grey noise."""

    def __init__(self, side: int = 16) -> None:
        self.side = side

    def describe(self) -> Description:
        return Description((1, self.side, self.side), 0, 60)

    def open(self, device: torch.device) -> Table:
        chance = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 200, (60, 1, self.side, self.side), generator=chance)
        return TensorTable(pixels.to(torch.uint8), None, device)


class Same(Encoder):
    """Its code is the picture."""

    def __init__(self, side: int = 16) -> None:
        super().__init__()
        self.shape, self.code_size, self.stochastic = (1, side, side), side * side, False
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> Encoding:
        return Encoding(image.flatten(1))


class Brighter(Generator):
    """The code as a picture, every pixel `OFF` grey levels brighter, or no number at all."""

    def __init__(self, side: int = 16, off: float = OFF) -> None:
        super().__init__()
        self.shape, self.noise_size, self.classes, self.off = (1, side, side), side * side, 0, off
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return noise.unflatten(1, self.shape) + self.off / 127.5


def game_of(side: int = 16, off: float = OFF) -> Autoencoder:
    return Autoencoder(Same(side), Brighter(side, off), Gaussian(side * side), Laplace()).eval()


def scores_of(game: Autoencoder, **wanted: object) -> dict[str, float]:
    data = Noise()
    judge = panel_of(SETTINGS, data, data.open(CPU), game, Wanted(count=60, **wanted), CPU)  # type: ignore[arg-type]
    assert {score.key for score in judge.evaluate(game, 0).scores} == set(judge.keys)
    return {score.key: score.value for score in judge.evaluate(game, 0).scores}


def test_a_picture_given_back_ten_levels_too_bright() -> None:
    found = scores_of(game_of(), metrics=("psnr", "l1", "ssim"))
    assert found["l1"] == pytest.approx(OFF / 255, rel=1e-4)
    assert found["psnr"] == pytest.approx(20 * math.log10(255 / OFF), rel=1e-4)  # 28.13 dB
    assert found["ssim"] < 1
    assert scores_of(game_of(off=0), metrics=("ssim",))["ssim"] == pytest.approx(1)


def test_as_many_pictures_count_as_come_back() -> None:
    """Of sixty pictures a hundred can be drawn, and sixty given back."""
    data, game = Noise(), game_of()
    judge = panel_of(SETTINGS, data, data.open(CPU), game, Wanted(metrics=("psnr", "diversity"), count=100), CPU)
    found = judge.evaluate(game, 0)
    counts = {key: found.score(key).contract.count for key in ("psnr", "diversity")}  # type: ignore[union-attr]
    assert counts == {"psnr": 60, "diversity": 100}


def test_what_is_drawn_is_scored_as_of_any_generator() -> None:
    found = scores_of(game_of())
    assert {"psnr", "ssim", "l1", "diversity", "memorised"} <= set(found)


def test_small_pictures_have_no_ssim() -> None:
    offered = offer(game_of(side=8), Noise(side=8))
    assert {"psnr", "l1"} <= set(offered.scores)
    assert "ssim" not in offered.scores
    with pytest.raises(UserError, match="ssim needs pictures of 11 pixels a side; leave it out"):
        offered.demand(["ssim"])


def test_a_reconstruction_that_is_no_number() -> None:
    game = game_of(off=math.nan)
    with pytest.raises(NotFinite):
        scores_of(game, metrics=("psnr",))
