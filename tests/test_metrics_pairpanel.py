"""Scores of games that make pictures from their pairs: by hand-derived numbers, by command, while training."""

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from translating_games import Shift

from ganctl import cli
from ganctl.config.preparation import compose, prepare
from ganctl.data.batch import Pairs
from ganctl.data.crops import Crops
from ganctl.data.dataset import Table
from ganctl.errors import NotFinite, UserError
from ganctl.games.game import Game, Task
from ganctl.metrics import keys
from ganctl.metrics.baselines import baseline, filled, means_of
from ganctl.metrics.evaluation import read
from ganctl.metrics.fidelity import fidelity
from ganctl.metrics.pairpanel import PairPanel
from ganctl.metrics.random_features import RandomExtractor
from ganctl.pictures import to_bytes
from ganctl.training import start


class Held(Table):
    """Pairs in a tensor, with or without others held out."""

    def __init__(self, source: Tensor, target: Tensor, rest: Table | None = None) -> None:
        self.pairs, self.rest = Pairs(source, target), rest

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, indices: Tensor, generator: torch.Generator) -> Pairs:
        return self.pairs.map(lambda value: value[indices])

    def held_out(self) -> Table | None:
        return self.rest


def level(grey: int, count: int = 2, channels: int = 3, side: int = 16) -> Tensor:
    """Pictures of one grey level, 0 to 255, in [-1, 1]."""
    return torch.full((count, channels, side, side), grey / 127.5 - 1)


def pair_panel(table: Any, name: str, metrics: Sequence[str] | None = None, **settings: Any) -> PairPanel:
    """A panel whose sets are seen by the random network."""
    return PairPanel(table, name, metrics, extractor=RandomExtractor(3), **settings)


def values(panel: PairPanel, game: Game) -> dict[str, tuple[float, float | None]]:
    """Key -> value and what stands beside it."""
    return {score.key: (score.value, score.floor) for score in panel.evaluate(game, 0).scores}


def test_by_hand() -> None:
    """Sources 51 levels too dark: PSNR 20 log10(255 / 51) = 13.979 dB, L1 0.2. The game makes good all but 5.1, which
    is rounded to 5: 20 log10(51) = 34.151 dB, L1 1/51.
    """
    panel = pair_panel(Held(level(100), level(151)), "two")
    found = values(panel, Shift(46 / 127.5))
    assert found["psnr"] == (pytest.approx(34.1514, abs=1e-3), pytest.approx(13.9794, abs=1e-3))
    assert found["l1"] == (pytest.approx(1 / 51, rel=1e-4), pytest.approx(0.2, rel=1e-4))


def test_outputs_count_as_the_bytes_that_a_file_holds() -> None:
    """A difference of 0.4 levels is none."""
    panel = pair_panel(Held(level(100), level(100)), "two")
    assert values(panel, Shift(0.4 / 127.5))["psnr"][0] == pytest.approx(58.92, abs=0.01)
    assert values(panel, Shift(0.6 / 127.5))["l1"][0] == pytest.approx(1 / 255, rel=1e-4)


def test_each_picture_counts_once_in_uneven_batches() -> None:
    """16 pictures off by 2 levels in one batch, one off by 19 in another: L1 (16 * 2 + 19) / 17 = 3 levels."""
    target = level(100, count=17)
    target[:16] += 2 / 127.5
    target[16] += 19 / 127.5
    panel = pair_panel(Held(level(100, count=17), target), "seventeen")
    assert values(panel, Shift(0))["l1"][0] == pytest.approx(3 / 255, rel=1e-4)


def test_held_out_pairs_are_scored_where_there_are_some() -> None:
    held = Held(level(10, count=3), level(61, count=3))
    panel = pair_panel(Held(level(0), level(0), rest=held), "held")
    assert (panel.contract.split, panel.contract.count) == ("held out", 3)
    assert values(panel, Shift(0))["l1"][0] == pytest.approx(0.2, rel=1e-4)
    assert pair_panel(held, "trained").contract.split == "training pictures"


def test_count_takes_the_first() -> None:
    assert pair_panel(Held(level(0, count=5), level(0, count=5)), "five", count=2).contract.count == 2


def enlarged(picture: Tensor, factor: int = 2, metrics: Sequence[str] | None = None) -> PairPanel:
    """A panel on one whole picture [H, W, C] uint8."""
    held = Crops([picture], (factor, factor), factor, torch.device("cpu"), middle=True)
    return pair_panel(Crops([picture], (factor, factor), factor, torch.device("cpu"), rest=held), "whole", metrics)


