"""Anomaly scores: errors and AUROC by hand, the search for a picture, and the command."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, plain
from torch import Tensor, nn
from untrained_runs import make_run

from ganctl import cli
from ganctl.data.dataset import Description, TensorTable
from ganctl.errors import MISTAKE, OK, UserError
from ganctl.games.autoencoding import Autoencoder
from ganctl.games.latent import LatentGame
from ganctl.games.prior import Gaussian, Uniform
from ganctl.losses import likelihood
from ganctl.losses.adversarial import NonSaturating
from ganctl.metrics.reals import Reals
from ganctl.networks.augment import NoAugment
from ganctl.networks.autoencoder import MLPEncoder
from ganctl.networks.interfaces import Discriminator, Generator
from ganctl.networks.mlp import MLPGenerator
from ganctl.trained.gathering import Pile, gathered
from ganctl.trained.inversion import Distance, Inversion, Search
from ganctl.trained.scoring import HIGHEST, Rated, Scored, heat, scored

SHAPE = (1, 8, 8)
CPU = torch.device("cpu")
AE = ["model=ae", "model.width=4", "model.code_size=4", "dataset=digits", "batch_size=4"]


class Grey(Generator):
    """A picture of one grey level: the noise."""

    noise_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return (self.weight * noise[:, :, None, None]).expand(-1, *SHAPE)


class Twice(Discriminator):
    """Its feature is twice the first pixel."""

    feature_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.weight * image.flatten(1)[:, :1]

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return features.squeeze(1)


def greys() -> LatentGame:
    return LatentGame(Grey(), Twice(), Uniform(1), NonSaturating(), NoAugment()).eval()


def forgetful() -> Autoencoder:
    """An autoencoder that answers every picture with middle grey."""
    decoder = MLPGenerator(SHAPE, noise_size=2, hidden=(), batch_norm=False)
    nn.init.zeros_(decoder.layers[0].weight)
    nn.init.zeros_(decoder.layers[0].bias)
    return Autoencoder(MLPEncoder(SHAPE, 2), decoder, Gaussian(2), likelihood.Gaussian()).eval()


def pile(levels: Sequence[int], classes: Sequence[str] | None = None, normal: frozenset[str] | None = None) -> Pile:
    """One picture for each of these grey levels of 0 to 255."""
    images = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, *SHAPE).contiguous()
    reals = Reals("greys", "all", Description(SHAPE, 0, len(levels)), TensorTable(images, None, CPU))
    names = [f"{number}.png" for number in range(len(levels))]
    return Pile(reals, torch.arange(len(levels)), names, classes, normal)


def test_the_error_is_that_of_grey_levels_from_0_to_1() -> None:
    """White against black: 1; black against middle grey: 1/4; over two channels the mean."""
    image = torch.stack((torch.ones(2, 4, 4), -torch.ones(2, 4, 4)))
    made = torch.stack((-torch.ones(2, 4, 4), torch.zeros(2, 4, 4)))
    rated = Rated(image, made)
    assert rated.score.tolist() == [1.0, 0.25]
    assert rated.error.shape == (2, 4, 4)
    made[0, 0] = 1  # one of two channels is right
    assert Rated(image, made).score.tolist() == [0.5, 0.25]


def judged(scores: Sequence[float], classes: Sequence[str], *normal: str) -> Scored:
    picture = torch.zeros(1, *SHAPE)
    found = pile([0] * len(scores), classes).known_normal(normal)
    return Scored(found, np.array(scores), Rated(picture, picture))


def test_auroc_counts_the_pairs_in_the_right_order() -> None:
    """Of the pairs of 0.35, 0.8 (anomalies) and 0.1, 0.4 (normal) three of four; ties count half."""
    assert judged([0.1, 0.35, 0.4, 0.8], ["ok", "bad", "ok", "bad"], "ok").auroc == 0.75
    assert judged([0.1, 0.35, 0.4, 0.8], ["ok", "bad", "fine", "bad"], "ok", "fine").auroc == 0.75
    assert judged([0.5, 0.5], ["ok", "bad"], "ok").auroc == 0.5
    assert judged([0.9, 0.1], ["ok", "bad"], "ok").auroc == 0.0


def test_one_picture_has_no_auroc() -> None:
    both = judged([0.9, 0.1], ["ok", "bad"], "ok")
    assert replace(both, pile=both.pile.some(1, seed=0), scores=both.scores[:1]).auroc is None


def test_the_table_begins_with_the_highest(tmp_path: Path) -> None:
    judged([0.1, 0.35, 0.2], ["ok", "bad", "ok"], "ok").write_table(tmp_path / "scores.csv")
    rows = list(csv.reader((tmp_path / "scores.csv").open()))
    assert rows == [
        ["file", "score", "label"],
        ["1.png", "0.35", "bad"],
        ["2.png", "0.2", "ok"],
        ["0.png", "0.1", "ok"],
    ]


def test_heat_runs_over_red_and_yellow_to_white() -> None:
    colours = heat(torch.tensor([[[0.0, 1 / 3, 2 / 3, 1.0]]]))[0, :, 0].T
    torch.testing.assert_close(colours, torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1]]))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_all_are_scored_and_the_highest_shown(batch_size: int) -> None:
    """Against middle grey (0), a level l misses by ((l / 127.5 - 1) / 2)^2: 255 by 0.25, 204 by 0.09."""
    levels = [204, 255, *([128] * HIGHEST)]
    found = scored(forgetful(), pile(levels), Search(), batch_size, CPU)
    assert found.scores[:2] == pytest.approx([0.09, 0.25], rel=1e-5)
    assert found.scores[2:] == pytest.approx((0.5 / 127.5 / 2) ** 2, rel=1e-3)
    assert len(found.highest.image) == HIGHEST
    assert found.highest.image[:2, 0, 0, 0].tolist() == pytest.approx([1.0, 0.6])
    assert found.auroc is None
    assert found.sheet().shape[2] == 3


def test_lost_numbers_are_told() -> None:
    game = forgetful()
    nn.init.constant_(game.decoder.layers[0].bias, float("nan"))
    with pytest.raises(UserError, match=r"not finite; take an earlier one with ckpt="):
        scored(game, pile([0]), Search(), 4, CPU)


def test_the_search_begins_with_the_nearest_draw() -> None:
    inversion = Inversion(greys(), Search(steps=0, draws=50, seed=3))
    draws = inversion.inputs.noise.flatten()
    image = torch.tensor([0.5, -0.9])[:, None, None, None].expand(-1, *SHAPE)
    nearest = [min(draws.tolist(), key=lambda draw: abs(draw - level)) for level in (0.5, -0.9)]
    assert inversion(image)[:, 0, 0, 0].tolist() == pytest.approx(nearest)


def test_the_search_finds_what_can_be_drawn_and_nothing_else() -> None:
    """Two halves of levels -1 and 1 lie 1 from every grey; a picture of one level is found."""
    halves = torch.ones(1, *SHAPE)
    halves[:, :, :4] = -1
    image = torch.cat((torch.full((1, *SHAPE), 0.37), halves))
    made = Inversion(greys(), Search(steps=200, draws=4, features=0.0))(image)
    found = Rated(image, made)
    assert found.score[0] < 1e-3
    assert (image - made).abs().flatten(1).mean(1)[1].item() == pytest.approx(1.0, abs=1e-4)
    assert made.unique(dim=0).flatten(1).std(1).max() < 1e-6


def test_the_search_does_not_depend_on_the_batch() -> None:
    image = torch.rand(5, *SHAPE) * 2 - 1
    search = Search(steps=20, draws=16)
    together = Inversion(greys(), search)(image)
    alone = torch.cat([Inversion(greys(), search)(each[None]) for each in image])
    torch.testing.assert_close(together, alone)


def test_the_search_weighs_pixels_and_features() -> None:
    """Off by 0.5 in every pixel, so by 1 in the feature: 0.9 * 0.5 + 0.1 * 1 = 0.55; pixels alone 0.5."""
    image, made = torch.zeros(1, *SHAPE), torch.full((1, *SHAPE), 0.5)
    assert Distance(greys(), image, None, features=0.1)(made).item() == pytest.approx(0.55)
    assert Distance(greys(), image, None, features=0.0)(made).item() == pytest.approx(0.5)


def test_some_of_the_pictures() -> None:
    whole = pile([10, 20, 30, 40], ["a", "b", "c", "d"])
    some = whole.some(2, seed=1)
    assert len(some.rows) == len(some.names) == len(some.classes) == 2
    assert some.names == [f"{row}.png" for row in some.rows.tolist()]
    assert some.classes == ["abcd"[row] for row in some.rows.tolist()]
    assert whole.some(4, seed=1) is whole.some(None, seed=1) is whole


def test_normal_classes_must_be_there() -> None:
    with pytest.raises(UserError, match=r"^normal: no class 'god'; did you mean 'good'\?$"):
        pile([0, 0], ["good", "bad"]).known_normal(["god"])
    with pytest.raises(UserError, match=r"^normal: names all classes; some must be anomalies$"):
        pile([0, 0], ["good", "bad"]).known_normal(["good", "bad"])
    with pytest.raises(UserError, match=r"^normal: good; the pictures have no classes; put each class in a subfolder$"):
        pile([0]).known_normal(["good"])


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "outputs"
    make_run(folder, "no3", *AE, "dataset.without=[3]")
    make_run(folder, "gan", "model=gan", "model.game.generator.hidden=[8]", "dataset=digits", "batch_size=4")
    make_run(folder, "pairs", "model=pix2pix", "dataset=random_pairs", "model.width=2", "batch_size=4")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    monkeypatch.delenv("GANCTL_CONF", raising=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three normal pictures and two scratched ones, of several sizes."""
    for kind, count in (("good", 3), ("scratched", 2)):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "photos" / kind / f"{number}.png").write_bytes(encoded(plain(size=(20 + number, 30))))
    return tmp_path / "photos"


