"""`ganctl translate` through domains: directions of CycleGAN, classes and attributes of StarGAN by name and number."""

from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo
from PIL import Image
from torch import Tensor
from untrained_runs import make_run

from ganctl.cli import main
from ganctl.errors import UserError
from ganctl.games.game import Task
from ganctl.trained.translating import Interpreter, load_translator

SMALL = ("model.width=4", "model.blocks=1", "device=cpu", "batch_size=2", "images=640")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANCTL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/car.jpg").write_bytes(encoded(photo((30, 18)), "JPEG"))


def cyclegan() -> Interpreter:
    make_run(Path("outputs"), "cycle", "model=cyclegan", "dataset=random_unpaired", "dataset.shape=[3,16,16]", *SMALL)
    return load_translator("outputs/cycle", device="cpu")


def stargan(*dataset: str) -> Interpreter:
    make_run(Path("outputs"), "star", "model=stargan", *dataset, *SMALL)
    return load_translator("outputs/star", device="cpu")


def of_classes() -> Interpreter:
    return stargan("dataset=random", "dataset.shape=[3,16,16]", "dataset.classes=3")


def of_attributes() -> Interpreter:
    """Two colours, three shapes, and two attributes by themselves."""
    lines = ["file,color,shape,big,old", "1.png,red,ball,1,0", "2.png,blue,cube,0,1", "3.png,red,ring,1,1"]
    Path("set").mkdir()
    for name in ("1.png", "2.png", "3.png"):
        Path("set", name).write_bytes(encoded(photo((16, 16), seed=int(name[0]))))
    Path("set/attributes.csv").write_text("\n".join(lines))
    return stargan("dataset=attributes", "dataset.root=set", "dataset.size=16")


def image() -> Tensor:
    return torch.rand(2, 3, 18, 30, generator=torch.Generator().manual_seed(0)) * 2 - 1


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_both_directions_write_other_pictures_of_the_own_size() -> None:
    interpreter = cyclegan()
    for direction in ("a2b", "b2a"):
        assert main(["translate", "run=outputs/cycle", "in=in", f"out={direction}", f"direction={direction}"]) == 0
    assert main(["translate", "run=outputs/cycle", "in=in", "out=unsaid"]) == 0
    there, back, unsaid = (pixels(f"{folder}/car.png") for folder in ("a2b", "b2a", "unsaid"))
    assert there.shape == back.shape == (18, 30, 3)
    assert (there == unsaid).all()
    assert (there != back).any()
    made = interpreter.translate(image(), "b2a")
    with torch.no_grad():
        assert torch.allclose(made, interpreter.game.translate(image(), Task("b2a")), atol=1e-5)


def test_classes_by_name_and_number() -> None:
    interpreter = of_classes()
    assert interpreter.label("2", 2).tolist() == [2, 2]
    assert interpreter.label(1, 3).tolist() == [1, 1, 1]
    assert main(["translate", "run=outputs/star", "in=in/car.jpg", "out=made", "target=2"]) == 0
    assert pixels("made/car.png").shape == (18, 30, 3)
    first, second = interpreter.translate(image(), target=0), interpreter.translate(image(), target=2)
    assert first.shape == (2, 3, 18, 30)
    assert (first != second).any()


def on_off(interpreter: Interpreter, target: str) -> str:
    """1, 0 and ? for as it is: blue red | ball cube ring | big | old."""
    label = interpreter.label(target, 1)
    assert label is not None
    return "".join("?" if value != value else str(int(value)) for value in label[0].tolist())


def test_attributes_by_name_number_and_minus() -> None:
    """A colour excludes the other one; what is not named stays as it is."""
    interpreter = of_attributes()
    assert interpreter.config["description"]["names"] == ["blue", "red", "ball", "cube", "ring", "big", "old"]
    assert interpreter.config["description"]["groups"] == [2, 3, 1, 1]
    assert on_off(interpreter, "red") == "01?????"
    assert on_off(interpreter, "red, ring") == "01001??"
    assert on_off(interpreter, "0,old") == "10????1"
    assert on_off(interpreter, "-old,big") == "?????10"
    assert on_off(interpreter, "-ball") == "??0????"
    assert main(["translate", "run=outputs/star", "in=in", "out=made", "target=red,ring,-old"]) == 0
    assert pixels("made/car.png").shape == (18, 30, 3)


def test_what_is_not_named_is_what_the_classifier_sees() -> None:
    interpreter = of_attributes()
    game = interpreter.game
    with torch.no_grad():
        seen = (game.classifier.head(game.discriminator.features(image())) > 0).float()  # type: ignore[attr-defined]
        seen[:, 5] = 1.0
        expected = game.translate(image(), Task(target=seen))
    assert torch.allclose(interpreter.translate(image(), target="big"), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("green", "target: no 'green'; accepted are blue, red, ball, cube, ring, big, old"),
        ("7", "target: no '7'; accepted are blue, red, ball, cube, ring, big, old"),
        ("red,blue", "target: red,blue; these exclude each other; name one of them"),
        ("red,-red", "target: red,-red; these exclude each other; name one of them"),
        (None, "target: missing; say what the pictures shall show, target=NAME or target=NAME,NAME"),
    ],
)
def test_targets_that_cannot_be(target: str | None, words: str) -> None:
    with pytest.raises(UserError) as refusal:
        of_attributes().translate(image(), target=target)
    assert str(refusal.value) == words


def test_other_tasks_that_cannot_be(capsys: pytest.CaptureFixture[str]) -> None:
    cyclegan()
    assert main(["translate", "run=outputs/cycle", "in=in", "out=made", "direction=a2c"]) == 2
    assert "direction: 'a2c'; this model knows a2b and b2a; choose one of them" in capsys.readouterr().err
    assert main(["translate", "run=outputs/cycle", "in=in", "out=made", "target=red"]) == 2
    assert "target: red was given, and this run was trained without labels; leave target out" in capsys.readouterr().err
    of_classes()
    assert main(["translate", "run=outputs/star", "in=in", "out=made", "direction=a2b", "target=1"]) == 2
    assert "direction: this model has many domains" in capsys.readouterr().err
    assert main(["translate", "run=outputs/star", "in=in", "out=made", "target=0,1"]) == 2
    assert "target: 0,1; a picture has one class here; name one" in capsys.readouterr().err
    assert not Path("made").exists()
