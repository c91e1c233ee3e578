"""Scores of translations into other domains: by hand, with eyes that see two numbers of a picture."""

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from translating_games import Shift

from ganctl import cli
from ganctl.config.preparation import compose, prepare
from ganctl.data.batch import Images, Unpaired
from ganctl.data.dataset import Description, Table, TensorTable
from ganctl.data.unpaired import UnpairedTable
from ganctl.errors import NotFinite, UserError
from ganctl.games.game import Task
from ganctl.metrics import classifier
from ganctl.metrics.domainpanel import DomainPanel, possible_on
from ganctl.metrics.evaluation import read
from ganctl.metrics.extractors import Extractor, Features
from ganctl.metrics.random_features import RandomExtractor
from ganctl.metrics.reals import Reals
from ganctl.metrics.routes import labelled_by_route, routes_of
from ganctl.pictures import save_picture
from ganctl.training import start

CPU = torch.device("cpu")


class Eye(Extractor):
    """The means of the first two channels; class 1 where the first is brighter than 100."""

    name, feature_size, classes, resizer, identity = "eye", 2, 2, "none", "eye"

    def forward(self, pixels: Tensor) -> Features:
        means = pixels.float().mean((2, 3))[:, :2]
        bright = (means[:, :1] > 100).float()
        return Features(means, torch.cat((1 - bright, bright), 1))


class Lighter(Shift):
    """a is 60 levels darker than b: a2b adds `right` of them, b2a takes them away. Into class 1 as a2b."""

    batches = Unpaired
    directions = ("a2b", "b2a")

    def __init__(self, right: float) -> None:
        super().__init__(0)
        self.right = right

    def translate(self, image: Tensor, task: Task) -> Tensor:
        up = task.direction == "a2b" if task.target is None else bool(task.target[0] == 1)
        return image + (self.right if up else -self.right) * 60 / 127.5


class InClasses(Lighter):
    batches = Images  # type: ignore[assignment]


def pictures(count: int, light: int) -> Tensor:
    """uint8 [count, 3, 16, 16]: levels of two channels that differ from picture to picture, none above 100 + light."""
    chance = torch.Generator().manual_seed(count)
    levels = torch.randint(20, 90, (count, 3, 1, 1), generator=chance) + light
    return levels.to(torch.uint8).expand(-1, -1, 16, 16).contiguous()


def unpaired(count: int = 50, rest: Table | None = None) -> UnpairedTable:
    """Domain b is domain a, 60 levels lighter."""
    a = pictures(count, 0)
    return UnpairedTable(TensorTable(a, None, CPU), TensorTable(a + 60, None, CPU), rest)


FACTS = Description((3, 16, 16), 0, 50)


def panel(table: Table, game: Any, facts: Description = FACTS, metrics: tuple[str, ...] = ("fd", "conditional")) -> Any:
    return DomainPanel(routes_of(game, table, facts, "two"), "two", metrics, Eye(), [Eye()])


def values(found: Any) -> dict[str, tuple[float, float | None]]:
    """Key -> value and what stands beside it."""
    return {score.key: (score.value, score.floor) for score in found.scores}


def test_both_directions_by_hand() -> None:
    """Two means 60 levels off: FD 2 * 60^2 = 7,200 untranslated; half the way 2 * 30^2; all the way 0."""
    judge = panel(unpaired(), Lighter(1))
    assert judge.keys == ("fd", "fd/a2b", "fd/b2a", "conditional", "conditional/a2b", "conditional/b2a")
    arrived = values(judge.evaluate(Lighter(1), 0))
    assert arrived["fd"] == (pytest.approx(0, abs=1e-3), pytest.approx(7200, rel=1e-4))
    half = values(judge.evaluate(Lighter(0.5), 0))
    assert half["fd/a2b"][0] == pytest.approx(1800, rel=1e-4)
    assert half["fd/b2a"][0] == pytest.approx(1800, rel=1e-4)


