"""Panels: what is measured of a game, under which conditions; records and what may be ranked."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.data.dataset import Dataset, Description, Table, TensorTable
from ganctl.data.points import Ring8
from ganctl.errors import NotFinite, UserError
from ganctl.games.game import Generative, Turn, Wish
from ganctl.games.latent import LatentInputs
from ganctl.metrics import classifier, keys
from ganctl.metrics.contract import Contract, Score, ranked
from ganctl.metrics.evaluation import Evaluation, append, forget, read
from ganctl.metrics.panel import Panel
from ganctl.metrics.panels import Wanted, panel_of
from ganctl.metrics.pointpanel import PointPanel
from ganctl.metrics.reals import Reals

CPU = torch.device("cpu")


def bars(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Three classes of 8x8 pictures: a bright bar at the top, in the middle, below; noise around it."""
    label = torch.arange(count) % 3
    chance = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 80, (count, 1, 8, 8), generator=chance).to(torch.uint8)
    for number in range(3):
        pixels[label == number, :, 3 * number : 3 * number + 2] += 150
    return pixels, label


class Bars(Dataset):
    """360 of them."""

    def describe(self) -> Description:
        return Description((1, 8, 8), 3, 360, ("top", "middle", "bottom"))

    def open(self, device: torch.device) -> Table:
        return TensorTable(*bars(360, 0), device, flip=True)


class Replay(Generative):
    """A game that draws bars: `labelled` ones where it is wished, else the class `only`; some of them spoilt."""

    def __init__(self, only: int | None = None, labelled: bool = False, bad: int = 0) -> None:
        super().__init__()
        self.only, self.labelled, self.bad = only, labelled, bad

    def turns(self) -> tuple[Turn, ...]:
        return ()

    def deal(self, *_: Any) -> None:
        raise NotImplementedError

    def averaged(self) -> tuple[str, ...]:
        return ()

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        if wish.label is not None and not self.labelled:
            raise ValueError("label: this model was trained without labels and cannot draw a class")
        label = wish.label if wish.label is not None else torch.arange(wish.count) % 3
        noise = torch.rand(wish.count, 64, generator=generator) * 80
        noise[: self.bad, 0] = torch.nan
        return LatentInputs(noise, label if self.only is None else torch.full((wish.count,), self.only))

    def paint(self, inputs: LatentInputs) -> Tensor:
        image = inputs.noise.view(-1, 1, 8, 8).clone()
        for number in range(3):
            image[inputs.label == number, :, 3 * number : 3 * number + 2] += 150
        return image / 127.5 - 1


class PointReplay(Replay):
    """Points at one centre of the ring."""

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        return LatentInputs(Ring8(count=100).centres[:1].expand(wish.count, 2))

    def paint(self, inputs: LatentInputs) -> Tensor:
        return inputs.noise.view(-1, 2, 1, 1)


