"""Classes chosen or left out, of published sets and of folders."""

from pathlib import Path

import pytest
import torch
from picture_samples import encoded, plain

from ganctl.data.dataset import Description, Table, TensorTable
from ganctl.data.folder import Folder
from ganctl.data.selection import Selection
from ganctl.data.small import Digits
from ganctl.errors import UserError

PETS = ("cat", "dog", "eel")
SHADES = {"cat": 10, "dog": 120, "eel": 240}


@pytest.fixture
def pets(tmp_path: Path) -> str:
    """Two grey pictures of each class; the shade tells the class."""
    for name, shade in SHADES.items():
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(2):
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(encoded(plain(shade, mode="L")))
    return str(tmp_path / "pets")


def shown(table: Table) -> list[tuple[int, int | None]]:
    """The shade and the label of each picture."""
    assert isinstance(table, TensorTable)
    shades = table.pixels(torch.arange(len(table)))[:, 0, 0, 0].tolist()
    labels = [None] * len(table) if table.labels is None else table.labels.tolist()
    return list(zip(shades, labels, strict=True))


def test_what_stays_is_numbered_anew() -> None:
    images, labels = torch.arange(6)[:, None], torch.tensor([0, 1, 2, 2, 1, 0])
    for selection in (Selection(without=["dog"]), Selection(only=[2, "cat"])):
        assert selection.kept(PETS) == [0, 2]
        chosen, renamed = selection.taken(images, labels, PETS)
        assert chosen.flatten().tolist() == [0, 2, 3, 5]
        assert renamed is not None
        assert renamed.tolist() == [0, 1, 1, 0]


def test_one_class_alone_is_no_class() -> None:
    selection = Selection(only=[1])
    assert selection.described(Description((1, 4, 4), 3, 6, PETS)) == Description((1, 4, 4), 0, 6)
    assert selection.taken(torch.zeros(2, 1), torch.tensor([0, 1]), PETS)[1] is None


def test_a_name_comes_before_a_number() -> None:
    assert Selection(only=[1]).kept(("1", "0")) == [0]
    assert Selection(only=["0"]).kept(("b", "a")) == [0]


def test_a_digit_is_held_out() -> None:
    whole, rest = Digits(size=8), Digits(size=8, without=[3])
    assert rest.describe().names == tuple("012456789")
    assert rest.describe().classes == 9
    of_whole, of_rest = whole.open(torch.device("cpu")), rest.open(torch.device("cpu"))
    assert isinstance(of_whole, TensorTable)
    assert isinstance(of_rest, TensorTable)
    others = of_whole.labels != 3
    assert torch.equal(of_rest.rows, of_whole.rows[others])
    assert of_rest.labels.tolist() == [label - (label > 3) for label in of_whole.labels[others].tolist()]


def test_a_class_of_a_folder_is_held_out(pets: str) -> None:
    folder = Folder(pets, size=16, channels=1, without=["dog"])
    assert folder.describe() == Description((1, 16, 16), 2, 4, ("cat", "eel"))
    assert shown(folder.open(torch.device("cpu"))) == [(10, 0), (10, 0), (240, 1), (240, 1)]


def test_one_class_of_a_folder(pets: str) -> None:
    for labels in ("auto", "none"):
        folder = Folder(pets, size=16, channels=1, only=["eel"], labels=labels)
        assert folder.describe() == Description((1, 16, 16), 0, 2)
        assert shown(folder.open(torch.device("cpu"))) == [(240, None), (240, None)]


def test_subfolders_of_the_class_that_stays_are_no_classes(pets: str) -> None:
    for light in ("day", "night"):
        (Path(pets) / "eel" / light).mkdir()
        (Path(pets) / "eel" / light / "x.png").write_bytes(encoded(plain(240, mode="L")))
    assert Folder(pets, channels=1, only=["eel"]).describe() == Description((1, 64, 64), 0, 4)


def test_mistakes_are_told(pets: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^dataset.without: no class 'dgo'; did you mean 'dog'\?$"):
        Folder(pets, without=["dgo"]).describe()
    with pytest.raises(UserError, match=r"^dataset.only: no class '7'; there are: cat, dog, eel$"):
        Folder(pets, only=[7]).describe()
    with pytest.raises(UserError, match=r"are all classes; leave one to train on$"):
        Folder(pets, without=PETS).describe()
    with pytest.raises(ValueError, match=r"^only: \['cat'\]; name a class or more, and leave without= away$"):
        Folder(pets, only=["cat"], without=["dog"])
    with pytest.raises(UserError, match=r"^dataset.only: \['cat'\], and .*cat' has no class subfolders"):
        Folder(f"{pets}/cat", only=["cat"]).describe()