def test_the_classifier_says_who_arrived() -> None:
    """Eye sees b in all that is brighter than 100: by hand, from the levels."""
    first = pictures(50, 0)[:, 0, 0, 0].int()
    found = values(panel(unpaired(), Lighter(1)).evaluate(Lighter(1), 0))
    is_b = ((first + 60) > 100).float().mean().item()
    is_a = (first <= 100).float().mean().item()
    assert found["conditional/a2b"] == (pytest.approx(is_b), pytest.approx(1 - is_a))
    assert found["conditional/b2a"][0] == pytest.approx(is_a)
    assert found["conditional"][0] == pytest.approx((is_a + is_b) / 2)


def test_into_classes() -> None:
    """The pictures of all other classes set out for each."""
    a = pictures(40, 0)
    table = TensorTable(torch.cat((a, a + 60)), torch.arange(80) // 40, CPU)
    facts = Description((3, 16, 16), 2, 80, ("dark", "light"))
    routes = routes_of(InClasses(1), table, facts, "two")
    assert [(route.name, len(route.rows), len(route.domain_rows)) for route in routes] == [
        ("dark", 40, 40),
        ("light", 40, 40),
    ]
    found = panel(table, InClasses(1), facts).evaluate(InClasses(1), 0)
    assert found.score("fd").value == pytest.approx(0, abs=1e-3)
    assert found.score("fd/light").floor == pytest.approx(7200, rel=1e-4)
    assert found.score("fd/light").name == "FD-eye: light"


class Channel(Extractor):
    """Class 1 where one channel is brighter than 100."""

    name, feature_size, classes, resizer = "channel", 1, 2, "none"

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.identity = number, f"channel{number}"

    def forward(self, pixels: Tensor) -> Features:
        mean = pixels.float().mean((2, 3))[:, self.number, None]
        return Features(mean, torch.cat((100 - mean, mean - 100), 1))


class Painter(InClasses):
    """Knows light and -warm, never makes anything dark, and makes only light pictures warm."""

    def __init__(self) -> None:
        super().__init__(1)
        self.told: list[Tensor] = []

    def translate(self, image: Tensor, task: Task) -> Tensor:
        self.told.append(task.target[0])
        image = image.clone()
        if task.target[0, 1] == 1:
            image[:, 0] = 0.5
        if task.target[0, 2] == 0:
            image[:, 1] = -0.5
        if task.target[0, 2] == 1:
            image[image[:, 0, 0, 0] > 0, 1] = 0.5
        return image


COLUMNS = Description((3, 16, 16), 3, 80, ("dark", "light", "warm"), attributes=True, groups=(2, 1))


def table_of_columns() -> TensorTable:
    """Every combination of dark or light (first channel 40 or 160) and warm or not (second channel) 20 times."""
    light, warm = torch.arange(80) % 2, torch.arange(80) // 2 % 2
    images = torch.full((80, 3, 16, 16), 40, dtype=torch.uint8)
    images[light == 1, 0] = 160
    images[warm == 1, 1] = 160
    return TensorTable(images, torch.stack((1 - light, light, warm), 1).float(), CPU)


def test_to_each_attribute_of_a_table_by_hand() -> None:
    """40 lack each; to dark 0 of 40 come, to light and -warm all, to warm the 20 that are light; the mean is 5/8."""
    routes = routes_of(Painter(), table_of_columns(), COLUMNS, "table")
    assert [(route.name, route.column, route.number) for route in routes] == [
        ("dark", 0, 0),
        ("light", 0, 1),
        ("-warm", 1, 0),
        ("warm", 1, 1),
    ]
    assert {(len(route.rows), len(route.domain_rows)) for route in routes} == {(40, 40)}
    game = Painter()
    judge = DomainPanel(routes, "table", ("conditional",), Eye(), [Channel(0), Channel(1)])
    found = judge.evaluate(game, 0)
    shares = {"": 5 / 8, "/dark": 0.0, "/light": 1.0, "/-warm": 1.0, "/warm": 0.5}
    assert values(found) == {f"conditional{way}": (share, 0.0) for way, share in shares.items()}
    assert [score.contract.extractor_id for score in found.scores] == [
        "channel0 channel1",
        *["channel0"] * 2,
        *["channel1"] * 2,
    ]
    told = torch.stack(list(dict.fromkeys(game.told))).nan_to_num(-1).unique(dim=0).tolist()
    assert sorted(told) == [[-1, -1, 0], [-1, -1, 1], [0, 1, -1], [1, 0, -1]]  # -1: as the picture has it


def test_a_column_that_nothing_could_learn_is_left_out_of_the_mean() -> None:
    routes = routes_of(Painter(), table_of_columns(), COLUMNS, "table")
    found = DomainPanel(routes, "table", ("conditional",), Eye(), [None, Channel(1)]).evaluate(Painter(), 0)
    assert values(found) == {
        "conditional": (0.75, 0.0),
        "conditional/-warm": (1.0, 0.0),
        "conditional/warm": (0.5, 0.0),
    }
    assert found.score("conditional").contract.extractor_id == "channel1"


def test_of_many_ways_the_distances_are_told_as_their_mean() -> None:
    """Five classes: one distance, five shares of those that arrived."""
    table = TensorTable(pictures(50, 0), torch.arange(50) % 5, CPU)
    facts = Description((3, 16, 16), 5, 50)
    keys = panel(table, InClasses(1), facts).keys
    assert keys == ("fd", "conditional", *(f"conditional/{number}" for number in range(5)))


def test_a_distance_is_better_when_lower_on_each_way() -> None:
    found = panel(unpaired(), Lighter(1)).evaluate(Lighter(1), 0)
    assert [score.lower_is_better for score in found.scores] == [True] * 3 + [False] * 3


def test_held_out_pictures_set_out_and_training_pictures_wait() -> None:
    routes = routes_of(Lighter(1), unpaired(50, rest=unpaired(45)), FACTS, "two")
    assert [(len(route.rows), len(route.domain_rows)) for route in routes] == [(45, 50), (45, 50)]
    assert {route.sources.split for route in routes} == {"sources held out"}
    assert len(routes_of(Lighter(1), unpaired(50), FACTS, "two", most=7)[0].rows) == 7


def test_domains_in_turn_for_the_classifier() -> None:
    """Also where one domain has more pictures; each with its own number."""
    table = UnpairedTable(TensorTable(pictures(70, 0), None, CPU), TensorTable(pictures(40, 60), None, CPU))
    batches = list(labelled_by_route(routes_of(Lighter(1), table, FACTS, "two")))
    labels = torch.cat([label for _, label in batches])
    assert labels.bincount().tolist() == [70, 40]
    light = torch.cat([pixels for pixels, _ in batches])[:, 0, 0, 0]
    assert light[labels == 1].min() >= 80
    assert light[labels == 0].max() < 90


def test_random_states_the_sheet_and_what_is_not_finite() -> None:
    before = torch.get_rng_state()
    judge = panel(unpaired(), Lighter(1))
    judge.evaluate(Lighter(1), 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert judge.latest.shape[2] == 3
    with pytest.raises(NotFinite, match="a translated picture is not finite"):
        judge.evaluate(Lighter(math.nan), 0)


def test_what_is_left_out_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Forty pictures suffice for the kernel distance, and for the Frechet distance of an eye with two features."""
    caplog.set_level(logging.INFO, "ganctl")
    few = routes_of(Lighter(1), unpaired(40), FACTS, "two")
    assert possible_on(few, Eye(), classified=False) == ("fd", "kd")
    assert not caplog.messages
    assert possible_on(few, RandomExtractor(3), classified=True) == ("kd", "conditional")
    assert caplog.messages == ["fd is left out: it needs 64 pictures on every way, and there are 40"]


def test_refused_in_words() -> None:
    table = TensorTable(pictures(40, 0), torch.zeros(40, dtype=torch.int64), CPU)
    with pytest.raises(UserError, match="pictures of one domain only"):
        routes_of(InClasses(1), table, Description((3, 16, 16), 2, 40), "one")
    with pytest.raises(UserError, match="without labels"):
        routes_of(InClasses(1), TensorTable(pictures(40, 0), None, CPU), FACTS, "none")
    with pytest.raises(UserError, match="n: 7 samples; kd needs 40 here"):
        DomainPanel(routes_of(Lighter(1), unpaired(), FACTS, "two", 7), "two", ["kd"], Eye(), [None])


def test_while_training_and_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """CycleGAN on noise and darker noise: scored as it trains, the best kept, and the same by command."""
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    words = ["model=cyclegan", "model.width=4", "model.blocks=1", "dataset=random_unpaired", "images=8", "batch_size=4"]
    quick = ["device=cpu", "precision=32", "trainer.preview=2", "sample_every=null", "name=first"]
    result = start.train(prepare(compose([*words, *quick, "evaluate_every=8"])))
    assert result["best"]["key"] == "fd"
    (while_training,) = read(tmp_path / "first" / "evaluations.jsonl")
    assert while_training.beside == "sources as they came"
    assert while_training.score("conditional/a2b").floor == pytest.approx(0, abs=0.05)  # type: ignore[union-attr]
    capsys.readouterr()
    assert cli.main(["evaluate", "run=first", "n=64", "metrics=kd,conditional", "device=cpu"]) == 0
    said = capsys.readouterr().out
    assert "KD-random: a2b" in said or "KD-classifier: a2b" in said
    assert "sources of training" in said
    assert (tmp_path / "first" / "evaluation" / "translated-000000008.png").is_file()
    assert cli.main(["evaluate", "run=first", "metrics=psnr", "device=cpu"]) == 2
    assert "metrics: no metric 'psnr' here; there are fd, kd, conditional" in capsys.readouterr().err


def test_a_table_of_attributes_is_scored_while_training_and_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """StarGAN on two columns, each with a classifier of its own; of four ways the distances are told, too."""
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.setattr(classifier, "STEPS", (40, 40))
    table = table_of_columns()
    images, _ = Reals("table", "all", COLUMNS, table).look(torch.arange(80))
    lines = ["file,tone,warm"]
    for number, (image, label) in enumerate(zip(images, table.labels, strict=True)):
        save_picture(image.permute(1, 2, 0).numpy(), tmp_path / "set" / f"{number}.png")
        lines.append(f"{number}.png,{'light' if label[1] else 'dark'},{int(label[2])}")
    (tmp_path / "set" / "attributes.csv").write_text("\n".join(lines))
    words = ["model=stargan", "model.width=4", "model.blocks=1", "dataset=attributes", "dataset.size=16", "images=8"]
    quick = ["batch_size=4", "device=cpu", "precision=32", "trainer.preview=2", "sample_every=null", "name=first"]
    start.train(prepare(compose([*words, *quick, f"dataset.root={tmp_path / 'set'}", "evaluate_every=8"])))
    (while_training,) = read(tmp_path / "outputs" / "first" / "evaluations.jsonl")
    ways = ["dark", "light", "-warm", "warm"]
    assert [score.key for score in while_training.scores if score.key.startswith("conditional/")] == [
        f"conditional/{way}" for way in ways
    ]
    assert while_training.score("conditional").floor == pytest.approx(0, abs=0.05)  # type: ignore[union-attr]
    capsys.readouterr()
    assert cli.main(["evaluate", "run=first", "metrics=conditional", "device=cpu"]) == 0
    assert "conditional accuracy: -warm" in capsys.readouterr().out
    assert cli.main(["evaluate", "run=first", "extractor=classifier", "device=cpu"]) == 2
    assert "extractor: each column of attributes has a classifier of its own" in capsys.readouterr().err