@pytest.fixture(scope="module")
def module_patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module", autouse=True)
def quick(module_patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    module_patch.setenv("GANCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
    module_patch.setattr(classifier, "STEPS", (60, 60))
    module_patch.setattr(classifier, "BATCH", 16)


SETTINGS = {"dataset": {"_target_": "Bars"}, "choices": {"dataset": "bars"}, "description": {"shape": [1, 8, 8]}}


def panel(game: Generative, metrics: tuple[str, ...] | None = None, **wanted: Any) -> Panel:
    data = Bars()
    made = panel_of(SETTINGS, data, data.open(CPU), game, Wanted(metrics=metrics, **wanted), CPU)
    assert isinstance(made, Panel)
    return made


def values(found: Evaluation) -> dict[str, float]:
    return {score.key: score.value for score in found.scores}


def test_good_samples_score_near_the_floor() -> None:
    game = Replay(labelled=True)
    found = panel(game, count=360).evaluate(game, 1_000)
    scores = values(found)
    assert set(scores) == set(
        keys.scores_of(("fd", "kd", "is", "pr", "coverage", "conditional", "diversity", "memorisation"))
    )
    assert scores["covered"] == scores["modes"] == 3
    assert scores["conditional"] > 0.99
    assert scores["kl"] < 0.01
    assert 0.9 < scores["diversity"] < 1.1
    assert scores["duplicates"] == 0
    assert scores["fd"] < found.score("fd").floor  # half the pictures are further apart than all
    assert list(found.histogram) == ["top", "middle", "bottom"]
    assert sum(found.histogram.values()) == pytest.approx(1)


def test_a_collapsed_generator_is_found_out() -> None:
    game = Replay(only=1)
    found = panel(game, count=360).evaluate(game, 0)
    scores = values(found)
    assert scores["covered"] == 1
    assert scores["kl"] == pytest.approx(1.0986, abs=0.05)  # ln 3
    assert scores["fd"] > 10 * found.score("fd").floor
    assert scores["diversity"] < 0.8
    assert "conditional" not in scores  # nothing was wished for
    assert found.histogram["middle"] > 0.99


def test_a_panel_gives_the_same_scores_again() -> None:
    game = Replay()
    one = panel(game, ("fd", "coverage", "diversity"), count=200)
    first, state = one.evaluate(game, 7), torch.get_rng_state()
    second = one.evaluate(game, 7)
    assert first == second == panel(game, ("fd", "coverage", "diversity"), count=200).evaluate(game, 7)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_reference_is_never_mirrored() -> None:
    """Bars() flips at random while it deals; the reference must not."""
    reals = Reals("bars", "all", Bars().describe(), Bars().open(CPU))
    pixels = torch.cat([pixels for pixels, _ in reals.batches(torch.arange(360))])
    assert torch.equal(pixels, bars(360, 0)[0])


def test_samples_that_are_not_numbers_are_counted_and_refused() -> None:
    game = Replay(bad=41)
    with pytest.raises(NotFinite, match="41 of 300 samples are not finite; nothing was scored"):
        panel(game, ("diversity",), count=300).evaluate(game, 0)


def test_names_follow_the_extractor() -> None:
    game = Replay()
    names = {score.name for score in panel(game, ("fd", "pr"), count=200).evaluate(game, 0).scores}
    assert names == {"FD-classifier", "precision-classifier", "recall-classifier"}
    names = {
        score.name for score in panel(game, ("fd", "coverage"), count=200, extractor="random").evaluate(game, 0).scores
    }
    assert names == {"FD-random", "classes covered", "modes seen", "reverse KL"}


def test_each_score_knows_what_it_was_taken_on() -> None:
    game = Replay()
    found = panel(game, ("fd", "coverage", "diversity"), count=200, extractor="random").evaluate(game, 0)
    extractors = {score.key: score.contract.extractor for score in found.scores}
    assert (extractors["fd"], extractors["covered"], extractors["diversity"]) == ("random", "classifier", "pixels")
    terms = found.score("fd").contract
    assert (terms.reference, terms.reference_count, terms.count, terms.averaged) == ("bars 1x8x8", 360, 200, True)


def test_unlabelled_data_refuses_class_metrics() -> None:
    class Unlabelled(Bars):
        def describe(self) -> Description:
            return replace(super().describe(), classes=0, names=())

        def open(self, device: torch.device) -> Table:
            return TensorTable(bars(360, 0)[0], None, device)

    data = Unlabelled()
    with pytest.raises(UserError, match="coverage needs labelled data of two classes or more, and this has no classes"):
        panel_of(SETTINGS, data, data.open(CPU), Replay(), Wanted(metrics=["fd", "coverage"]), CPU)
    found = panel_of(SETTINGS, data, data.open(CPU), Replay(), Wanted(count=100), CPU).evaluate(Replay(), 0)
    assert {"fd", "kd", "precision", "diversity", "memorised"} <= set(values(found))
    assert found.score("fd").name == "FD-random"


def test_unknown_metrics_are_all_named() -> None:
    with pytest.raises(UserError) as caught:
        keys.parse("fd,coverag,nice")
    assert len(caught.value.mistakes) == 2
    assert "did you mean 'coverage'?" in caught.value.mistakes[0]
    with pytest.raises(UserError, match="no metric 'psnr' here"):
        panel(Replay(), ("psnr",))


def test_papers_names_ask_for_inception() -> None:
    assert keys.with_papers_names("fid,coverage", "auto") == ("fd,coverage", "inception")
    assert keys.with_papers_names("kd", "auto") == ("kd", "auto")
    with pytest.raises(UserError, match="kid is a score of Inception's features"):
        keys.with_papers_names("kid", "classifier")


def test_the_nearest_sheet_shows_copies_first(module_patch: pytest.MonkeyPatch) -> None:
    """Rows of a sample and its 5 nearest: 6 columns; a game that hands out training pictures is its own neighbour."""

    class Thief(Replay):
        def paint(self, inputs: LatentInputs) -> Tensor:
            return bars(360, 0)[0][: len(inputs)].float() / 127.5 - 1

    sheet = panel(Thief(), ("memorisation",), count=100).nearest_sheet(Thief(), rows=4, columns=2)
    whole = sheet.shape[0] // (4 * 8 + 5 * 2)
    step = 10 * whole
    cells = [sheet[2 * whole : step, 2 * whole + c * step : (c + 1) * step] for c in range(2)]
    assert (cells[0] == cells[1]).all()
    found = panel(Thief(), ("memorisation",), count=100).evaluate(Thief(), 0)
    assert values(found)["memorised"] < 0.1


def test_points_are_scored_by_the_protocol() -> None:
    data = Ring8(count=4_000)
    settings = {**SETTINGS, "choices": {"dataset": "ring8"}, "description": {"shape": [2, 1, 1]}}
    judge = panel_of(settings, data, data.open(CPU), PointReplay(), Wanted(), CPU)
    assert isinstance(judge, PointPanel)
    found = judge.evaluate(PointReplay(), 0)
    assert values(found) == {"modes": 1, "high_quality": 1, "kl": pytest.approx(2.0794, abs=1e-4)}  # ln 8
    assert found.score("modes").floor == 8
    assert found.score("high_quality").floor == pytest.approx(0.989, abs=0.01)
    assert found.scores[0].contract.count == 2_500
    assert judge.latest.shape == (400, 400, 3)
    assert (judge.latest[199, 360] == (20, 60, 160)).all()  # x = 0.8, y = 0
    with pytest.raises(UserError, match="no metric 'fd' here"):
        panel_of(settings, data, data.open(CPU), PointReplay(), Wanted(metrics=["fd"]), CPU)


CONTRACT = Contract("bars", "a", "train", 360, 200, "classifier", "b", "none", "float32", True, 0, "x 1")


def test_only_equal_conditions_are_ranked() -> None:
    scores = {
        name: Score("fd", "FD-classifier", value, CONTRACT) for name, value in (("a", 3.0), ("b", 1.0), ("c", 2.0))
    }
    assert ranked(scores) == ["b", "c", "a"]
    covered = {name: Score("covered", "classes covered", value, CONTRACT) for name, value in (("a", 3.0), ("b", 1.0))}
    assert ranked(covered) == ["a", "b"]
    scores["c"] = Score("fd", "FD-classifier", 2.0, replace(CONTRACT, count=100, seed=1))
    with pytest.raises(UserError, match=r"do not compare \(count: 200 against 100; seed: 0 against 1\)"):
        ranked(scores)
    with pytest.raises(UserError, match="score: FD-classifier against FID"):
        ranked({"a": Score("fd", "FD-classifier", 1.0, CONTRACT), "b": Score("fd", "FID", 1.0, CONTRACT)})


def test_records_are_read_back_and_survive_a_cut_line(tmp_path: Path) -> None:
    file = tmp_path / "evaluations.jsonl"
    contracts = CONTRACT, replace(CONTRACT, extractor="pixels")
    scores = (
        Score("fd", "FD-classifier", 1.5, contracts[0], 0.1, 0.01),
        Score("diversity", "diversity", 0.9, contracts[1]),
    )
    records = [Evaluation(images, scores, {"0": 1.0}, {"0": 1.0}, origin="training") for images in (100, 200)]
    for record in records:
        append(file, record)
    assert read(file) == records
    assert len(json.loads(file.read_text().splitlines()[0])["contracts"]) == 2
    with file.open("a") as text:
        text.write('{"images_seen": 300, "sco')
    assert read(file) == records
    assert read(tmp_path / "none.jsonl") == []


def test_a_resumed_training_forgets_what_came_later(tmp_path: Path) -> None:
    file = tmp_path / "evaluations.jsonl"
    for images, origin in ((100, "training"), (200, "training"), (200, "evaluate")):
        append(file, Evaluation(images, (), origin=origin))
    forget(file, 150)
    assert [(each.images_seen, each.origin) for each in read(file)] == [(100, "training"), (200, "evaluate")]
