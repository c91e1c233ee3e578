"""`ganctl reconstruct`: pictures of any size through an autoencoder and back."""

from pathlib import Path

import pytest
import torch
from picture_samples import encoded, plain
from PIL import Image
from untrained_runs import make_run

from ganctl import cli
from ganctl.errors import MISTAKE, OK, UserError
from ganctl.trained.translating import load_translator


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "outputs"
    make_run(folder, "ae", "model=ae", "model.width=4", "model.code_size=4", "dataset=digits", "batch_size=4")
    make_run(folder, "pairs", "model=pix2pix", "dataset=random_pairs", "model.width=2", "batch_size=4")
    return folder


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    monkeypatch.delenv("GANCTL_CONF", raising=False)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "wide.png").write_bytes(encoded(plain(size=(40, 20))))
    (folder / "small.jpg").write_bytes(encoded(plain(size=(9, 9)), "JPEG"))
    return folder


@pytest.mark.parametrize("command", ["reconstruct", "translate"])
def test_names_and_sizes_stay(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("photos/broken.png").write_bytes(b"no picture")
    assert cli.main([command, "run=ae", "in=photos", "out=made"]) == OK
    told = capsys.readouterr()
    assert f"ganctl {command}: 1 skipped: 'broken.png'" in told.err
    sizes = {path.name: Image.open(path).size for path in Path("made").iterdir()}
    assert sizes == {"wide.png": (40, 20), "small.png": (9, 9)}


def test_pictures_of_the_trained_size_are_reconstructed_as_the_game_does() -> None:
    translator = load_translator("ae", device="cpu")
    image = torch.rand(3, 1, 16, 16) * 2 - 1
    with torch.no_grad():
        expected = translator.game.reconstruct(image)
    torch.testing.assert_close(translator.translate(image, batch_size=2), expected, rtol=1e-3, atol=1e-3)


def test_a_mistake_of_the_game_is_told() -> None:
    with pytest.raises(UserError, match=r"^direction: b2a; an autoencoder has only reconstruct$"):
        load_translator("ae", device="cpu").translate(torch.zeros(1, 1, 16, 16), direction="b2a")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run=pairs", "in=photos", "out=made"], "TranslationGame is no autoencoder; make its pictures with ganctl"),
        (["run=ae", "in=nowhere", "out=made"], "in: no such folder"),
        (["run=ae", "in=photos", "out=photos"], "also in=; choose another folder"),
        (["run=ae", "in=photos"], "out: must be given, out=..."),
    ],
)
def test_mistakes_are_told_in_one_sentence(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["reconstruct", *words]) == MISTAKE
    told = capsys.readouterr()
    assert sentence in told.err
    assert len(told.err.splitlines()) == 1
    assert not Path("made").exists()