def test_super_resolution_is_judged_on_whole_pictures_without_their_border() -> None:
    """Red everywhere. A game that is 10 levels off in the outermost two pixels alone is perfect."""
    picture = torch.zeros(27, 30, 3, dtype=torch.uint8)
    picture[..., 0] = 200
    panel = enlarged(picture)
    assert panel.contract.resizer == "none; 2 pixels at each border left out"

    class Framed(Shift):
        def translate(self, image: Tensor, task: Task) -> Tensor:
            made = super().translate(image, task)
            assert made.shape == (1, 3, 26, 30)
            inner = made.clone()
            made += 10 / 127.5
            made[:, :, 2:-2, 2:-2] = inner[:, :, 2:-2, 2:-2]
            return made

    found = values(panel, Framed(0, factor=2))
    assert set(found) == {"psnr", "psnr_y", "ssim", "ssim_y", "l1"}
    assert found["psnr"][0] == pytest.approx(58.92, abs=0.01)
    assert found["l1"] == (0, 0)


def test_what_is_left_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Forty pairs are too few for 64 features; of 34 pixels a side 30 are left where 2 at each border are cut away."""
    caplog.set_level(logging.INFO, "ganctl")
    assert "kd" in pair_panel(Held(level(0, count=40), level(0, count=40)), "forty").metrics
    assert "fd is left out: it needs 64 pairs, and there are 40" in caplog.messages
    assert "LPIPS is left out: it needs pictures of 32 pixels a side" in caplog.messages
    caplog.clear()
    enlarged(torch.zeros(34, 34, 3, dtype=torch.uint8))
    assert caplog.messages == [
        "LPIPS is left out: it needs pictures of 32 pixels a side, and 30 are left without 2 at each border"
    ]


def test_luma_by_hand() -> None:
    """All channels 10 levels off: Y differs by (65.481 + 128.553 + 24.966) / 255 = 0.8588 of that.

    PSNR on Y is so much larger: -20 log10(0.8588) = 1.322 dB.
    """
    panel = enlarged(torch.full((24, 24, 3), 100, dtype=torch.uint8))
    found = values(panel, Shift(10 / 127.5, factor=2))
    assert found["psnr"][0] == pytest.approx(20 * math.log10(25.5), abs=1e-3)
    assert found["psnr_y"][0] - found["psnr"][0] == pytest.approx(1.322, abs=1e-3)


def test_grey_has_no_luma_of_its_own_and_small_pictures_no_ssim() -> None:
    assert set(enlarged(torch.zeros(24, 24, 1, dtype=torch.uint8)).keys) == {"psnr", "ssim", "l1"}
    assert set(enlarged(torch.zeros(14, 24, 1, dtype=torch.uint8)).keys) == {"psnr", "l1"}  # 14 - 2 * 2 < 11


def test_what_stands_beside() -> None:
    small, three, four, one = level(0, side=8), level(0), level(0, channels=4), level(0, channels=1)
    assert means_of(Pairs(small, three)) == "bicubic"
    assert means_of(Pairs(three, three)) == "source"
    assert means_of(Pairs(four, three)) == "mean fill"
    assert means_of(Pairs(one, three)) == "grey"
    grey = baseline(Pairs(level(30, channels=1), three), "grey").output
    assert grey.shape == (2, 3, 16, 16)
    assert (grey * 255 - 30).abs().max() < 1e-3


def test_a_hole_is_filled_with_the_mean_of_the_rest() -> None:
    """Known: 1, 2, 3; the mean is 2."""
    image, known = torch.tensor([[[[1.0, 2.0], [3.0, 9.0]]]]), torch.tensor([[[[True, True], [True, False]]]])
    assert filled(image, known).flatten().tolist() == [1, 2, 3, 2]
    hidden = filled(image, torch.zeros_like(known))  # nothing is known: middle grey
    assert hidden.flatten().tolist() == [0, 0, 0, 0]


def test_metrics_may_be_chosen_and_lpips_wants_its_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    table = Held(level(0, side=32), level(0, side=32))
    assert set(pair_panel(table, "two", ["l1"]).keys) == {"l1"}
    assert set(pair_panel(table, "two").keys) == {"psnr", "ssim", "l1"}
    with pytest.raises(UserError, match=r"lpips needs alexnet-.*\.pth, which is not here"):
        pair_panel(table, "two", ["lpips"])


def test_a_picture_that_is_not_finite_is_refused() -> None:
    with pytest.raises(NotFinite, match="a picture made of a held-out one is not finite"):
        pair_panel(Held(level(0), level(0)), "two").evaluate(Shift(math.nan), 0)


def test_the_distances_of_the_sets_are_those_of_the_library() -> None:
    """70 noisy pictures: fd and kd are what `fidelity` finds between all outputs and all targets."""
    chance = torch.Generator().manual_seed(0)
    source, target = (torch.randint(0, 200, (70, 3, 16, 16), generator=chance) / 127.5 - 1 for _ in "st")
    panel = pair_panel(Held(source, target), "noise")
    assert panel.keys == ("psnr", "ssim", "l1", "fd", "kd")
    eye = RandomExtractor(3)
    outputs, targets = (eye(to_bytes(each)) for each in (source + 20 / 127.5, target))
    expected = fidelity(outputs, targets, ["fd", "kd"])
    found = panel.evaluate(Shift(20 / 127.5), 0)
    for key in ("fd", "kd"):
        score = found.score(key)
        assert score is not None
        assert score.value == pytest.approx(expected[key].value, rel=1e-4)
        assert (score.name, score.contract.extractor) == (f"{key.upper()}-random", "random")
    assert found.scores[0].contract.extractor == "pairs"


def test_sets_want_pictures_enough_and_of_one_size() -> None:
    assert set(pair_panel(Held(level(0, count=40), level(9, count=40)), "forty").keys) >= {"kd"}
    with pytest.raises(UserError, match="n: 39 samples; kd needs 40 here"):
        pair_panel(Held(level(0, count=39), level(9, count=39)), "few", ["kd"])
    with pytest.raises(UserError, match="metrics: kd compares sets of pictures of one size; leave it out"):
        enlarged(torch.zeros(24, 24, 3, dtype=torch.uint8), metrics=["kd"])


def test_random_states_and_the_sheet() -> None:
    before = torch.get_rng_state()
    panel = pair_panel(Held(level(0, count=9, side=12), level(90, count=9, side=12)), "nine")
    panel.evaluate(Shift(0), 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert panel.latest is not None
    assert panel.latest.shape[2] == 3


def test_every_score_is_named_and_leads_to_its_metric() -> None:
    for key in ("psnr", "psnr_y", "ssim", "ssim_y", "l1", "lpips"):
        assert key in keys.NAMES
        assert keys.GROUPS.get(key, key) in keys.PAIRS
    assert keys.scores_of(["psnr"]) == ("psnr", "psnr_y")


WORDS = ["model=srresnet", "model.width=4", "model.blocks=1", "dataset=random_superres", "dataset.shape=[3,32,32]"]
LENGTH = ["images=8", "batch_size=4", "device=cpu", "precision=32", "trainer.preview=2", "sample_every=null"]


def test_while_training_and_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    words = [*WORDS, *LENGTH, "evaluate_every=4", "early_stop=psnr_y", "name=first"]
    result = start.train(prepare(compose(words)))
    assert result["best"]["key"] == "psnr_y"
    assert (tmp_path / "first" / "checkpoints" / "best.ckpt").is_file()
    history = read(tmp_path / "first" / "evaluations.jsonl")
    assert [each.images_seen for each in history] == [4, 8]
    assert {each.beside for each in history} == {"bicubic"}
    assert all(score.floor is not None for score in history[0].scores)
    capsys.readouterr()
    assert cli.main(["evaluate", "run=first", "metrics=psnr,l1", "device=cpu"]) == 0
    said = capsys.readouterr().out
    assert "bicubic" in said
    assert "PSNR on Y" in said
    assert "SSIM" not in said
    assert (tmp_path / "first" / "evaluation" / "pairs-000000008.png").is_file()
    last = json.loads((tmp_path / "first" / "evaluations.jsonl").read_text().splitlines()[-1])
    assert last["origin"] == "evaluate"
    by_command = {score["key"]: score["value"] for score in last["scores"]}
    assert by_command["psnr"] == pytest.approx(history[-1].score("psnr").value, abs=1e-3)  # type: ignore[union-attr]


def test_the_best_of_pairs_is_that_of_the_highest_psnr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where there are pairs enough for the distance of the sets."""
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    words = ["model=pix2pix", "model.width=4", "dataset=random_pairs", *LENGTH, "evaluate_every=8", "name=first"]
    result = start.train(prepare(compose(words)))
    (found,) = read(tmp_path / "first" / "evaluations.jsonl")
    assert found.score("fd") is not None
    assert result["best"]["key"] == "psnr"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["metrics=is"], "metrics: no metric 'is' here; there are psnr, ssim, l1, lpips\n"),
        (["metrics=l1,kd"], "metrics: kd compares sets of pictures of one size; leave it out"),
        (["test=elsewhere"], "test: elsewhere; a run on RandomSuperres is scored on its own data; leave test out"),
    ],
)
def test_mistakes_by_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    start.train(prepare(compose([*WORDS, *LENGTH, "name=first"])))
    assert cli.main(["evaluate", "run=first", "device=cpu", *words]) == 2
    assert expected in capsys.readouterr().err
