"""Large pictures are dealt, painted and judged a few at a time, and what comes out is the same."""

from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.config.preparation import compose, prepare
from ganctl.data import batch
from ganctl.data.batch import at_once
from ganctl.data.dataset import Description, TensorTable
from ganctl.doctor import examination
from ganctl.doctor.examination import SAMPLES, Examination, reals_of
from ganctl.metrics.reals import Reals
from ganctl.metrics.sheets import drawn, head
from ganctl.training import parts

CPU, SIDE, FEW = torch.device("cpu"), 8, 100
pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture
def cached(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path))


@pytest.fixture
def large(monkeypatch) -> Any:
    """Called, pictures of 8x8 are as large as if FEW of them filled the memory."""
    return lambda: monkeypatch.setattr(batch, "AT_ONCE", FEW * SIDE * SIDE)


class Noted(TensorTable):
    """Notes how many pictures are dealt at once."""

    def __init__(self, count: int) -> None:
        chance = torch.Generator().manual_seed(1)
        images = torch.randint(0, 256, (count, 1, SIDE, SIDE), generator=chance, dtype=torch.uint8)
        super().__init__(images, torch.arange(count) % 10, CPU, flip=True)
        self.counts: list[int] = []

    def batch(self, indices: Tensor, generator: torch.Generator) -> Any:
        self.counts.append(len(indices))
        return super().batch(indices, generator)

    def pixels(self, indices: Tensor) -> Tensor:
        self.counts.append(len(indices))
        return super().pixels(indices)


def game_of() -> Any:
    """A small DCGAN, and the sizes of the batches that its networks saw."""
    torch.manual_seed(0)
    data = ["dataset=random", f"dataset.shape=[1,{SIDE},{SIDE}]", "dataset.count=64"]
    game = parts.game_of(prepare(compose(["model=dcgan", "model.width=8", *data, "device=cpu"]))).eval()
    counts: list[int] = []
    for network in (game.generator, game.discriminator):
        network.register_forward_hook(lambda network, given, made: counts.append(len(made)))
    return game, counts


def test_how_many_at_once() -> None:
    assert [at_once((3, side, side), 250) for side in (1, 128, 256, 1024, 4096)] == [250, 250, 64, 4, 1]
    assert at_once((3, 512, 1024), 250) == 8


def test_the_doctor_keeps_the_same_rows_and_no_more_pictures_than_it_judges(large) -> None:
    whole = reals_of(Noted(1_100))
    large()
    table = Noted(1_100)
    found = reals_of(table)
    assert max(table.counts) == FEW
    assert found.rows.equal(whole.rows)
    assert found.label.equal(whole.label)
    assert found.image.equal(whole.image)
    assert (len(found.rows), len(found.image)) == (examination.REALS, SAMPLES)
    assert (found.apart, found.lonely, found.contrast) == (whole.apart, whole.lonely, whole.contrast)


def test_the_doctor_paints_and_judges_a_few_at_a_time(large) -> None:
    game, counts = game_of()
    table = Noted(300)
    table.held_out = lambda: Noted(280)  # type: ignore[method-assign]
    checks = Examination(table, game)
    whole = checks.measure(game, CPU)
    assert max(counts) > FEW
    counts.clear()
    large()
    assert checks.measure(game, CPU) == pytest.approx(whole, rel=1e-4)
    assert max(counts) == FEW


def test_sheets_and_samples_are_painted_a_few_at_a_time(large) -> None:
    game, counts = game_of()
    inputs, count = game.preview(None, 250, torch.Generator().manual_seed(0)), 260
    with torch.no_grad():
        sheet, samples = game.sheet(inputs), head(drawn(game, count, None, 0, CPU), count)
        assert max(counts) > FEW
        counts.clear()
        large()
        torch.testing.assert_close(game.sheet(inputs), sheet)
        again = head(drawn(game, count, None, 0, CPU), count)
    assert max(counts) == FEW
    assert (again.int() - samples.int()).abs().max() <= 1
    assert len(again) == count
    assert len(head(drawn(game, count, None, 0, CPU), 7)) == 7


def test_reals_are_looked_at_a_few_at_a_time(large) -> None:
    table = Noted(260)
    reals = Reals("noise", "train", Description((1, SIDE, SIDE), 10, 260), table)
    large()
    assert sum(len(pixels) for pixels, _ in reals.batches(reals.order())) == 260
    assert max(table.counts) == FEW
