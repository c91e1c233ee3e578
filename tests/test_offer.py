"""What a game on a dataset can be scored by: told before a folder is made, and what its panel gives is among it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ganctl import cli
from ganctl.config.preparation import compose, prepare
from ganctl.data.dataset import Dataset, Description, Table
from ganctl.errors import UserError
from ganctl.games.game import Game
from ganctl.metrics import classifier, pairpanel
from ganctl.metrics.offer import offer
from ganctl.metrics.panels import Wanted, panel_of, quick_panel
from ganctl.training import parts

CPU = torch.device("cpu")
OF_PICTURES = "fd, kd, is, precision, recall"
OF_PIXELS = "diversity, neighbours, duplicates, memorised"
OF_CLASSES = "covered, modes, kl"
OBEDIENCE = "needs a model that can be asked for a class, such as cgan, and this one cannot"
NO_CLASSES = "needs labelled data of two classes or more, and this has no classes"


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A classifier that is trained in a moment and trusted whatever it says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCTL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(classifier, "STEPS", (20, 20))
        patch.setattr(classifier, "ACCURACY", 0.0)
        yield


@pytest.fixture
def alexnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of its weights, which only a score would read."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    file = tmp_path / "torch" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    file.parent.mkdir(parents=True)
    file.touch()
    return file


def mistakes(*words: str, search: str | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        prepare(compose(words), search)
    return list(caught.value.mistakes)


@pytest.mark.parametrize(
    ("words", "score", "told"),
    [
        ("model=dcgan dataset=digits", "psnr", f"is never taken of this model on this dataset; choose one of doctor, "
         f"{OF_PICTURES}, {OF_CLASSES}, {OF_PIXELS}"),
        ("model=dcgan dataset=digits", "conditional", f"{OBEDIENCE}; choose one of doctor, "
         f"{OF_PICTURES}, {OF_CLASSES}, {OF_PIXELS}"),
        ("model=dcgan dataset=random", "kl", f"{NO_CLASSES}; choose one of doctor, {OF_PICTURES}, {OF_PIXELS}"),
        ("model=gan dataset=ring8", "fd", "is never taken of this model on this dataset; choose one of doctor, "
         "modes, high_quality, kl"),
        ("model=pix2pix dataset=random_pairs", "psnr_y", "is never taken of this model on this dataset; choose one of "
         "doctor, fd, kd, psnr, ssim, l1, lpips"),
        ("model=srresnet dataset=random_superres", "kd", "compares sets of pictures of one size; choose one of doctor, "
         "psnr, psnr_y, ssim, ssim_y, l1, lpips"),
        ("model=srresnet dataset=random_superres dataset.shape=[1,32,32]", "ssim_y", "is never taken of this model on "
         "this dataset; choose one of doctor, psnr, ssim, l1, lpips"),
        ("model=pix2pix dataset=random_pairs dataset.shape=[3,8,8]", "ssim", "needs pictures of 11 pixels a side; "
         "choose one of doctor, fd, kd, psnr, l1"),
        ("model=pix2pix dataset=random_pairs dataset.shape=[3,16,16]", "lpips", "needs pictures of 32 pixels a side; "
         "choose one of doctor, fd, kd, psnr, ssim, l1"),
        ("model=pix2pix dataset=random_pairs dataset.shape=[2,32,32]", "lpips", "needs grey or coloured pictures; "
         "choose one of doctor, fd, kd, psnr, ssim, l1"),
        ("model=cyclegan dataset=random_unpaired", "diversity", "is never taken of this model on this dataset; choose "
         "one of doctor, fd, kd, conditional"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("alexnet")
def test_what_cannot_be_watched(words: str, score: str, told: str) -> None:
    found = mistakes(*words.split(), "evaluate_every=64", f"early_stop={score}")
    order = [sorted(each.replace(",", "").split()) for each in (found[0], f"early_stop: {score} {told}")]
    assert order[0] == order[1]
    assert found[0].startswith(f"early_stop: {score} {told.partition('choose one of')[0]}")
    assert len(found) == 1


def test_training_fetches_no_weights_and_an_evaluation_may(alexnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["model=pix2pix", "dataset=random_pairs", "dataset.shape=[3,32,32]", "evaluate_every=64"]
    settings = prepare(compose([*words, "early_stop=lpips"]))
    alexnet.unlink()
    place = f"{alexnet.parent} (ganctl evaluate download=true fetches it)"
    needs = f"lpips needs {alexnet.name}, which is not in {place}; choose one of "
    assert mistakes(*words, "early_stop=lpips")[0].startswith(f"early_stop: {needs}doctor, ")
    assert mistakes(*words, search="lpips")[0].startswith(f"search: {needs}")
    game, dataset = parts.game_of(settings), parts.dataset_of(settings)
    with pytest.raises(UserError, match=r"which is not here; put it into .*, or set download=true"):
        panel_of(settings, dataset, dataset.open(CPU), game, Wanted(["lpips"]), CPU)
    monkeypatch.setattr(pairpanel, "lpips", lambda output, target, download: float(download))
    wanted = Wanted(["lpips"], extractor="random", download=True)
    assert panel_of(settings, dataset, dataset.open(CPU), game, wanted, CPU).keys == ("lpips",)


@pytest.mark.parametrize(
    "words",
    [
        "model=cgan dataset=digits early_stop=conditional",
        "model=stackgan dataset=random_captions early_stop=conditional",
        "model=srresnet dataset=random_superres early_stop=psnr_y",
        "model=srresnet dataset=random_superres dataset.shape=[3,8,8] early_stop=ssim",  # whole pictures are larger
        "model=gan dataset=grid25 early_stop=kl",
        "model=dcgan dataset=digits early_stop=recall",
    ],
)
def test_what_can_be_watched(words: str) -> None:
    assert prepare(compose([*words.split(), "evaluate_every=64"]))["early_stop"]


def test_it_is_told_with_the_other_mistakes_and_nothing_is_made(
    outputs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["model=dcgan", "dataset=digits", "early_stop=psnr", "batch_size=0"]
    assert cli.main(["train", *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith("ganctl train: 2 mistakes\n")
    assert "  early_stop: psnr is never taken of this model on this dataset; choose one of doctor, fd, kd, " in told
    assert "nothing is evaluated" not in told  # nor would evaluations take it
    assert not outputs.exists()


def test_data_that_has_no_scores() -> None:
    class Several(Dataset):
        def describe(self) -> Description:
            return Description((3, 16, 16), 2, 40, ("hat", "coat"), attributes=True)

        def open(self, device: torch.device) -> Table:
            raise NotImplementedError

    with pytest.raises(UserError, match="Silent has neither noise to draw from nor pairs to compare"):
        offer(Silent(), Several())


class Silent(Game):
    """Neither draws nor translates."""

    def turns(self) -> tuple: ...
    def deal(self, batch, playing, clock) -> None: ...
    def preview(self, batch, count, generator) -> None: ...
    def sheet(self, inputs) -> None: ...
    def averaged(self) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(
    "words",
    [
        "model=dcgan dataset=digits model.width=4",
        "model=cgan dataset=digits model.width=4",
        "model=dcgan dataset=random model.width=4 dataset.count=200",
        "model=gan dataset=ring8 dataset.count=4000",
        "model=pix2pix dataset=random_pairs model.width=4",
        "model=srresnet dataset=random_superres model.width=4 model.blocks=1",
        "model=srresnet dataset=random_superres model.width=4 model.blocks=1 dataset.shape=[1,32,32]",
        "model=cyclegan dataset=random_unpaired model.width=4",
    ],
)
def test_what_a_panel_gives_is_offered(words: str) -> None:
    settings = prepare(compose([*words.split(), "device=cpu", "trainer.threads=1"]))
    game, dataset = parts.game_of(settings), parts.dataset_of(settings)
    known = offer(game, dataset)
    judge = quick_panel(settings, dataset, dataset.open(CPU), game, None, CPU)
    given = {key.partition("/")[0] for key in judge.keys}
    if "conditional" in known.refused:  # what the panel would take of a game that can be asked for a class
        given -= {"conditional"}
    assert given <= set(known.usual)
    assert set(known.usual) <= set(known.scores)


# A search


SEARCH = ["model=dcgan", "dataset=digits", "model.optimizers.generator.lr=1e-3,1e-4", "images=640"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["search=psnr"], "search: psnr is never taken of this model on this dataset; choose one of fd, kd, "),
        (["search=psnr", "evaluate_every=null"], "search: psnr is never taken of this model on this dataset"),
        (["search=psnr", "early_stop=null"], "search: psnr is never taken of this model on this dataset"),
        (["search=conditional"], f"search: conditional {OBEDIENCE}; choose one of fd, "),
        (["search=recall", "early_stop=doctor"], "search: recall is taken while training only where it is watched, and "
         "early_stop=doctor was given; leave early_stop out, or choose one of fd, covered, modes, kl, diversity, "),
        (["search=fd", "evaluate_every=null"], "search: fd was given, and nothing is evaluated; leave evaluate_every=nu"
         "ll out"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_by(
    outputs: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    assert cli.main(["train", *SEARCH, *words]) == 2
    found = capsys.readouterr().err
    assert found.startswith(f"ganctl train: {told}")
    assert found.count("\n") == 1
    assert not outputs.exists()


def test_a_search_by_a_usual_score_needs_not_watch_it() -> None:
    prepare(compose(["model=dcgan", "dataset=digits", "evaluate_every=64", "early_stop=doctor"]), "fd")
    prepare(compose(["model=dcgan", "dataset=digits", "evaluate_every=64", "early_stop=recall"]), "recall")