def test_the_runs_own_tests_hold_the_class_that_was_left_out(outputs: Path) -> None:
    config = {
        "dataset": {"_target_": "ganctl.data.small.Digits", "size": 8, "split": "train", "without": [3]},
        "description": {"shape": [1, 8, 8]},
    }
    found = gathered("dataset", config, CPU)
    assert len(found.rows) == len(found.names) == 359
    assert set(found.classes) == set("0123456789")
    assert found.normal == frozenset("012456789")


def test_scoring_the_runs_own_tests(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("last-dataset", "last-dataset-2"):  # a second time beside the first
        assert cli.main(["score", "run=no3", "n=100"]) == OK
        told = capsys.readouterr().out
        assert "100 pictures scored" in told
        assert "AUROC 0." in told
        assert told.count("anomalies\n") == 1
        rows = list(csv.DictReader((outputs / "no3" / "scored" / folder / "scores.csv").open()))
        assert len(rows) == 100
        assert all(0 < float(row["score"]) < 1 for row in rows)
        assert (outputs / "no3" / "scored" / folder / "highest.png").is_file()


@pytest.mark.parametrize("run", ["no3", "gan"])
def test_scoring_a_folder(run: str, photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (photos / "good" / "broken.png").write_bytes(b"no picture")
    assert cli.main(["score", f"run={run}", "in=photos", "normal=good", "out=found", "steps=2"]) == OK
    told = capsys.readouterr().out
    assert "1 of 6 pictures in" in told
    assert "AUROC 0." in told
    rows = list(csv.DictReader(Path("found/scores.csv").read_text().splitlines()))
    assert sorted(row["file"] for row in rows) == sorted(
        f"{path.parent.name}/{path.name}" for path in good_ones(photos)
    )
    assert all(row["label"] == row["file"].split("/")[0] for row in rows)


def good_ones(photos: Path) -> list[Path]:
    return [path for path in photos.rglob("*.png") if path.name != "broken.png"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["in=nowhere"], "in: no such folder"),
        (["in=photos", "normal=bad"], "normal: no class 'bad'; there are: good, scratched"),
        (["in=photos/good", "normal=good"], "normal: good; the pictures have no classes"),
        (["in=photos", "normal=good,scratched"], "normal: names all classes"),
        (["in=photos", "out=photos/good/0.png"], "out: photos/good/0.png is a file; name a folder"),
        (["in=photos", "out=full"], "out: full/scores.csv exists already; choose another folder"),
        (["run=pairs"], "holds a TranslationGame; scores need an autoencoder (model=ae, vae, aae or vaegan) or"),
        (["in=photos", "steps=-1"], "steps=-1: must be at least 0"),
        (["normals=good"], "normals=good: no such option; did you mean 'normal'?"),
    ],
)
def test_mistakes_are_told_in_one_sentence(
    words: list[str], sentence: str, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("full").mkdir()
    Path("full/scores.csv").touch()
    chosen = words if words[0].startswith("run=") else ["run=no3", *words]
    assert cli.main(["score", *chosen]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert len(told.err.splitlines()) == 1


def test_help_and_completion(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["score", "--help"]) == OK
    assert "  in=dataset" in capsys.readouterr().out
    assert cli.main(["completion", "query", "score", "i"]) == OK
    assert capsys.readouterr().out.split() == ["in="]
